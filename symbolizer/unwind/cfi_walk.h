/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow path of stack unwinding: libunwind, over captured registers and a slice of stack, with
 * the call frame information of the files. It takes what the tables in the kernel cannot: a process
 * not known there yet, a rule only DWARF expressions can say. About 10 us a frame. From the first
 * frame on in code that only a compiled table describes, it is the kernel's walk (table_walk.h).
 * It ends at code in files that nothing describes: where a guess leads is no root.
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

/* What is mapped at an address of the sampled process. */
struct cfi_place {
	struct elf_obj *obj; /* NULL: nothing that has call frame information */
	uint64_t bias;	     /* address in the process - ELF virtual address */
	bool is_jit;	     /* anonymous code: a frame-pointer step is the best guess */
	const void *table;   /* of obj, checked (unwind_table.h), if cfi_walk_wants_table() */
};

/* Fills *place; borrowed until the unwinding ends. May answer NULL for an object it cannot open. */
typedef void (*cfi_place_fn)(void *ctx, uint64_t va, struct cfi_place *place);

#define CFI_WALK_REGS 17 /* by DWARF number: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip */

struct captured_stack {
	const uint64_t *regs; /* CFI_WALK_REGS */
	const uint8_t *stack; /* bytes from regs[7] (rsp) - below up */
	size_t stack_len;
	size_t below; /* bytes of the red zone that were copied, too */
};

#define CFI_WALK_ENDS(X)                                                                           \
	X(ROOT, "the outermost frame was reached")                                                 \
	X(SLICE, "the stack goes on above the captured slice")                                     \
	X(NO_INFO, "code without call frame information")                                          \
	X(LIMIT, "more frames than asked for")                                                     \
	X(ERROR, "the call frame information makes no sense")

enum cfi_walk_end {
#define X(end, text) CFI_WALK_##end,
	CFI_WALK_ENDS(X)
#undef X
		CFI_WALK_END_COUNT
};

/* Whether libunwind finds nothing about (all) code of the object: Go's, mainly. */
bool cfi_walk_wants_table(const struct elf_obj *obj);

int cfi_walk_new(struct cfi_walk **out);
void cfi_walk_free(struct cfi_walk *u);

/*
 * Unwinds. frames[0] is the pc; the others are return addresses, or for frames that a signal
 * interrupted pc + 1, so that frames[i] - 1 is where frame i > 0 is executing. Returns their number
 * (at least 1 with max >= 1) and why there are no more.
 */
size_t cfi_walk(struct cfi_walk *u, const struct captured_stack *s, cfi_place_fn place, void *ctx,
		uint64_t *frames, size_t max, enum cfi_walk_end *end);

#endif
