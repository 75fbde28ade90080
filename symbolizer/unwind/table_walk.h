/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table walk in user space, over captured stacks and live processes. It runs the code of
 * bpf/unwind_core.h on the same tables as the kernel half. Bounded by `max` frames. Thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_TABLE_WALK_H
#define KILN_SYMBOLIZER_UNWIND_TABLE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

/*
 * The rule at an ELF address of a table that passed unwind_blob_check(). Merged rows are split
 * again: RSP_PUSH and RSP_POP become RSP. UNWIND_CFA_NONE where the table has no rule.
 */
struct unwind_rule unwind_table_rule(const void *table, uint64_t elf_va);

/* Leaves whose code is looked through: a stack has one, and one more for each signal handler that another signal
 * interrupted. Of further ones it is not known whether the callers are right. One look may read code 21,000 times. */
#define TABLE_WALK_LOOKS_MAX 4

/* Answers about the process. */
struct table_walk_ops {
	/* What is mapped at an address. For UNWIND_IN_TABLE also its table (checked) and ELF
	 * address. */
	enum unwind_in (*place)(void *ctx, uint64_t va, const void **table, uint64_t *elf_va);
	/* Reads 8 bytes of memory; false if unreadable. */
	bool (*read)(void *ctx, uint64_t addr, uint64_t *value);
	/* Reads 8 bytes of code; false if unreadable. NULL: there is none to read. */
	bool (*code)(void *ctx, uint64_t va, uint64_t *value);
	/* What the innermost function is, if nothing describes it. NULL, or UNWIND_LEAF_UNSEEN: its code tells. */
	enum unwind_leaf_is (*leaf)(void *ctx, struct unwind_caller *caller);
};

/*
 * Walks from these registers (by DWARF number, enum unwind_reg). frames[0] is the pc. The others
 * are return addresses; for signal frames and the frames they interrupted, pc + 1. So frames[i] - 1
 * is inside the executing instruction for i > 0. max and *n are at least 1. Returns why the walk
 * stopped.
 */
enum unwind_end table_walk(const struct table_walk_ops *ops, void *ctx,
			   const uint64_t regs[UNWIND_REGS], uint64_t *frames, uint32_t max,
			   uint32_t *n);

/*
 * Does the same from the middle of a stack. Unless `exact`, rip is a return address, and only rsp
 * and rbp are known. frames[0] is rip unchanged.
 */
enum unwind_end table_walk_on(const struct table_walk_ops *ops, void *ctx,
			      const uint64_t regs[UNWIND_REGS], bool exact, uint64_t *frames,
			      uint32_t max, uint32_t *n);

/* Does the same for 32-bit code (i386), by tables of such files. The upper halves of registers do not
 * count. */
enum unwind_end table_walk_32(const struct table_walk_ops *ops, void *ctx,
			      const uint64_t regs[UNWIND_REGS], bool exact, uint64_t *frames,
			      uint32_t max, uint32_t *n);

const char *unwind_end_key(enum unwind_end end);
const char *unwind_end_text(enum unwind_end end);

#endif
