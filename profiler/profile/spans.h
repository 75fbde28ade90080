/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time that profiles cover together, in whatever order they come: a set of intervals without
 * overlaps. All-zero is empty and valid. */
#ifndef KILN_PROFILE_SPANS_H
#define KILN_PROFILE_SPANS_H

#include <stdint.h>

#include "profiler/base/vec.h"

struct span {
	int64_t begin_ns, end_ns; /* Unix time */
};

struct spans {
	VEC(struct span) v;   /* ascending, with gaps in between */
	int64_t unplaced_ns;  /* durations of which nobody knows when they began */
	uint64_t gaps_closed; /* gaps that count as covered because of SPANS_MAX */
};

/* A week of windows of a minute; past it the narrowest gap beside a new span goes. */
#define SPANS_MAX 16384

/* Adds [begin_ns, begin_ns + len_ns); begin_ns 0 is not known. Nothing without a length. 0 or
 * -ENOMEM. */
int spans_add(struct spans *s, int64_t begin_ns, int64_t len_ns);
int spans_add_all(struct spans *s, const struct spans *more);

/* What is covered in all; saturates. */
int64_t spans_total(const struct spans *s);

void spans_release(struct spans *s);

#endif
