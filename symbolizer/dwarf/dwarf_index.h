/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which unit has an address: .debug_aranges says it for the units it covers; for what it does not
 * know, the unit DIEs of the others do. Units are listed as far as is needed, so that a compressed
 * .debug_info is gone through once, answering on the way.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_INDEX_H
#define KILN_SYMBOLIZER_DWARF_DWARF_INDEX_H

#include "symbolizer/dwarf/dwarf_file.h"
#include "symbolizer/dwarf/dwarf_segmap.h"

struct index {
	struct segmap covered; /* address to place in offs */
	VEC(uint64_t) offs;    /* of the units .debug_aranges covers, ascending */
	struct segmap others;  /* address to unit, once complete */
	struct spans spans;    /* of the other units among the first `seen` ones */
	size_t seen;
	bool complete;
};

/* Reads .debug_aranges. 0 or -ENOMEM. */
int index_open(struct index *x, struct dwarf_file *f);
void index_release(struct index *x);

/* The covered unit that has the address, as a place in offs, or SEG_NONE. */
uint32_t index_find_covered(const struct index *x, uint64_t va);
/* Lists units up to that one: its place in f->units, or SEG_NONE if there is no unit. 0 or -ENOMEM. */
int index_unit(struct index *x, struct dwarf_file *f, uint32_t covered, uint32_t *unit);

/* Lists all units. 0 or -ENOMEM. */
int index_complete(struct index *x, struct dwarf_file *f);
/* Then: which of the units that are not covered has the address; a place in f->units, or SEG_NONE. */
uint32_t index_find_other(const struct index *x, uint64_t va);

size_t index_bytes(const struct index *x);

#endif
