/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk of bpf/unwind_core.h on the host: over captured stacks and live processes, with the same
 * tables and the same code as in the kernel. Bounded by `max` frames; thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_TABLE_WALK_H
#define KILN_SYMBOLIZER_UNWIND_TABLE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

/*
 * The rule at an ELF address of a table that passed unwind_blob_check(), with merged rows taken
 * apart (RSP_PUSH and RSP_POP become RSP). UNWIND_CFA_NONE where the table says nothing.
 */
struct unwind_rule unwind_table_rule(const void *table, uint64_t elf_va);

/* What the walk asks about the process. */
struct table_walk_ops {
	/* What is at an address; for UNWIND_IN_TABLE also its table (checked) and ELF address. */
	enum unwind_in (*place)(void *ctx, uint64_t va, const void **table, uint64_t *elf_va);
	/* Reads 8 bytes of memory; false if it cannot. */
	bool (*read)(void *ctx, uint64_t addr, uint64_t *value);
};

/*
 * Walks from these registers (by DWARF number, enum unwind_reg). frames[0] is the pc; the others are
 * return addresses, or pc + 1 for signal frames and what they interrupted, so that frames[i] - 1 is
 * where frame i > 0 is executing. *n is at least 1 (max must be, too). Why it ended.
 */
enum unwind_end table_walk(const struct table_walk_ops *ops, void *ctx,
			   const uint64_t regs[UNWIND_REGS], uint64_t *frames, uint32_t max,
			   uint32_t *n);

/*
 * The same from the middle of a stack: unless `exact`, rip is a return address, and of the registers
 * only rsp and rbp are known. frames[0] is rip as it is.
 */
enum unwind_end table_walk_on(const struct table_walk_ops *ops, void *ctx,
			      const uint64_t regs[UNWIND_REGS], bool exact, uint64_t *frames,
			      uint32_t max, uint32_t *n);

const char *unwind_end_key(enum unwind_end end);
const char *unwind_end_text(enum unwind_end end);

#endif
