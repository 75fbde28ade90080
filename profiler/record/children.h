/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU time of the processes that targets had started before: nobody asked for these, but they may do the targets'
 * work (the workers of a server). */
#ifndef KILN_RECORD_CHILDREN_H
#define KILN_RECORD_CHILDREN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/vec.h"

struct child {
	pid_t tgid;
	uint64_t cpu_ns, busy_ns; /* at the beginning; since then */
};

struct children {
	VEC(struct child) found;
};

/* Finds the children, and theirs, of n targets, at most 4096. For lack of memory fewer are found. */
void children_find(struct children *c, const pid_t *tgids, size_t n);
/* Measures their time since then. Leaves those that used some, busiest first. */
void children_busiest(struct children *c);
void children_release(struct children *c);

#endif
