/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that targets have started and that are not recorded: before (the workers of a server, which may do its
 * work), or those that go on when a command has ended (daemons). */
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

/* Finds the children, and theirs, of n targets, at most 4096, that are no targets themselves. For lack of memory fewer are found. */
void children_find(struct children *c, const pid_t *tgids, size_t n);
/* Measures their time since then. Leaves those that used some, busiest first. */
void children_busiest(struct children *c);
/* Adds those of n processes that have not ended. */
void children_add_alive(struct children *c, const pid_t *tgids, size_t n);
void children_release(struct children *c);

#endif
