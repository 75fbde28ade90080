// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/cli/list.h"
#include "profiler/store/overview.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* What is said above the table: no line is wider than the terminal. In a file a line stays whole. */
TEST(test_head_fits_the_terminal)
{
	static char where[] = "comm=x";
	static const size_t widths[] = {60, 80, 120};
	struct overview o = {.since_ns = 1,
			     .until_ns = 2000000000,
			     .windows = 81,
			     .samples = 25533,
			     .cpu_ns = 1511930000000,
			     .lost = 38,
			     .bytes = 900000,
			     .segments = 1,
			     .unreadable = 2,
			     .where = where};

	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		struct term t = {.columns = widths[i]};
		struct buf b = {0};
		char *rest, *line;

		assert_int_equal(list_text(&b, "/var/lib/kiln", &o, 0, &t), 0);
		buf_cstr(&b);
		rest = b.data;
		while ((line = strsep(&rest, "\n")))
			assert_in_range(strlen(line), 0, widths[i]);
		buf_release(&b);
	}
}

TEST(test_head_in_a_file)
{
	struct term t = {0};
	struct overview o = {.samples = 2, .lost = 3, .unreadable = 1};
	struct buf b = {0};

	assert_int_equal(list_text(&b, "/var/lib/kiln", &o, 0, &t), 0);
	assert_string_equal(buf_cstr(&b),
			    "/var/lib/kiln: 2 samples in 0 windows, 0 ns of CPU time\n"
			    "Lost     3 samples; kiln report names the reasons\n"
			    "Damaged  1 segment or window could not be read\n");
	buf_clear(&b);
	o = (struct overview){.samples = 1, .windows = 1, .lost = 1, .unreadable = 2};
	assert_int_equal(list_text(&b, "/var/lib/kiln", &o, 0, &t), 0);
	assert_string_equal(buf_cstr(&b), "/var/lib/kiln: 1 sample in 1 window, 0 ns of CPU time\n"
					  "Lost     1 sample; kiln report names the reasons\n"
					  "Damaged  2 segments or windows could not be read\n");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_fits_the_terminal),
		cmocka_unit_test(test_head_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
