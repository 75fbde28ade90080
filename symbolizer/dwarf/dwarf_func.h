/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of a unit. One pass over a unit's DIEs finds the subprograms that have code; the
 * tree of calls inlined into one is read when an address in it is asked for.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_FUNC_H
#define KILN_SYMBOLIZER_DWARF_DWARF_FUNC_H

#include "symbolizer/dwarf/dwarf_cu.h"

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

/*
 * The same for all addresses of [low, high): fn is told wherever the innermost scope changes, and at
 * low. Scope 0 of a function is itself; func is FUNCS_NONE where no function of the unit has the
 * address. Stops at the first error of fn. 0 or -errno.
 */
#define FUNCS_NONE UINT32_MAX
typedef int (*funcs_each_fn)(void *ctx, uint64_t va, uint32_t func, uint32_t scope);
int funcs_each(struct funcs *f, struct cu *cu, uint64_t low, uint64_t high, funcs_each_fn fn,
	       void *ctx);
/* Of a function that funcs_each() spoke of: how many scopes there are, and the DIE (its offset in
 * .debug_info) and parent of one. A parent's number is lower than its children's. */
size_t funcs_scopes(const struct funcs *f, uint32_t func);
uint64_t funcs_scope(const struct funcs *f, const struct cu *cu, uint32_t func, uint32_t scope,
		     uint32_t *parent);
/* How many functions there are. */
size_t funcs_count(const struct funcs *f);

#endif
