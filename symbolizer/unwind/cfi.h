/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame information. Finds the FDEs of .eh_frame or .debug_frame, runs their programs, and
 * translates every row into a struct unwind_rule (DWARF 5, section 6.4; LSB 5.0 Core, chapter 10.6
 * for .eh_frame). Input is hostile: work is bounded by the section's size and the caps below, and
 * each FDE is run at most once.
 *
 * x86-64, x32 and i386; registers of i386 get the numbers of the same registers of x86-64. Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_CFI_H
#define KILN_SYMBOLIZER_UNWIND_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/unwind/cfi_section.h"

/* A browser has 25 MB of CFI and 0.6 million FDEs. An FDE costs 32 bytes while compiling. */
#define CFI_SECTION_MAX (256u << 20)
#define CFI_FDES_MAX	(4u << 20)
/* gcc and clang nest DW_CFA_remember_state once. */
#define CFI_REMEMBER_MAX 16

struct cfi_fde {
	uint64_t start, end; /* ELF addresses; end is exclusive, and cut at the next FDE's start */
	uint32_t cie, prog_off, prog_end;
};

struct cfi_cie;

struct cfi {
	struct cfi_section sec;
	VEC(struct cfi_fde) fdes; /* sorted, without empty or overlapping ones */
	VEC(struct cfi_cie) cies;
	struct htab cie_by_off;
	uint64_t malformed; /* records skipped */
	bool capped;	    /* CFI_FDES_MAX was hit; the rest is missing */
	bool signal_frames; /* some CIE has augmentation 'S' */
};

/* Reads all records. Skips and counts malformed ones. 0, -EFBIG or -ENOMEM. */
int cfi_open(struct cfi *cfi, const struct cfi_section *sec);
void cfi_release(struct cfi *cfi);

/* Called for rows in ascending order. Rows of one FDE with equal rules may be merged. A non-zero
 * return ends the run. */
typedef int (*cfi_row_fn)(void *ctx, uint64_t va, struct unwind_rule rule);

/* Runs the program of fdes.data[i]. From where a program is malformed, the rule is
 * UNWIND_CFA_SLOW. 0 or what fn returned. */
int cfi_run(struct cfi *cfi, size_t i, cfi_row_fn fn, void *ctx);

#endif
