/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_BASE_MIN_H
#define KILN_BASE_MIN_H

#include <stdint.h>

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
