/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address ranges of a DIE: from its low and high address, .debug_ranges or .debug_rnglists. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_RANGES_H
#define KILN_SYMBOLIZER_DWARF_DWARF_RANGES_H

#include "symbolizer/dwarf/dwarf_cu.h"
#include "symbolizer/dwarf/dwarf_segmap.h"

/*
 * Appends the DIE's ranges, marked with id. Leaves out what cannot be read. Each entry costs some
 * of the file's work allowance. 0 or -ENOMEM.
 */
int ranges_add(struct cu *cu, const struct die *die, uint32_t id, struct spans *out);

#endif
