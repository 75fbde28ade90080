/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a store holds by time and by labels at once: a line for each group, as charts want it. */
#ifndef KILN_STORE_SERIES_H
#define KILN_STORE_SERIES_H

#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/store/query.h"

struct strtab;

#define STORE_SERIES_MAX_POINTS 1000000
#define STORE_SERIES_END	'\x03' /* ends each value in a group's text */

struct store_point {
	uint32_t
		group; /* string of the table: the values of the labels, each with STORE_SERIES_END */
	int64_t begin_ns; /* a multiple of the width */
	int64_t samples, cpu_ns;
};

struct store_series {
	struct strtab *groups;
	VEC(struct store_point) v; /* by group, then time */
};
void store_series_release(struct store_series *s);

/* Sums in slots of width_ns (1 s at least) and by the values of these labels (NULL-terminated); where a label is
 * not there, its value is "". More than STORE_SERIES_MAX_POINTS are -E2BIG. 0 or -errno with a sentence. */
int store_series(struct store *s, const struct store_query *q, int64_t width_ns,
		 const char *const *labels, struct store_series *out, struct why *why);

#endif
