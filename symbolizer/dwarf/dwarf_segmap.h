/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address ranges with an owner each, flattened into a sorted map without overlaps. */
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

/* No list of spans grows longer: a browser has some 3 million functions in all. */
#define SPANS_MAX (1u << 23)

#define SEG_NONE UINT32_MAX

/* Segment i is [low[i], low[i + 1]) and belongs to id[i], or to nobody (SEG_NONE). */
struct segmap {
	uint64_t *low;
	uint32_t *id;
	size_t n;
};

enum seg_rule {
	/* The span with the highest id has the address: ids given in tree order make that the
	 * innermost one. */
	SEG_HIGHEST,
	/* The lowest id has it, but whoever had the address before keeps it while it claims it:
	 * the rule of llvm-symbolizer for units that overlap. */
	SEG_KEEP_LOWEST,
};

/* Ids are below n_ids. Sorts the spans; those without bytes are ignored. 0 or -ENOMEM. */
int segmap_build(struct segmap *out, struct spans *spans, uint32_t n_ids, enum seg_rule rule);
void segmap_release(struct segmap *m);

/* Owner of the address, or SEG_NONE. */
uint32_t segmap_find(const struct segmap *m, uint64_t va);
size_t segmap_bytes(const struct segmap *m);

/* Number of segments that start at or before the address. */
size_t segmap_at(const struct segmap *m, uint64_t va);
/*
 * Goes over a part of the map segment by segment, from *i = segmap_at(m, low) on: gives the owner
 * (or SEG_NONE) and returns where it ends, `high` at the latest.
 */
uint64_t segmap_step(const struct segmap *m, size_t *i, uint64_t high, uint32_t *id);

#endif
