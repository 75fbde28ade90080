/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums that stop at the limits of their type instead of wrapping, because files may hold any
 * number. */
#ifndef KILN_BASE_SATURATE_H
#define KILN_BASE_SATURATE_H

#include <stdint.h>

static inline int64_t saturating_sum(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* The same, less. */
static inline int64_t saturating_difference(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return difference;
}

/* Without its sign. INT64_MIN has no other one. */
static inline uint64_t size_of_number(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

/* For qsort(): the largest first, whatever their signs. */
static inline int compare_sizes(int64_t a, int64_t b)
{
	uint64_t m = size_of_number(a), n = size_of_number(b);

	return (m < n) - (m > n);
}

#endif
