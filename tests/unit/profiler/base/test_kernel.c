// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel says about namespaces. Versions are tested with the doctor, whom they concern most. */
#include "profiler/base/kernel.h"
#include "tests/lib/fixture.h"

static void test_offset_of_a_time_namespace(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"monotonic           0         0\nboottime            0         0\n", 0},
		{"monotonic           5         0\nboottime       100000         7\n",
		 100000000000007},
		{"monotonic        -500         0\nboottime         -500 999999999\n",
		 -500000000000 + 999999999},
		{"monotonic 5 0\n", 0},
		{"boottime\n", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(kernel_parse_boottime_offset(rows[i].text), rows[i].ns);
}

static void test_proc_of_this_process(void **state)
{
	(void)state;
	assert_true(kernel_proc_is_own());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offset_of_a_time_namespace),
		cmocka_unit_test(test_proc_of_this_process),
	};

	return cmocka_run_group_tests_name("kernel", tests, fixture_setup, fixture_teardown);
}
