/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address ranges with owners, flattened into a sorted map without overlaps. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_SEGMAP_H
#define KILN_SYMBOLIZER_DWARF_DWARF_SEGMAP_H

#include "profiler/base/vec.h"

struct span {
	uint64_t low, high; /* [low, high) */
	uint32_t id;
};

struct spans {
	struct span *data;
	size_t len, cap;
};

/* Longest list of spans. A browser has some 3 million functions. */
#define SPANS_MAX (1u << 23)

#define SEG_NONE UINT32_MAX

/* Segment i is [low[i], low[i + 1]). Its owner is id[i], or SEG_NONE. */
struct segmap {
	uint64_t *low;
	uint32_t *id;
	size_t n;
};

enum seg_rule {
	/* The highest id wins. Ids in tree order make it the innermost one. */
	SEG_HIGHEST,
	/* The lowest id wins, but an owner keeps the addresses that follow while it claims them.
	 * llvm-symbolizer has this rule for overlapping units. */
	SEG_KEEP_LOWEST,
};

/* Builds the map. Ids are below n_ids. Sorts the spans and ignores empty ones. 0 or -ENOMEM. */
int segmap_build(struct segmap *out, struct spans *spans, uint32_t n_ids, enum seg_rule rule);
void segmap_release(struct segmap *m);

/* Owner of the address, or SEG_NONE. */
uint32_t segmap_find(const struct segmap *m, uint64_t va);
size_t segmap_bytes(const struct segmap *m);

/* Number of segments that start at or before the address. */
size_t segmap_at(const struct segmap *m, uint64_t va);
/*
 * Goes over a part of the map segment by segment. Start with *i = segmap_at(m, low). Gives the
 * owner (or SEG_NONE) and returns where the segment ends, at most `high`.
 */
uint64_t segmap_step(const struct segmap *m, size_t *i, uint64_t high, uint32_t *id);

#endif
