// SPDX-License-Identifier: GPL-2.0-or-later
/* libgcc's way to a landing pad, found in its code. Needs cc. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_landing.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"
#include "tests/lib/fixture.h"

#define VA 0x17000ull

/* _Unwind_RaiseException of Debian 12's libgcc_s, from the call of uw_install_context_1 on. */
static const uint8_t code[] = {
	0x90, 0x90, 0xe8, 0x6b, 0xd7, 0xff, 0xff,		    /* call */
	0x48, 0x8b, 0xb5, 0xe8, 0xfd, 0xff, 0xff,		    /* mov -0x218(%rbp), %rsi */
	0x48, 0x8b, 0xbd, 0xe0, 0xfd, 0xff, 0xff,		    /* mov -0x220(%rbp), %rdi */
	0x48, 0x89, 0xc2, 0x31, 0xc0, 0xe8, 0xb3, 0xfc, 0xff, 0xff, /* ... */
	0x48, 0x89, 0x74, 0x15, 0x08, 0x48, 0x8b, 0x5d, 0xd8,	    /* ... */
	0x48, 0x8b, 0x6d, 0x00,					    /* mov 0(%rbp), %rbp */
	0x48, 0x89, 0xcc, 0x59, 0xff, 0xe1, 0x90,
};

static void found_in_code(void **state)
{
	struct unwind_landing l[UNWIND_LANDINGS_MAX];

	(void)state;
	assert_int_equal(unwind_landings_find(l, code, sizeof(code), VA), 1);
	assert_int_equal(l[0].row[0].va, VA + 2);
	assert_int_equal(l[0].row[0].rule.cfa, UNWIND_CFA_DEREF_RBP);
	assert_int_equal(UNWIND_OFF(l[0].row[0].rule), -0x220);
	assert_int_equal(UNWIND_ARG(l[0].row[0].rule), 0);
	assert_int_equal(l[0].row[1].va, VA + sizeof(code) - 7);
	assert_int_equal(l[0].row[2].va, VA + sizeof(code) - 4);
	assert_int_equal(l[0].row[3].va, VA + sizeof(code) - 3);
	assert_int_equal(l[0].end, VA + sizeof(code) - 1);
}

static void not_found_in_parts(void **state)
{
	struct unwind_landing l[UNWIND_LANDINGS_MAX];
	uint8_t copy[sizeof(code)];

	(void)state;
	for (size_t len = 0; len < sizeof(code) - 1; len++)
		assert_int_equal(unwind_landings_find(l, code, len, VA), 0);
	for (size_t skip = 3; skip < sizeof(code); skip++)
		assert_int_equal(unwind_landings_find(l, code + skip, sizeof(code) - skip, VA), 0);
	memcpy(copy, code, sizeof(code));
	copy[10] ^= 8; /* the two loads are not neighbours */
	assert_int_equal(unwind_landings_find(l, copy, sizeof(copy), VA), 0);
	memset(copy, 0x90, sizeof(copy));
	assert_int_equal(unwind_landings_find(l, copy, sizeof(copy), VA), 0);
}

static void as_many_as_there_is_room(void **state)
{
	static uint8_t many[(UNWIND_LANDINGS_MAX + 3) * sizeof(code)];
	struct unwind_landing l[UNWIND_LANDINGS_MAX];

	(void)state;
	for (size_t i = 0; i < UNWIND_LANDINGS_MAX + 3; i++)
		memcpy(many + i * sizeof(code), code, sizeof(code));
	assert_int_equal(unwind_landings_find(l, many, sizeof(many), VA), UNWIND_LANDINGS_MAX);
	for (size_t i = 1; i < UNWIND_LANDINGS_MAX; i++)
		assert_true(l[i].row[0].va > l[i - 1].end);
}

/* In the table they take the place of what .eh_frame says, and of nothing else: the first and the
 * last byte of code beside them. */
static void in_the_table(void **state)
{
	struct elf_obj *obj;
	struct unwind_rule rule;
	void *blob;
	size_t len;
	int fd;

	(void)state;
	fixture_write("l.S",
		      "	.globl	f\n	.type	f, @function\nf:	.cfi_startproc\n"
		      "	push	%rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset 6, -16\n"
		      "	mov	%rsp, %rbp\n	.cfi_def_cfa_register 6\n"
		      "	nop\ninstall: call	g\n	mov	-0x218(%rbp), %rsi\n"
		      "	mov	-0x220(%rbp), %rdi\n	mov	0(%rbp), %rbp\n"
		      "	mov	%rcx, %rsp\n	pop	%rcx\n	jmp	*%rcx\n"
		      "	nop\n	ret\n	.cfi_endproc\n	.size	f, . - f\n"
		      "g:	ret\n");
	fixture_run("cc -nostdlib -shared -Wl,-Ttext=0x4000 -Wl,--build-id -o l.so l.S");
	fd = open("l.so", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(elf_obj_open(&obj, fd, NULL), 0);
	assert_int_equal(unwind_table_build(&blob, &len, obj, NULL), 0);
	/* push 1, mov 3, nop 1, call 5, mov 7, mov 7, mov 4, mov 3, pop 1, jmp 2, nop, ret */
	rule = unwind_table_rule(blob, 0x4004);
	assert_int_equal(rule.cfa, UNWIND_CFA_RBP);
	for (uint64_t va = 0x4005; va < 0x401c; va++) {
		rule = unwind_table_rule(blob, va);
		assert_int_equal(rule.cfa, UNWIND_CFA_DEREF_RBP);
		assert_int_equal(UNWIND_OFF(rule), -0x220);
		assert_int_equal(UNWIND_BP_KIND(rule), UNWIND_BP_AT_BP);
	}
	rule = unwind_table_rule(blob, 0x401c);
	assert_int_equal(rule.cfa, UNWIND_CFA_REG);
	rule = unwind_table_rule(blob, 0x401f);
	assert_int_equal(rule.cfa, UNWIND_CFA_RSP);
	assert_int_equal(rule.cfa_off, 8);
	rule = unwind_table_rule(blob, 0x4020);
	assert_int_equal(rule.cfa, UNWIND_CFA_RSP);
	assert_int_equal(rule.cfa_off, 0);
	assert_int_equal(UNWIND_RA_REG(rule), 2);
	rule = unwind_table_rule(blob, 0x4022);
	assert_int_equal(rule.cfa, UNWIND_CFA_RBP);
	free(blob);
	elf_obj_free(obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_in_code),
		cmocka_unit_test(not_found_in_parts),
		cmocka_unit_test(as_many_as_there_is_room),
		cmocka_unit_test(in_the_table),
	};

	return cmocka_run_group_tests_name("unwind_landing", tests, fixture_setup,
					   fixture_teardown);
}
