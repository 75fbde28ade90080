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

#endif
