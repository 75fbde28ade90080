// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of stubs that call other libraries, where the linker describes none. */
#include "tests/lib/assembled.h"

static uint64_t va_of(const struct compiled *c, const char *name)
{
	const struct elf_section *sec = elf_obj_section(c->obj, name);

	assert_non_null(sec);
	return sec->va;
}

static void check_plt(const char *first, const char *other, const char *rule_of_first,
		      const char *rule)
{
	struct compiled c;
	char text[1024];

	snprintf(
		text, sizeof(text),
		".section .plt, \"ax\", @progbits\n.balign 16\n%s\n.balign 16\n%s\n.balign 16\n%s\n"
		".section .plt.sec, \"ax\", @progbits\n.fill 16, 1, 0x90\n"
		".text\n.cfi_startproc\nnop\n.cfi_endproc\n",
		first, other, other);
	assemble(text);
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, va_of(&c, ".plt"), rule_of_first);
	assert_rule_at(&c, va_of(&c, ".plt") + 15, rule_of_first);
	assert_rule_at(&c, va_of(&c, ".plt.sec") - 1, rule);
	assert_rule_at(&c, va_of(&c, ".plt.sec") - 16, rule);
	assert_rule_at(&c, va_of(&c, ".plt.sec") + 15, "rsp 8");
	release(&c);
}

/* lld and mold describe none of their stubs. */
static void test_undescribed_plt(void **state)
{
	static const char first[] = "pushq 0(%rip)\njmp *0(%rip)\nnopl 0(%rax)";
	static const char mold[] =
		"endbr64\npush %r11\npushq 0(%rip)\njmp *0(%rip)\n.fill 14, 1, 0xcc";

	(void)state;
	check_plt(first, "jmp *0(%rip)\npush $0x12345\njmp .", "plt 16:6", "plt 8:11");
	check_plt(first, "endbr64\npush $0x12345\njmp .", "plt 16:6", "plt 8:9");
	check_plt(first, "mov 0(%rip), %r11\ncall .", "none", "none"); /* retpolines */
	check_plt(mold, "endbr64\nmov $7, %r11d\njmp *0(%rip)", "none", "rsp 8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undescribed_plt),
	};

	return cmocka_run_group_tests_name("unwind_plt", tests, fixture_setup, fixture_teardown);
}
