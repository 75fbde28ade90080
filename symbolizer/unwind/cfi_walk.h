/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CFI walk: libunwind walks captured registers and a copy of the stack by the CFI in the files.
 * It walks what a table walk cannot: a rule that needs DWARF expressions, or a file whose table is
 * missing. It takes about 10 us a frame. At the first frame in code that only a compiled table
 * describes, the table walk (table_walk.h) goes on. A walk stops in files at code that has no CFI:
 * a root found by guessing is no root.
 *
 * x86-64 only (-EOPNOTSUPP elsewhere). Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_CFI_WALK_H
#define KILN_SYMBOLIZER_UNWIND_CFI_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_obj;
struct cfi_walk;

/* The mapping at an address of the sampled process. */
struct cfi_place {
	struct elf_obj *obj; /* NULL: there is no CFI */
	uint64_t bias;	     /* address in the process - ELF virtual address */
	bool is_jit;	     /* anonymous code: step by frame pointers */
	/* Table of obj, checked (unwind_blob.h); set if cfi_walk_wants_table(). */
	const void *table;
};

/*
 * Fills *place, which is borrowed until the walk ends. May set obj to NULL if it cannot be opened.
 */
typedef void (*cfi_place_fn)(void *ctx, uint64_t va, struct cfi_place *place);

#define CFI_WALK_REGS 17 /* by DWARF number: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip */

struct captured_stack {
	const uint64_t *regs; /* CFI_WALK_REGS */
	const uint8_t *stack; /* from address regs[7] (rsp) - below upwards */
	size_t stack_len;
	size_t below; /* bytes of the red zone below rsp that were copied */
};

#define CFI_WALK_ENDS(X)                                                                           \
	X(ROOT, "the outermost frame was reached")                                                 \
	X(SLICE, "the stack goes on above the captured part")                                      \
	X(NO_INFO, "code without call frame information")                                          \
	X(CHAIN, "the chain of frame records ends, at no known root")                              \
	X(ZERO, "a return address is 0, at no known root")                                         \
	X(LIMIT, "more frames than the limit")                                                     \
	X(ERROR, "the call frame information is malformed")

enum cfi_walk_end {
#define X(end, text) CFI_WALK_##end,
	CFI_WALK_ENDS(X)
#undef X
		CFI_WALK_END_COUNT
};

/* True if libunwind finds no CFI for some code of the object: mainly Go's. */
bool cfi_walk_wants_table(const struct elf_obj *obj);

int cfi_walk_new(struct cfi_walk **out);
void cfi_walk_free(struct cfi_walk *u);

/*
 * Walks one stack. frames[0] is the pc. The others are return addresses; for a frame that a signal
 * interrupted, pc + 1. So frames[i] - 1 is inside the executing instruction for i > 0. Returns the
 * number of frames (at least 1 if max >= 1). *end says why the walk stopped.
 */
size_t cfi_walk(struct cfi_walk *u, const struct captured_stack *s, cfi_place_fn place, void *ctx,
		uint64_t *frames, size_t max, enum cfi_walk_end *end);

#endif
