// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/cli/line.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* In a terminal no line of losses and notes is wider than it, and no word is lost. */
TEST(test_lines_are_wrapped)
{
	static const char text[] = "Lost     7 samples (0.1 %): the timer fired late and skipped "
				   "periods. Cure: lower -F, or a quieter host";
	static const size_t widths[] = {20, 40, 60, 80};

	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		struct term t = {.columns = widths[i]};
		struct buf b = {0}, joined = {0};
		char *rest, *line;

		line_wrap(&b, text, LINE_COLUMNS, &t);
		buf_cstr(&b);
		rest = b.data;
		while ((line = strsep(&rest, "\n"))) {
			assert_in_range(strlen(line), 1, widths[i]);
			buf_printf(&joined, "%s%s", joined.len ? " " : "",
				   line + (joined.len ? strspn(line, " ") : 0));
		}
		assert_string_equal(buf_cstr(&joined), text);
		buf_release(&b);
		buf_release(&joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_wrapped),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
