// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables for terminals and as Markdown: of hostile texts nothing gets out of its cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/cli/sheet.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static const struct sheet_column columns[] = {{"N", false}, {"HOST", true}, {"FUNCTION", true}};

static struct sheet filled(void)
{
	struct sheet s = {.columns = columns, .n_columns = 3};

	sheet_cell(&s, "%d", 5);
	sheet_cell(&s, "%s", "a");
	sheet_cell(&s, "%s", "main");
	sheet_cell(&s, "%d", 1234);
	sheet_cell(&s, "%s", "longer");
	sheet_cell(&s, "%s", "a_very_long_function_name_of_somebody_else");
	return s;
}

TEST(columns_are_aligned)
{
	struct term t = {0};
	struct sheet s = filled();
	struct buf out = {0};

	assert_int_equal(sheet_text(&out, &s, &t), 0);
	assert_string_equal(buf_cstr(&out),
			    "   N  HOST    FUNCTION\n"
			    "   5  a       main\n"
			    "1234  longer  a_very_long_function_name_of_somebody_else\n");
	buf_release(&out);
	sheet_release(&s);
}

TEST(the_last_column_fits_the_terminal)
{
	struct term t = {.columns = 40};
	struct sheet s = filled();
	struct buf out = {0};

	assert_int_equal(sheet_text(&out, &s, &t), 0);
	assert_null(strstr(buf_cstr(&out), "somebody_else_"));
	assert_non_null(strstr(buf_cstr(&out), "1234  longer  a_very_lo"));
	assert_null(strstr(buf_cstr(&out), "a_very_long_function_name"));
	buf_release(&out);
	sheet_release(&s);
}

TEST(markdown_of_hostile_names)
{
	static const struct sheet_column one[] = {{"NAME", true}};
	struct sheet s = {.columns = one, .n_columns = 1};
	struct buf out = {0};

	sheet_cell(&s, "%s", "a|b<img src=x>`c`\n| new");
	assert_int_equal(sheet_markdown(&out, &s), 0);
	assert_string_equal(buf_cstr(&out), "| NAME |\n| :-- |\n"
					    "| a\\|b\\<img src=x\\>\\`c\\`\xef\xbf\xbd\\| new |\n");
	buf_release(&out);
	sheet_release(&s);
}

TEST(escapes_do_not_reach_a_terminal)
{
	static const struct sheet_column one[] = {{"NAME", true}};
	struct sheet s = {.columns = one, .n_columns = 1};
	struct term t = {0};
	struct buf out = {0};

	sheet_cell(&s, "%s", "\x1b[31mred");
	assert_int_equal(sheet_text(&out, &s, &t), 0);
	assert_null(strchr(buf_cstr(&out), '\x1b'));
	buf_release(&out);
	sheet_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned),
		cmocka_unit_test(the_last_column_fits_the_terminal),
		cmocka_unit_test(markdown_of_hostile_names),
		cmocka_unit_test(escapes_do_not_reach_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
