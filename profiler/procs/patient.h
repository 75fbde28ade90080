/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading files of /proc that may not answer: /proc/PID/maps, even stat, want locks that a process
 * can hold for as long as a dead file server likes. A thread does the reading and is left behind when it stalls.
 * Internal to profiler/procs.
 */
#ifndef KILN_PROCS_PATIENT_H
#define KILN_PROCS_PATIENT_H

#include <stddef.h>

struct patient {
	struct patient_reader *reader; /* NULL: none yet */
	unsigned stalled;	       /* reads given up */
	int wait_ms;		       /* 0: PATIENT_WAIT_MS */
};

/* A busy machine answers in milliseconds. */
#define PATIENT_WAIT_MS 2000

/* As io_read_file(), and -ETIMEDOUT. */
int patient_read_file(struct patient *p, const char *path, size_t cap, char **text, size_t *len);
void patient_release(struct patient *p);

#endif
