/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which unit has an address: .debug_aranges for the units it covers, unit DIEs for the others. */
#ifndef KILN_SYMBOLIZER_DWARF_INDEX_H
#define KILN_SYMBOLIZER_DWARF_INDEX_H

#include "symbolizer/dwarf_file.h"
#include "symbolizer/dwarf_segmap.h"

/* Maps addresses to places in f->units, scanning f if that was not done. 0 or -ENOMEM. */
int index_build(struct segmap *out, struct dwarf_file *f);

#endif
