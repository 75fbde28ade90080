/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow path of stack unwinding: libunwind, over captured registers and a slice of stack, with
 * the call frame information of the files. It takes what the tables in the kernel cannot: a process
 * not known there yet, a rule only DWARF expressions can say. About 10 us a frame. From the first
 * frame on in code that only a compiled table describes, it is the kernel's walk (unwind_walk.h).
 * It ends at code in files that nothing describes: where a guess leads is no root.
 *
 * x86-64 only (-EOPNOTSUPP elsewhere). Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_SLOW_UNWIND_H
#define KILN_SYMBOLIZER_UNWIND_SLOW_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_obj;
struct slow_unwind;

/* What is mapped at an address of the sampled process. */
struct slow_place {
	struct elf_obj *obj; /* NULL: nothing that has call frame information */
	uint64_t bias;	     /* address in the process - ELF virtual address */
	bool is_jit;	     /* anonymous code: a frame-pointer step is the best guess */
	const void *table;   /* of obj, checked (unwind_table.h), if slow_unwind_wants_table() */
};

/* Fills *place; borrowed until the unwinding ends. May answer NULL for an object it cannot open. */
typedef void (*slow_place_fn)(void *ctx, uint64_t va, struct slow_place *place);

#define SLOW_REGS 17 /* by DWARF number: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip */

struct slow_sample {
	const uint64_t *regs; /* SLOW_REGS */
	const uint8_t *stack; /* bytes from regs[7] (rsp) - below up */
	size_t stack_len;
	size_t below; /* bytes of the red zone that were copied, too */
};

#define SLOW_ENDS(X)                                                                               \
	X(ROOT, "the outermost frame was reached")                                                 \
	X(SLICE, "the stack goes on above the captured slice")                                     \
	X(NO_INFO, "code without call frame information")                                          \
	X(LIMIT, "more frames than asked for")                                                     \
	X(ERROR, "the call frame information makes no sense")

enum slow_end {
#define X(end, text) SLOW_##end,
	SLOW_ENDS(X)
#undef X
		SLOW_END_COUNT
};

/* Whether libunwind finds nothing about (all) code of the object: Go's, mainly. */
bool slow_unwind_wants_table(const struct elf_obj *obj);

int slow_unwind_new(struct slow_unwind **out);
void slow_unwind_free(struct slow_unwind *u);

/*
 * Unwinds. frames[0] is the pc; the others are return addresses, or for frames that a signal
 * interrupted pc + 1, so that frames[i] - 1 is where frame i > 0 is executing. Returns their number
 * (at least 1 with max >= 1) and why there are no more.
 */
size_t slow_unwind(struct slow_unwind *u, const struct slow_sample *s, slow_place_fn place,
		   void *ctx, uint64_t *frames, size_t max, enum slow_end *end);

#endif
