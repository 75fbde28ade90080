/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs jobs that may hang in a thread, which is left behind when it hangs. Reading /proc/PID/maps
 * or even stat needs locks that a process can hold as long as a dead file server does. Opening a
 * file in another process's /tmp may hang, too. One thread uses a guard.
 */
#ifndef KILN_FILES_STALL_GUARD_H
#define KILN_FILES_STALL_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct stall_guard {
	struct guard_thread *thread; /* NULL: not started yet */
	struct guard_left *left;     /* counts threads left behind; NULL: none yet */
	unsigned stalled;	     /* jobs that hung */
	int wait_ms;		     /* 0: STALL_GUARD_WAIT_MS */
};

/* A busy machine answers in milliseconds. */
#define STALL_GUARD_WAIT_MS 2000

/* A job, at the begin of a larger struct on the heap. */
struct guarded_job {
	int (*run)(struct guarded_job *job); /* runs in the thread; gives the result */
	void (*free)(struct guarded_job *job);
};

/* Runs a job. True: it finished; *result is its result (-EAGAIN if no thread could be started),
 * and the job is the caller's again. False: it hangs and no longer belongs to the caller. */
bool stall_guard_run(struct stall_guard *p, struct guarded_job *job, int *result);

/* Number of jobs that hang now. */
unsigned stall_guard_stuck(const struct stall_guard *p);

/* Like io_read_file(), but -ETIMEDOUT if it hangs. */
int stall_guard_read_file(struct stall_guard *p, const char *path, size_t cap, char **text,
			  size_t *len);
void stall_guard_release(struct stall_guard *p);

#endif
