/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internals of the CFI interpreter: a CIE, one row in DWARF's terms, and its translation to a rule.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_CFI_REGS_H
#define KILN_SYMBOLIZER_UNWIND_CFI_REGS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/bytes.h"
#include "symbolizer/unwind/cfi_section.h"

enum cfi_how {
	CFI_UNSET, /* no rule given: the ABI's default */
	CFI_SAME,
	CFI_UNDEFINED,
	CFI_OFFSET,	/* at CFA + off */
	CFI_VAL_OFFSET, /* is CFA + off */
	CFI_REGISTER,	/* in register reg; as CFA: is reg + off */
	CFI_EXPR,	/* at the value of an expression; as CFA: is its value */
	CFI_VAL_EXPR,
};

struct cfi_loc {
	uint8_t how; /* enum cfi_how */
	uint32_t reg;
	int64_t off;
	uint32_t expr_off, expr_len; /* in the section */
};

/* The columns needed to unwind x86-64 with rsp and rbp only. */
struct cfi_regs {
	struct cfi_loc cfa, bp, sp, ra;
};

struct cfi_cie {
	uint64_t off; /* of the record in the section */
	uint64_t code_align;
	int64_t data_align;
	uint32_t prog_off, prog_end;
	uint8_t ptr_enc; /* DW_EH_PE_* of addresses in FDEs */
	bool has_aug_data, signal_frame;
	bool usable; /* its FDEs can be run */
	bool init_done, init_ok;
	struct cfi_regs init; /* after the CIE's initial instructions */
};

/* DWARF numbers of i386 (System V ABI, Intel386 supplement, figure 2.14). */
#define CFI_I386_ESP 4
#define CFI_I386_EIP 8

/* The number on x86-64 of a register of i386; numbers that it does not have stay out of use. */
static inline uint64_t cfi_reg_of_i386(uint64_t reg)
{
	static const uint8_t regs[] = {
		UNWIND_RAX, UNWIND_RCX, UNWIND_RDX, UNWIND_RBX, UNWIND_RSP,
		UNWIND_RBP, UNWIND_RSI, UNWIND_RDI, UNWIND_RIP,
	};

	return reg < sizeof(regs) ? regs[reg] : 255;
}

/*
 * Reads an address in an encoding of LSB 10.5.1. False if it is malformed, or cannot be known from
 * the file alone (DW_EH_PE_textrel, _datarel, _funcrel, _indirect).
 */
bool cfi_read_pointer(const struct cfi_section *sec, struct bytes *b, uint8_t enc, uint64_t *out);

struct unwind_rule cfi_rule(const struct cfi_regs *regs, const struct cfi_section *sec,
			    bool signal_frame);

#endif
