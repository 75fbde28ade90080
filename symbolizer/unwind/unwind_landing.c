// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_landing.h"

#include <stdbool.h>
#include <string.h>

#define RCX 2 /* DWARF register number */

/* The end of a landing: mov 0(%rbp), %rbp; mov %rcx, %rsp; pop %rcx; jmp *%rcx */
static const uint8_t tail[] = {0x48, 0x8b, 0x6d, 0x00, 0x48, 0x89, 0xcc, 0x59, 0xff, 0xe1};
#define TAIL_MOV_RSP 4
#define TAIL_POP     7
#define TAIL_JMP     8

/* The begin: call uw_install_context_1; mov RA(%rbp), %rsi; mov CFA(%rbp), %rdi. */
#define HEAD_LEN  19
#define HEAD_BACK 256 /* searched bytes before the end; GCC 12 has 138 */

static int32_t i32(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The context of the catching frame is a local variable: its cfa, followed by ra. */
static bool is_head(const uint8_t *p, int32_t *cfa_off)
{
	if (p[0] != 0xe8 || memcmp(p + 5, "\x48\x8b\xb5", 3) != 0 ||
	    memcmp(p + 12, "\x48\x8b\xbd", 3) != 0)
		return false;
	*cfa_off = i32(p + 15);
	return *cfa_off < 0 && *cfa_off > -UNWIND_OFF_MAX && i32(p + 8) == *cfa_off + 8;
}

static void describe(struct unwind_landing *l, uint64_t head_va, uint64_t tail_va, int32_t cfa_off)
{
	/*
	 * The catching frame's return address is where it made the call that threw. That is as good
	 * as its landing pad. It is on the stack below its cfa until the landing pad's address
	 * replaces it.
	 */
	const struct unwind_rule at_pad = {
		.cfa = UNWIND_CFA_DEREF_RBP,
		.cfa_off = UNWIND_PACK(cfa_off, 0),
		.bp = UNWIND_BP_AT_BP,
	};
	const struct unwind_rule in_rcx = {.cfa = UNWIND_CFA_REG, .cfa_off = UNWIND_PACK(8, RCX)};
	const struct unwind_rule pushed = {.cfa = UNWIND_CFA_RSP, .cfa_off = 8};
	const struct unwind_rule popped = {.cfa = UNWIND_CFA_RSP, .bp = RCX << 4};

	l->row[0].va = head_va;
	l->row[0].rule = at_pad;
	l->row[1].va = tail_va + TAIL_MOV_RSP;
	l->row[1].rule = in_rcx;
	l->row[2].va = tail_va + TAIL_POP;
	l->row[2].rule = pushed;
	l->row[3].va = tail_va + TAIL_JMP;
	l->row[3].rule = popped;
	l->end = tail_va + sizeof(tail);
}

size_t unwind_landings_find(struct unwind_landing out[UNWIND_LANDINGS_MAX], const uint8_t *text,
			    size_t len, uint64_t va)
{
	const uint8_t *end = text + len, *from = text, *at, *head;
	size_t n = 0;
	int32_t cfa_off;

	while (n < UNWIND_LANDINGS_MAX &&
	       (at = memmem(from, (size_t)(end - from), tail, sizeof(tail)))) {
		head = at - from >= HEAD_LEN ? at - HEAD_LEN : NULL;
		while (head && !is_head(head, &cfa_off))
			head = head > from && at - head < HEAD_BACK ? head - 1 : NULL;
		if (head)
			describe(&out[n++], va + (uint64_t)(head - text),
				 va + (uint64_t)(at - text), cfa_off);
		from = at + sizeof(tail);
	}
	return n;
}
