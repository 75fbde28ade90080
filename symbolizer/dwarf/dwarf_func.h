/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of a unit. One pass over its DIEs finds the subprograms that have code. The tree of
 * inlined calls of a function is read when an address in it is looked up.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_FUNC_H
#define KILN_SYMBOLIZER_DWARF_DWARF_FUNC_H

#include "symbolizer/dwarf/dwarf_cu.h"

/* Frames of an address. Deeper inlining is cut off and marked as limited. */
#define DWARF_DEPTH_MAX 256

struct funcs;

/* Scans the unit. 0, -EBADMSG or -ENOMEM. */
int funcs_load(struct funcs **out, struct cu *cu);
void funcs_free(struct funcs *f);
size_t funcs_bytes(const struct funcs *f);

/*
 * DIE offsets in .debug_info of the calls inlined at the address, innermost first; the last is the
 * subprogram's. Returns their number, 0 if no function of the unit has the address, or -errno.
 */
int funcs_chain(struct funcs *f, struct cu *cu, uint64_t va, uint64_t chain[DWARF_DEPTH_MAX]);

/*
 * Does the same for all addresses of [low, high). Calls fn at low and wherever the innermost scope
 * changes. Scope 0 of a function is the function itself. func is FUNCS_NONE where no function of
 * the unit has the address. Stops at the first error of fn. 0 or -errno.
 */
#define FUNCS_NONE UINT32_MAX
typedef int (*funcs_each_fn)(void *ctx, uint64_t va, uint32_t func, uint32_t scope);
int funcs_each(struct funcs *f, struct cu *cu, uint64_t low, uint64_t high, funcs_each_fn fn,
	       void *ctx);
/* Scopes of a function that funcs_each() reported: their number; one scope's DIE, as an offset
 * in .debug_info, and its parent. A parent's number is lower than its children's. */
size_t funcs_scopes(const struct funcs *f, uint32_t func);
uint64_t funcs_scope(const struct funcs *f, const struct cu *cu, uint32_t func, uint32_t scope,
		     uint32_t *parent);
/* Number of functions. */
size_t funcs_count(const struct funcs *f);

#endif
