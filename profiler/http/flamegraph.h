/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flame graph as Pyroscope's API has it: a list of names, and for each depth the boxes from left to right. */
#ifndef KILN_HTTP_FLAMEGRAPH_H
#define KILN_HTTP_FLAMEGRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"

struct profile;

struct flamegraph_level {
	/* For each box: its distance from the end of the one before, total, self, and the index of its name. */
	VEC(int64_t) values;
};

struct flamegraph {
	VEC(char *) names; /* [0] is "total" */
	VEC(struct flamegraph_level) levels;
	int64_t total, max_self;
};

#define FLAMEGRAPH_NODES 8192 /* where nobody says how many */

/*
 * Of one sample type of a profile (an empty profile may have none). At most max_nodes boxes (0: FLAMEGRAPH_NODES)
 * are functions, the largest ones; in each, what the others took is one box "other". 0 or -errno.
 */
int flamegraph_of(struct flamegraph *out, const struct profile *p, size_t value, size_t max_nodes);
void flamegraph_release(struct flamegraph *f);

#endif
