/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time that several profiles cover together: a set of intervals without overlaps. All-zero
 * is empty and valid. */
#ifndef KILN_PROFILE_SPANS_H
#define KILN_PROFILE_SPANS_H

#include <stdint.h>

#include "profiler/base/vec.h"

struct span {
	int64_t begin_ns, end_ns; /* Unix time */
};

struct spans {
	VEC(struct span) v;   /* sorted, with gaps between them */
	int64_t unplaced_ns;  /* sum of durations without a known start */
	uint64_t gaps_closed; /* gaps that count as covered because of SPANS_MAX */
};

/*
 * Windows of a minute for a week. At the cap, the narrowest gap beside the new interval is closed.
 */
#define SPANS_MAX 16384

/* Adds [begin_ns, begin_ns + len_ns). begin_ns 0: unknown start. Ignores an empty interval. 0 or
 * -ENOMEM. */
int spans_add(struct spans *s, int64_t begin_ns, int64_t len_ns);
int spans_add_all(struct spans *s, const struct spans *more);

/* Total length, saturating. */
int64_t spans_total(const struct spans *s);

void spans_release(struct spans *s);

#endif
