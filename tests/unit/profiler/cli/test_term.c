// SPDX-License-Identifier: GPL-2.0-or-later
/* What a terminal can show. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "profiler/cli/term.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* term_fit() fills exactly the columns asked for, and cuts nothing that fits. */
TEST(test_fit)
{
	static const char *const texts[] = {"",
					    "a",
					    "main",
					    "a_rather_long_function_name",
					    "計算する関数",
					    "a計b算cする",
					    "e\xcc\x81"
					    "e\xcc\x81"
					    "e\xcc\x81"
					    "e\xcc\x81"
					    "e\xcc\x81"
					    "e\xcc\x81"
					    "e\xcc\x81"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		for (size_t columns = 0; columns < 40; columns++) {
			struct buf b = {0};

			term_fit(&b, texts[i], columns);
			assert_int_equal(text_columns(buf_cstr(&b)), columns);
			assert_true(text_is_clean(buf_cstr(&b), b.len));
			if (text_columns(texts[i]) <= columns)
				assert_true(text_has_prefix(buf_cstr(&b), texts[i]));
			buf_release(&b);
		}
	}
}

TEST(test_terminals)
{
	struct term t;

	setenv("COLUMNS", "77", 1);
	unsetenv("NO_COLOR");
	t = term_of(-1, COLOR_AUTO);
	assert_int_equal(t.columns, 77);
	assert_false(t.color);
	assert_true(term_of(-1, COLOR_ALWAYS).color);
	setenv("COLUMNS", "3", 1);
	assert_int_equal(term_of(-1, COLOR_NEVER).columns, 20);
	setenv("COLUMNS", "many", 1);
	assert_int_equal(term_of(-1, COLOR_NEVER).columns, 0);
	unsetenv("COLUMNS");
	assert_int_equal(term_of(-1, COLOR_NEVER).columns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_terminals),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* as main() does: for the width of names */
	return cmocka_run_group_tests_name("term", tests, NULL, NULL);
}
