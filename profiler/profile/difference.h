/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changed from one profile, the base, to another: a profile whose samples of the base are below 0. */
#ifndef KILN_PROFILE_DIFFERENCE_H
#define KILN_PROFILE_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile;

/*
 * Takes base from p: adds its samples with the other sign and the label LABEL_DIFF_BASE (totals.h), as pprof does. p
 * keeps its time. With `normalize` base is scaled before, each value to the total that p has of it. As profile_merge():
 * 0, or -errno with a sentence in *why.
 */
int profile_subtract(struct profile *p, const struct profile *base, bool normalize,
		     const char **why);

struct difference {
	int64_t net;	       /* profile_total() */
	bool has_base;	       /* its samples are marked, so the next is known */
	int64_t base;	       /* its total; net + base is what it became */
	int64_t grew, less;    /* sums of functions' own time, grew > 0 > less */
	size_t n_grew, n_less; /* these functions */
	/* Those of them whose change is no larger than two recordings of one and the same load differ by, in 95 of 100
	 * functions (samples are counts, as of Poisson's distribution). 0 where samples are not counted. */
	size_t n_chance;
};

/* Sums up a difference. 0 or -ENOMEM. */
int difference_of(struct difference *out, const struct profile *p, size_t value);

#endif
