/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where libgcc's unwinder goes to a landing pad. The functions that throw (_Unwind_RaiseException()
 * and its like) end with uw_install_context(): it copies the registers of the frame that catches over
 * those their own frame has saved, return address included, and then jumps (libgcc/unwind-dw2.c,
 * __builtin_eh_return()). From that copy on their frame description leads nowhere: what is true is
 * that the frame which catches comes next. Inside of the unwind-table compiler.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_LANDING_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_LANDING_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

#define UNWIND_LANDING_ROWS 4

/* [row[0].va, end): rules in the place of those that the frame description has. */
struct unwind_landing {
	struct {
		uint64_t va;
		struct unwind_rule rule;
	} row[UNWIND_LANDING_ROWS]; /* ascending */
	uint64_t end;
};

/* _Unwind_RaiseException, _ForcedUnwind, _Resume, _Resume_or_Rethrow */
#define UNWIND_LANDINGS_MAX 8

/* libgcc_s has 90 KB of code: nothing larger is searched. */
#define UNWIND_LANDING_TEXT_MAX (256u << 10)

/* Finds them in code at va, as GCC 12 compiles it; ascending and apart. Their number. */
size_t unwind_landings_find(struct unwind_landing out[UNWIND_LANDINGS_MAX], const uint8_t *text,
			    size_t len, uint64_t va);

#endif
