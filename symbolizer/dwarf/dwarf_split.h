/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split units (DWARF 5, section 7.3.2, and the GNU extension to DWARF 4), from .dwo files or
 * from a package. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_SPLIT_H
#define KILN_SYMBOLIZER_DWARF_DWARF_SPLIT_H

#include "symbolizer/dwarf/dwarf_answer.h"
#include "symbolizer/dwarf/dwarf_cu.h"

/* Opens the split unit of a skeleton. dwp may be NULL. 0, -ENOENT (the skeleton names none, or
 * it is not found) or -errno. */
int split_load(struct cu **out, struct cu *skeleton, struct dwarf_file *dwp,
	       const struct dwarf_opts *opts, size_t whole_max);

#endif
