// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind tables of i386 and x32: other words and addresses, and i386's own numbers of registers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/unwind/unwind_table.h"
#include "tests/lib/fixture.h"

static const struct kind {
	const char *flags, *bp, *ip;
	uint16_t machine;
	unsigned word;
	/* DWARF operations: DW_OP_breg of the stack pointer and of the pc, and the PLT's shift */
	unsigned breg_sp, breg_ip, shift;
} kinds[] = {
	{"-m32", "ebp", "eip", EM_386, 4, 0x74, 0x78, 0x32},
	{"-mx32", "rbp", "rip", EM_X86_64, 8, 0x77, 0x80, 0x33},
};

/* One instruction byte a row. Needs no C library of that kind. */
static void assemble(const struct kind *k)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "f:\n.cfi_startproc\nnop\n"
		 ".cfi_def_cfa_offset %u\n.cfi_offset %s, -%u\nnop\n"
		 ".cfi_def_cfa_register %s\nnop\n"
		 ".cfi_escape 0x0f,11,%u,%u,%u,0,0x3f,0x1a,0x3b,0x2a,%u,0x24,0x22\nnop\n"
		 ".cfi_undefined %s\nnop\n.cfi_endproc\n",
		 2 * k->word, k->bp, 2 * k->word, k->bp, k->breg_sp, k->word, k->breg_ip, k->shift,
		 k->ip);
	fixture_write("t.s", text);
	fixture_run("gcc %s -shared -nostdlib -Wl,-Ttext=0x10000 "
		    "-Wl,--no-ld-generated-unwind-info t.s -o t.so",
		    k->flags);
}

static void assert_rule(const void *table, uint64_t va, enum unwind_cfa cfa, int cfa_off,
			int bp_off)
{
	struct unwind_rule r = unwind_table_rule(table, va);

	assert_int_equal(r.cfa, cfa);
	assert_int_equal(r.cfa_off, cfa_off);
	assert_int_equal(r.bp, bp_off ? UNWIND_BP_AT_CFA : UNWIND_BP_SAME);
	assert_int_equal(r.bp_off, bp_off);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct kind *k = &kinds[i];
		int word = (int)k->word;
		struct elf_obj *obj = NULL;
		struct unwind_head head;
		void *table;
		size_t len;

		assemble(k);
		assert_int_equal(elf_obj_open(&obj, fixture_open("t.so"), NULL), 0);
		assert_int_equal(unwind_table_build(&table, &len, obj, NULL), 0);
		memcpy(&head, table, sizeof(head));
		assert_int_equal(head.machine, k->machine);
		assert_rule(table, 0x10000, UNWIND_CFA_RSP, word, 0);
		assert_rule(table, 0x10001, UNWIND_CFA_RSP, 2 * word, -2 * word);
		assert_rule(table, 0x10002, UNWIND_CFA_RBP, 2 * word, -2 * word);
		assert_rule(table, 0x10003, UNWIND_CFA_PLT, UNWIND_PACK(word, 11), -2 * word);
		assert_rule(table, 0x10004, UNWIND_CFA_ROOT, 0, 0);
		elf_obj_free(obj);
		free(table);
	}
}

/* ---- a walk ------------------------------------------------------------------------------------ */

#define SP 0xffff0000ull

static const void *walked; /* table of t.so at 0 */

static enum unwind_in place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	(void)ctx;
	*table = walked;
	*elf_va = va;
	return va >= 0x10000 && va < 0x10005 ? UNWIND_IN_TABLE : UNWIND_IN_NOTHING;
}

static bool read_words(void *ctx, uint64_t addr, uint64_t *value)
{
	const uint8_t *stack = ctx;

	if (addr < SP || addr + sizeof(*value) > SP + 5 * 4)
		return false;
	memcpy(value, stack + (addr - SP), sizeof(*value));
	return true;
}

/* From a leaf through frames by esp and by ebp to one without a caller, whose return address is the last word
 * that can be read. */
static void test_walk(void **state)
{
	uint32_t stack[] = {0x10003, 1, 2, (uint32_t)SP + 12, 0x10005};
	uint64_t regs[UNWIND_REGS] = {0}, frames[8];
	struct elf_obj *obj = NULL;
	uint32_t n;
	size_t len;
	void *table;

	(void)state;
	assemble(&kinds[0]);
	assert_int_equal(elf_obj_open(&obj, fixture_open("t.so"), NULL), 0);
	assert_int_equal(unwind_table_build(&table, &len, obj, NULL), 0);
	walked = table;
	regs[UNWIND_RIP] = 0x10000;
	regs[UNWIND_RSP] = SP;
	regs[UNWIND_RBP] = SP + 12 + (0xdeadull << 32);
	assert_int_equal(table_walk_32(&(struct table_walk_ops){place, read_words}, stack, regs,
				       true, frames, 8, &n),
			 UNWIND_END_ROOT);
	assert_int_equal(n, 3);
	assert_int_equal(frames[1], 0x10003);
	assert_int_equal(frames[2], 0x10005);
	elf_obj_free(obj);
	free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests_name("unwind_32", tests, fixture_setup, fixture_teardown);
}
