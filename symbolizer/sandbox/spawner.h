/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spawner: a process that starts readers and does nothing else. It is forked while kiln holds
 * neither samples nor foreign files, so the readers inherit none either. (Closing inherited files
 * at once would not do. Closing a file waits for its server, and a server that hangs would delay
 * every new process.)
 *
 * The new processes are children of the caller. They and the spawner end with the thread that
 * called spawner_new(). One thread uses a spawner at a time.
 */
#ifndef KILN_SYMBOLIZER_SANDBOX_SPAWNER_H
#define KILN_SYMBOLIZER_SANDBOX_SPAWNER_H

#include <sys/types.h>

struct spawner;

/* Runs in a new process with its end of a socket. The process exits with the negated result. */
typedef int (*spawner_fn)(void *ctx, int sock, pid_t parent);

/* Forks the spawner. Each new process has a copy of ctx as it is now. 0 or -errno. */
int spawner_new(struct spawner **out, spawner_fn fn, void *ctx);
/* Ends the spawner, but not the processes that it started. */
void spawner_free(struct spawner *s);

/* Starts a process. The caller owns *pid and *sock, a non-blocking socket to the process. 0 or
 * -errno: -ETIMEDOUT if the spawner does not answer now, as on a machine that stands still. */
int spawner_spawn(struct spawner *s, pid_t *pid, int *sock);
/*
 * How many spawners of this process had ended when they were to start something: killed, as of memory. Nobody starts
 * them again, since a fork of a process that has samples would have them, too.
 */
unsigned spawners_gone(void);
/* For tests: waits so long for an answer. */
void spawner_set_wait(struct spawner *s, int ms);

#endif
