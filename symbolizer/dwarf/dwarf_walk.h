/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of a reader's units, one after the other, for whoever wants everything they say
 * (line_table_build.c). The choice between units that claim one address is dwarf_resolve()'s.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_WALK_H
#define KILN_SYMBOLIZER_DWARF_DWARF_WALK_H

#include "symbolizer/dwarf/dwarf_cache.h"
#include "symbolizer/dwarf/dwarf_frames.h"

struct dwarf;

struct dwarf_range {
	uint64_t low, high; /* [low, high) */
};

/* A unit with its products loaded, as far as they can be, and the addresses it answers for. */
struct dwarf_unit {
	struct dwarf *d;
	struct cu *cu;
	struct cu_cache *cache;
	struct frames *frames;
	const struct dwarf_range *ranges; /* ascending */
	size_t n_ranges;
};

/*
 * Calls fn once per unit that has addresses and can be read; stops at the first error of fn and
 * returns it. 0, -ENOMEM, or -EFBIG when a cap kept something out.
 */
typedef int (*dwarf_unit_fn)(void *ctx, const struct dwarf_unit *u);
int dwarf_walk(struct dwarf *d, dwarf_unit_fn fn, void *ctx);

/* For fn, now and then: evicts units that references have pulled in. Pointers to other units than
 * its own die. */
void dwarf_walk_trim(const struct dwarf_unit *u);

#endif
