/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which part of a range is answered from the rollup and which from samples. An hour comes from its rollup only if
 * the windows that it was made of are those that are there now; all else comes from samples. Hours are those of
 * Unix time, whatever zone the server is in.
 */
#ifndef KILN_FLEET_PLAN_H
#define KILN_FLEET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/vec.h"

#define HOUR_S	       3600
#define PLAN_MAX_HOURS 4000 /* of one rollup's: half a year; the text of a query has its limits */
#define PLAN_MAX_SPANS 100
/* Agents send what is left of an hour a little later. Until then it would be made again and again. */
#define PLAN_SETTLE_S 300

struct times { /* of Unix time, half-open */
	int64_t since_s, until_s;
};

/* What an hour has: how many windows, and the sum of their ids. */
struct hour_print {
	int64_t hour_s;
	uint64_t windows, print;
};

/* What a rollup was made of, and which of its versions counts. */
struct hour_mark {
	struct hour_print of;
	uint64_t ver;
};

struct plan {				/* all-zero is empty */
	VEC(struct times) samples;	/* in order, with gaps between them */
	VEC(struct hour_mark) rollup;	/* in order */
	VEC(struct hour_print) missing; /* could be made, and are among the samples until then */
};

/* All of it from samples. As plan_make(). */
int plan_samples(struct plan *p, const struct times *range);
/* windows: by hour, one each; marks: by hour. now_s: what is not over is never missing. Adds to a plan whose
 * range ended before. 0, -E2BIG (more than PLAN_MAX_SPANS: take plan_samples() instead), or -ENOMEM. */
int plan_make(struct plan *p, const struct times *range, const struct hour_print *windows,
	      size_t n_windows, const struct hour_mark *marks, size_t n_marks, int64_t now_s);
void plan_release(struct plan *p);

/* Whole seconds around a range of ns: what is stored has times of seconds. */
struct times times_of_ns(int64_t since_ns, int64_t until_ns);

#endif
