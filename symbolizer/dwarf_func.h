/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of a unit. One pass over a unit's DIEs finds the subprograms that have code; the
 * tree of calls inlined into one is read when an address in it is asked for.
 */
#ifndef KILN_SYMBOLIZER_DWARF_FUNC_H
#define KILN_SYMBOLIZER_DWARF_FUNC_H

#include "symbolizer/dwarf_cu.h"

/* Frames an address may have; deeper inlining and nesting is cut off, and marked as limited. */
#define DWARF_DEPTH_MAX 256

struct funcs;

/* Scans the unit. 0, -EBADMSG or -ENOMEM. */
int funcs_load(struct funcs **out, struct cu *cu);
void funcs_free(struct funcs *f);
size_t funcs_bytes(const struct funcs *f);

/*
 * DIE offsets (in .debug_info) of the calls inlined at the address, innermost first, and last of the
 * subprogram. Their number; 0 when no function of the unit has the address; or -errno.
 */
int funcs_chain(struct funcs *f, struct cu *cu, uint64_t va, uint64_t chain[DWARF_DEPTH_MAX]);

#endif
