/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks captured stacks (walk_files.h) in a process without privileges (worker.h), or in this one.
 * Samples are sent a few ahead, so that nobody waits for every one by itself. A sample on which the
 * process crashes, hangs or starves is lost, and so is, for all later ones, the call frame information
 * of the file it was looking into; after many failures none are walked for a while. One thread at a
 * time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WALK_WORKER_H
#define KILN_SYMBOLIZER_WORKER_WALK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/unwind/walk_files.h"

struct lookup;
struct walk_worker;

struct walk_worker_opts {
	bool sandbox; /* the process ends with the thread that calls walk_worker_new() */
	/* For tests, see worker.h; 0 = 1 s. */
	int (*serve)(int sock, pid_t parent, struct lookup *lookup);
	uint64_t stall_ns;
};

/* 0 or -errno, as worker_new(); -EOPNOTSUPP where no stack can be walked. */
int walk_worker_new(struct walk_worker **out, const struct walk_worker_opts *opts);
void walk_worker_free(struct walk_worker *w);

/* Whether this file was added. When there are WALK_FILES_MAX all are forgotten before the next sample
 * is prepared. */
bool walk_worker_knows(const struct walk_worker *w, uint32_t file);
/* Forgets all of them now. */
void walk_worker_forget(struct walk_worker *w);
/* The descriptor (-1: it cannot be read) is borrowed for the call. 0, -ENOSPC or another -errno. */
int walk_worker_add(struct walk_worker *w, uint32_t file, int fd);

/* Fills *sample, which is borrowed until the next call; files of its regions may be added in there.
 * May be called again for the same index. */
typedef void (*walk_prepare_fn)(void *ctx, size_t index, struct walk_sample *sample);
/* Called once for each, in order; n = 0: it was lost. */
typedef void (*walk_done_fn)(void *ctx, size_t index, const uint64_t *frames, size_t n,
			     enum cfi_walk_end end);

void walk_worker_run(struct walk_worker *w, size_t n, walk_prepare_fn prepare, walk_done_fn done,
		     void *ctx);

struct walk_worker_stats {
	uint64_t lost;	       /* samples */
	uint64_t files_failed; /* that the process failed on */
	uint64_t restarts;
};
void walk_worker_stats(const struct walk_worker *w, struct walk_worker_stats *out);
pid_t walk_worker_pid(const struct walk_worker *w); /* of the process, 0: none */

/* --- the served half -------------------------------------------------------------------------- */

int walk_worker_serve(int sock, pid_t parent, struct lookup *lookup);
/* Its parts, in a process that has entered the sandbox: takes one message. 0 or -errno. */
struct walk_served;
int walk_served_new(struct walk_served **out, int sock);
void walk_served_free(struct walk_served *s);
int walk_serve_one(struct walk_served *s);

#endif
