/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares as samples allow to tell them. Below 100 samples a share is a range, the 95 % interval of Wilson's score
 * (E. B. Wilson, 1927); below 1,000 it has no decimals; above, where a sample is no more than a tenth of a per cent,
 * one. What is not nothing is never 0 %, and what is not all never 100 %. A change has no range: "+38 %", "-3.1 %".
 */
#ifndef KILN_CLI_SHARE_H
#define KILN_CLI_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/profile/profile.h"

struct table;

struct share_scale {
	int64_t whole;	    /* without signs, see profile_gross() */
	uint64_t n_samples; /* in it; 0: not known, so shares are as exact as their values */
	bool is_change;	    /* of a difference: has its sign, and may be more than the whole */
};

struct share_scale share_scale_of(const struct profile *p, size_t value);
/* The same of the profile that a table was built of. */
struct share_scale share_scale_of_table(const struct table *t);

/* Appends "38 %", "3 to 9 %", "<0.1 %"; "-" if the whole is 0. */
void share_text(struct buf *out, const struct share_scale *scale, int64_t part);

/* The same for a column, right-aligned: "   38%", "  3-9%", "  >21%" (of one sample), " <0.1%"; "     -" for nothing. */
#define SHARE_CELL 6
void share_cell(struct buf *out, const struct share_scale *scale, int64_t part);

/* Per cent, 0 to 100: bounds of a share of which n samples tell. For both above, and tests. */
void share_interval(double share, uint64_t n, double *low, double *high);

#endif
