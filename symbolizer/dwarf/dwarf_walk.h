/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goes over all units of a reader, for line_table_build.c, which wants all they say.
 * dwarf_resolve() decides between units that claim one address.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_WALK_H
#define KILN_SYMBOLIZER_DWARF_DWARF_WALK_H

#include "symbolizer/dwarf/dwarf_cache.h"
#include "symbolizer/dwarf/dwarf_frames.h"

struct dwarf;

struct dwarf_range {
	uint64_t low, high; /* [low, high) */
};

/* A unit with its functions and lines, as far as they can be read, and the addresses it answers
 * for. */
struct dwarf_unit {
	struct dwarf *d;
	struct cu *cu;
	struct cu_cache *cache;
	struct frames *frames;
	const struct dwarf_range *ranges; /* sorted */
	size_t n_ranges;
};

/*
 * Calls fn once for each readable unit that has addresses. Stops at the first error of fn and
 * returns it. 0, -ENOMEM, or -EFBIG if a cap left something out.
 */
typedef int (*dwarf_unit_fn)(void *ctx, const struct dwarf_unit *u);
int dwarf_walk(struct dwarf *d, dwarf_unit_fn fn, void *ctx);

/* fn calls this now and then. Evicts units that references have loaded. Pointers to other units
 * than fn's own become invalid. */
void dwarf_walk_trim(const struct dwarf_unit *u);

#endif
