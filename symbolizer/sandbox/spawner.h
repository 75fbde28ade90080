/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts the processes that read foreign files. It is a process of its own, forked while kiln holds
 * neither samples nor foreign files, and does nothing else: what it starts later inherits none of
 * that either. (Not even to close it at once: closing a file waits for its server, and a server that
 * hangs would hold up every process that is started after that.)
 *
 * The new processes are children of the caller. They and the spawner end with the thread that called
 * spawner_new(). One thread at a time.
 */
#ifndef KILN_SYMBOLIZER_SANDBOX_SPAWNER_H
#define KILN_SYMBOLIZER_SANDBOX_SPAWNER_H

#include <sys/types.h>

struct spawner;

/* What a new process does, with its end of a socket; it exits with the negative of the result. */
typedef int (*spawner_fn)(void *ctx, int sock, pid_t parent);

/* ctx: as it is now, each process has a copy. 0 or -errno. */
int spawner_new(struct spawner **out, spawner_fn fn, void *ctx);
/* Ends the spawner, not what it has started. */
void spawner_free(struct spawner *s);

/* A new process and our end of its socket, which does not block; both become the caller's. 0 or
 * -errno. */
int spawner_spawn(struct spawner *s, pid_t *pid, int *sock);

#endif
