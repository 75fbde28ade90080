/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doing what a file server may never answer: reading /proc/PID/maps, even stat, which wants locks that
 * a process can hold for as long as a dead server likes; opening a file in somebody's /tmp. A thread
 * does it and is left behind when it stalls.
 */
#ifndef KILN_FILES_PATIENT_H
#define KILN_FILES_PATIENT_H

#include <stdbool.h>
#include <stddef.h>

struct patient {
	struct patient_thread *thread; /* NULL: none yet */
	unsigned stalled;	       /* jobs given up */
	int wait_ms;		       /* 0: PATIENT_WAIT_MS */
};

/* A busy machine answers in milliseconds. */
#define PATIENT_WAIT_MS 2000

/* What is to be done, at the begin of a larger struct on the heap. */
struct patient_job {
	int (*run)(struct patient_job *job); /* in the thread; the result */
	void (*free)(struct patient_job *job);
};

/* Runs it: true, and *result is its result (-ENOMEM where there is no thread). False: it stalled, and is
 * no longer the caller's. */
bool patient_run(struct patient *p, struct patient_job *job, int *result);

/* As io_read_file(), and -ETIMEDOUT. */
int patient_read_file(struct patient *p, const char *path, size_t cap, char **text, size_t *len);
void patient_release(struct patient *p);

#endif
