/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the unit that has an address. .debug_aranges answers for the units it covers. The unit DIEs
 * of the other units answer for the rest. Units are listed only as far as needed, so a compressed
 * .debug_info is inflated once.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_INDEX_H
#define KILN_SYMBOLIZER_DWARF_DWARF_INDEX_H

#include "symbolizer/dwarf/dwarf_file.h"
#include "symbolizer/dwarf/dwarf_segmap.h"

struct index {
	struct segmap covered; /* address to index in offs */
	VEC(uint64_t) offs;    /* of the units that .debug_aranges covers, sorted */
	struct segmap others;  /* address to unit; valid once complete */
	struct spans spans;    /* of uncovered units among the first `seen` ones */
	size_t seen;
	bool complete;
};

/* Reads .debug_aranges. 0 or -ENOMEM. */
int index_open(struct index *x, struct dwarf_file *f);
void index_release(struct index *x);

/* The covered unit that has the address, as an index in offs, or SEG_NONE. */
uint32_t index_find_covered(const struct index *x, uint64_t va);
/* Lists units up to the covered one. *unit is its index in f->units, or SEG_NONE if it does not
 * exist. 0 or -ENOMEM. */
int index_unit(struct index *x, struct dwarf_file *f, uint32_t covered, uint32_t *unit);

/* Lists all units. 0 or -ENOMEM. */
int index_complete(struct index *x, struct dwarf_file *f);
/* After index_complete(): the uncovered unit that has the address, as an index in f->units, or
 * SEG_NONE. */
uint32_t index_find_other(const struct index *x, uint64_t va);

size_t index_bytes(const struct index *x);

#endif
