/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks captured stacks (walk_state.h) in a process without privileges (worker.h), or in this one.
 * Samples are sent a few ahead, so that nobody waits for every one by itself. A sample on which the
 * process crashes, hangs or starves is lost, and so is, for all later ones, the call frame information
 * of the file it was looking into; after many failures none are walked for a while. One thread at a
 * time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WALKER_H
#define KILN_SYMBOLIZER_WORKER_WALKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/unwind/walk_state.h"

struct local;
struct walker;

struct walker_opts {
	bool sandbox; /* the process ends with the thread that calls walker_new() */
	/* For tests, see worker.h; 0 = 1 s. */
	int (*serve)(int sock, pid_t parent, struct local *local);
	uint64_t stall_ns;
};

/* 0 or -errno, as worker_new(); -EOPNOTSUPP where no stack can be walked. */
int walker_new(struct walker **out, const struct walker_opts *opts);
void walker_free(struct walker *w);

/* Whether this file was added. When there are WALK_FILES_MAX all are forgotten before the next sample
 * is prepared. */
bool walker_knows(const struct walker *w, uint32_t file);
/* The descriptor (-1: it cannot be read) is borrowed for the call. 0, -ENOSPC or another -errno. */
int walker_add(struct walker *w, uint32_t file, int fd);

/* Fills *sample, which is borrowed until the next call; files of its regions may be added in there.
 * May be called again for the same index. */
typedef void (*walk_prepare_fn)(void *ctx, size_t index, struct walk_sample *sample);
/* Called once for each, in order; n = 0: it was lost. */
typedef void (*walk_done_fn)(void *ctx, size_t index, const uint64_t *frames, size_t n,
			     enum slow_end end);

void walker_run(struct walker *w, size_t n, walk_prepare_fn prepare, walk_done_fn done, void *ctx);

struct walker_stats {
	uint64_t lost;	       /* samples */
	uint64_t files_failed; /* that the process failed on */
	uint64_t restarts;
};
void walker_stats(const struct walker *w, struct walker_stats *out);
pid_t walker_pid(const struct walker *w); /* of the process, 0: none */

/* --- the served half -------------------------------------------------------------------------- */

int walker_serve(int sock, pid_t parent, struct local *local);
/* Its parts, in a process that has entered the sandbox: takes one message. 0 or -errno. */
struct walk_served;
int walk_served_new(struct walk_served **out, int sock);
void walk_served_free(struct walk_served *s);
int walk_serve_one(struct walk_served *s);

#endif
