/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk worker: runs CFI walks (walk_files.h) in a reader (worker.h) or in this process. It
 * sends a few samples ahead, so that neither side waits for each single one. If the reader crashes,
 * hangs or runs out of memory on a sample, that sample loses its stack. The file that it was
 * reading then is not used any more. After many failures no stack is walked for a while. One thread
 * at a time.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WALK_WORKER_H
#define KILN_SYMBOLIZER_WORKER_WALK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/query/answer.h"
#include "symbolizer/unwind/walk_files.h"

struct lookup;
struct walk_worker;

struct walk_worker_opts {
	bool sandbox; /* the reader ends with the thread that calls walk_worker_new() */
	/* A worker that lives longer: its spawner starts this reader, too. NULL: fork one. */
	const struct walk_worker *like;
	/* For tests, see worker.h. stall_ns 0: 1 s. */
	int (*serve)(int sock, pid_t parent, struct lookup *lookup);
	uint64_t stall_ns;
};

/* 0 or -errno, as from worker_new(). -EOPNOTSUPP on machines where no stack can be walked. */
int walk_worker_new(struct walk_worker **out, const struct walk_worker_opts *opts);
void walk_worker_free(struct walk_worker *w);

/* True if this file was added. When WALK_FILES_MAX files are known, all are forgotten before the
 * next sample is prepared. */
bool walk_worker_knows(const struct walk_worker *w, uint32_t file);
/* Forgets all files now. */
void walk_worker_forget(struct walk_worker *w);
/* Ends the reader, and forgets all files and which of them it failed on: for samples of another owner. */
void walk_worker_renew(struct walk_worker *w);
/* To be called now and then: ends a reader that has nothing to do for SYMBOLIZER_IDLE_NS, and has one that is
 * busy close its files after twice that. */
void walk_worker_rest(struct walk_worker *w);
/* Adds a file under a number. Borrows it (NULL: it cannot be read) during the call. 0, -ENOSPC or
 * another -errno. */
int walk_worker_add(struct walk_worker *w, uint32_t number, const struct sym_file *file);

/* Fills *sample, which is borrowed until the next call. May add the files of its regions. May be
 * called again for the same index. */
typedef void (*walk_prepare_fn)(void *ctx, size_t index, struct walk_sample *sample);
/* Called once for each sample, in order. n = 0: its stack is lost. */
typedef void (*walk_done_fn)(void *ctx, size_t index, const uint64_t *frames, size_t n,
			     enum cfi_walk_end end);

void walk_worker_run(struct walk_worker *w, size_t n, walk_prepare_fn prepare, walk_done_fn done,
		     void *ctx);

struct walk_worker_stats {
	uint64_t lost;	       /* samples whose stacks were lost */
	uint64_t files_failed; /* files on which the reader failed */
	uint64_t restarts;
};
void walk_worker_stats(const struct walk_worker *w, struct walk_worker_stats *out);
pid_t walk_worker_pid(const struct walk_worker *w); /* of the reader; 0: none runs */

/* --- the served half -------------------------------------------------------------------------- */

int walk_worker_serve(int sock, pid_t parent, struct lookup *lookup);
/* The reader's side, in a process that has entered the sandbox. Takes one message. 0 or -errno. */
struct walk_served;
int walk_served_new(struct walk_served **out, int sock);
void walk_served_free(struct walk_served *s);
int walk_serve_one(struct walk_served *s);

#endif
