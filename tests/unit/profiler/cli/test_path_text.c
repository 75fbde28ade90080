// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of a path in a terminal: what is left out of one in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/cli/path_text.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void check(const char *const *names, uint32_t n, bool has_commands, size_t columns,
		  const char *expected)
{
	struct heavy_path h = {.strings = strtab_new()};
	struct share_scale scale = {100, 0};
	struct term t = {.columns = columns};
	struct buf b = {0};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id;

		assert_int_equal(strtab_add(h.strings, names[i], &id), 0);
		assert_int_equal(vec_push(&h.names, id), 0);
	}
	assert_int_equal(vec_push(&h.lines, (struct heavy_line){.len = n, .total = 95}), 0);
	path_text(&b, &h, &scale, has_commands, &t);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
	heavy_path_release(&h);
}

TEST(test_calls_that_do_not_fit)
{
	static const char *const names[] = {"first", "second_one", "third", "fourth", "last"};

	check(names, 5, false, 80, "Path      95.0%  first > second_one > third > fourth > last\n");
	check(names, 5, false, 57, "Path      95.0%  first > second_one > .. > fourth > last\n");
	check(names, 5, false, 48, "Path      95.0%  first > .. > fourth > last\n");
	check(names, 5, false, 40, "Path      95.0%  first > .. > last\n");
	check(names, 5, false, 30, "Path\n   95.0%  first > .. > last\n");
	check(names, 5, true, 48, "Path      95.0%  first: second_one > .. > last\n");
	check(names, 1, true, 48, "Path      95.0%  first\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_that_do_not_fit),
	};

	return cmocka_run_group_tests_name("path_text", tests, NULL, NULL);
}
