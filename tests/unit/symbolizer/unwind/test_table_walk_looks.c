// SPDX-License-Identifier: GPL-2.0-or-later
/* Signal handlers that signals interrupted, one above the other, all in code that nothing describes: so many of them
 * are looked at, and no more. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/unwind/unwind_encode.h"
#include "symbolizer/unwind/unwind_table.h"

#define TEXT	 0x400000ull
#define STUB	 (TEXT + 0x10) /* what a handler returns to */
#define START	 (TEXT + 0x110)
#define MADE	 0x10000000ull /* code of a JIT compiler */
#define STACK	 0x700000ull
#define FRAME	 0x200ull /* of a handler, and what the kernel puts above it */
#define HANDLERS 8
#define WORDS	 ((HANDLERS + 1) * FRAME / 8)
/* struct sigcontext_64 (asm/sigcontext.h) */
#define AT_BP 80
#define AT_SP 120
#define AT_IP 128

struct world {
	void *table;
	uint64_t stack[WORDS];
};

static enum unwind_in place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	*table = ((const struct world *)ctx)->table;
	*elf_va = va;
	if (va >= TEXT && va < TEXT + 0x200)
		return UNWIND_IN_TABLE;
	return va >= MADE && va < MADE + 0x1000 ? UNWIND_IN_JIT : UNWIND_IN_NOTHING;
}

static bool read_word(void *ctx, uint64_t addr, uint64_t *value)
{
	const struct world *w = ctx;

	if (addr < STACK || addr - STACK >= sizeof(w->stack))
		return false;
	*value = w->stack[(addr - STACK) / 8];
	return true;
}

static bool read_nops(void *ctx, uint64_t va, uint64_t *value)
{
	(void)ctx, (void)va;
	*value = 0x9090909090909090;
	return true;
}

static void *make_table(void)
{
	struct unwind_stats stats = {0};
	struct unwind_encoder *e;
	void *blob;
	size_t len;

	assert_int_equal(unwind_encoder_new(&e, TEXT, TEXT + 0x200), 0);
	unwind_encoder_row(e, TEXT, (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL});
	unwind_encoder_row(e, TEXT + 0x100, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	assert_int_equal(unwind_encoder_finish(e, &blob, &len, &stats), 0);
	unwind_encoder_free(e);
	return blob;
}

static void put(struct world *w, uint64_t at, uint64_t value)
{
	w->stack[(at - STACK) / 8] = value;
}

/* Leaf i has its record at the beginning of frame i, and above that the registers of the code that it interrupted. */
static enum unwind_end walk(unsigned leaves, uint32_t *n)
{
	static const struct table_walk_ops ops = {
		.place = place, .read = read_word, .code = read_nops};
	struct world w = {.table = make_table()};
	uint64_t regs[UNWIND_REGS] = {0}, frames[64];
	enum unwind_end end;

	for (unsigned i = 0; i < leaves; i++) {
		uint64_t at = STACK + i * FRAME + 0x40, context = at + 16;

		put(&w, at + 8, i + 1 < leaves ? STUB : START);
		put(&w, context + AT_IP, MADE + 0x800);
		put(&w, context + AT_SP, at + FRAME - 16);
		put(&w, context + AT_BP, at + FRAME);
	}
	regs[UNWIND_RIP] = MADE + 0x800;
	regs[UNWIND_RBP] = STACK + 0x40;
	regs[UNWIND_RSP] = STACK + 0x30;
	end = table_walk(&ops, &w, regs, frames, 64, n);
	free(w.table);
	return end;
}

static void test_handlers_in_handlers(void **state)
{
	uint32_t n;

	(void)state;
	for (unsigned leaves = 1; leaves <= HANDLERS; leaves++) {
		assert_int_equal(walk(leaves, &n), leaves <= TABLE_WALK_LOOKS_MAX
							   ? UNWIND_END_ROOT
							   : UNWIND_END_LEAF);
		assert_int_equal(n, 2 * leaves);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_handlers_in_handlers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
