/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile out of the answers to profile_sql.h. They are a stranger's. Stacks and functions that are missing are
 * frames FRAME_NO_STACK and FRAME_NO_FUNCTION: values are never lost, and add up exactly.
 */
#ifndef KILN_FLEET_PROFILE_READ_H
#define KILN_FLEET_PROFILE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/why.h"
#include "profiler/profile/quality.h"

struct ch_answer;
struct profile;

#define PROFILE_READ_MAX_SAMPLES (1u << 24)
#define PROFILE_READ_MAX_TYPES	 16

/* Of the answer about windows. */
struct window_sums {
	uint64_t windows;
	int64_t begin_ns, end_ns; /* of all */
	/* 0: not known, or not of time */
	int64_t least_period_ns, most_period_ns;
	struct quality quality;
};

struct profile_answers { /* borrowed */
	const struct ch_answer *samples, *stacks, *functions;
};

/* Adds. 0, or -EBADMSG with a sentence. */
int window_sums_read(struct window_sums *out, const struct ch_answer *a, struct why *why);

/*
 * A new profile with the types that samples have. If CPU time is the only one, and all was sampled at one period
 * (not 0), samples are counted by it. 0, or with a sentence: -EBADMSG (not as kiln's tables), -EFBIG, -ENOMEM. A
 * profile without samples has no types.
 */
int profile_read(struct profile **out, const struct profile_answers *a, int64_t period_ns,
		 struct why *why);

/* Its time, and its quality as comments. where: the condition of which it is a part, or NULL. 0 or -ENOMEM. */
int profile_set_windows(struct profile *p, const struct window_sums *w, const char *where);

#endif
