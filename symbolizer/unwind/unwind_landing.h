/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The place where libgcc's unwinder jumps to a landing pad. The functions that throw
 * (_Unwind_RaiseException() and similar) end with uw_install_context(). It copies the registers of
 * the catching frame over the saved registers of its own frame, return address included. Then it
 * jumps (libgcc/unwind-dw2.c, __builtin_eh_return()). After that copy, its CFI leads nowhere: the
 * next frame is the catching one. Internal to the unwind-table compiler.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_LANDING_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_LANDING_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

#define UNWIND_LANDING_ROWS 4

/* Rules that replace those of the CFI in [row[0].va, end). */
struct unwind_landing {
	struct {
		uint64_t va;
		struct unwind_rule rule;
	} row[UNWIND_LANDING_ROWS]; /* ascending */
	uint64_t end;
};

/* _Unwind_RaiseException, _ForcedUnwind, _Resume, _Resume_or_Rethrow */
#define UNWIND_LANDINGS_MAX 8

/* libgcc_s has 90 KB of code. Larger files are not searched. */
#define UNWIND_LANDING_TEXT_MAX (256u << 10)

/* Finds the landings in code at va, as GCC 12 compiles it: sorted, without overlaps. Returns
 * their number. */
size_t unwind_landings_find(struct unwind_landing out[UNWIND_LANDINGS_MAX], const uint8_t *text,
			    size_t len, uint64_t va);

#endif
