/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doing what a file server may never answer: reading /proc/PID/maps, even stat, which wants locks that
 * a process can hold for as long as a dead server likes; opening a file in somebody's /tmp. A thread
 * does it and is left behind when it stalls.
 */
#ifndef KILN_FILES_STALL_GUARD_H
#define KILN_FILES_STALL_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct stall_guard {
	struct guard_thread *thread; /* NULL: none yet */
	struct guard_left *left;     /* of the threads left behind; NULL: none yet */
	unsigned stalled;	     /* jobs given up */
	int wait_ms;		     /* 0: STALL_GUARD_WAIT_MS */
};

/* A busy machine answers in milliseconds. */
#define STALL_GUARD_WAIT_MS 2000

/* What is to be done, at the begin of a larger struct on the heap. */
struct guarded_job {
	int (*run)(struct guarded_job *job); /* in the thread; the result */
	void (*free)(struct guarded_job *job);
};

/* Runs it: true, and *result is its result (-ENOMEM where there is no thread). False: it stalled, and is
 * no longer the caller's. */
bool stall_guard_run(struct stall_guard *p, struct guarded_job *job, int *result);

/* Jobs given up whose threads have not come back yet. */
unsigned stall_guard_stuck(const struct stall_guard *p);

/* As io_read_file(), and -ETIMEDOUT. */
int stall_guard_read_file(struct stall_guard *p, const char *path, size_t cap, char **text,
			  size_t *len);
void stall_guard_release(struct stall_guard *p);

#endif
