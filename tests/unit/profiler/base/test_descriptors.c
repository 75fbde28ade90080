// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/resource.h>

#include "profiler/base/descriptors.h"
#include "tests/lib/fixture.h"

static void test_share(void **state)
{
	static const struct {
		rlim_t limit;
		uint32_t most, share, half;
	} rows[] = {{4096, 256, 256, 256}, {2048, 256, 256, 256}, {1024, 256, 128, 256},
		    {256, 256, 32, 128},   {256, 16, 16, 16},	  {30, 256, 8, 15},
		    {0, 256, 8, 8}};
	struct rlimit old, l;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		l = (struct rlimit){rows[i].limit, old.rlim_max};
		if (l.rlim_cur > l.rlim_max)
			continue;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
		assert_int_equal(descriptors_share(rows[i].most), rows[i].share);
		assert_int_equal(descriptors_half(rows[i].most), rows[i].half);
	}
	setrlimit(RLIMIT_NOFILE, &old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_share)};

	return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
