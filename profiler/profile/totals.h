/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums over a whole profile, and what shares are of. In a difference of two profiles values of the base have the other
 * sign, so they cancel out.
 */
#ifndef KILN_PROFILE_TOTALS_H
#define KILN_PROFILE_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile;

/* Marks samples of the base, as `go tool pprof -diff_base` does. */
#define LABEL_DIFF_BASE "pprof::base"

/* Sum of one value over all samples, saturating. */
int64_t profile_total(const struct profile *p, size_t value);

/* What shares are of: in a difference the base's total where its samples are marked, so that a share says how much of
 * it is new or gone; else the sum without signs, as in pprof. Never negative. */
int64_t profile_gross(const struct profile *p, size_t value);

/* Number of samples that shares are of; 0: the profile does not count them. */
uint64_t profile_samples(const struct profile *p);

/* True if one of the values is below 0. */
bool profile_is_difference(const struct profile *p, size_t value);

/* The base's total in a difference; false: its samples are not marked. */
bool profile_base_total(const struct profile *p, size_t value, int64_t *total);

#endif
