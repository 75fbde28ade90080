// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/upload/backoff.h"

#define SECOND 1000000000ull

static void waits_grow_up_to_a_bound(void **state)
{
	static const uint64_t most_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	struct backoff least = {SECOND, 60 * SECOND, 0}, most = least;

	(void)state;
	for (size_t i = 0; i < sizeof(most_s) / sizeof(*most_s); i++) {
		assert_int_equal(backoff_next(&least, 0, -1), 0);
		assert_int_equal(backoff_next(&most, most_s[i] * SECOND, -1), most_s[i] * SECOND);
	}
	for (int i = 0; i < 100000; i++)
		assert_in_range(backoff_next(&most, (uint64_t)i * 12345678901, -1), 0, 60 * SECOND);
	most.failures = UINT32_MAX;
	assert_int_equal(backoff_next(&most, 60 * SECOND, -1), 60 * SECOND);
	most.failures = 0;
	assert_in_range(backoff_next(&most, UINT64_MAX, -1), 0, SECOND);
}

static void what_a_server_asks_for_is_waited_for(void **state)
{
	struct backoff b = {SECOND, 60 * SECOND, 0};

	(void)state;
	assert_int_equal(backoff_next(&b, 0, 7), 7 * SECOND);
	assert_in_range(backoff_next(&b, 123456789123, 7), 7 * SECOND, 8 * SECOND);
	assert_in_range(backoff_next(&b, 5, INT64_MAX), BACKOFF_MOST_ASKED_S * SECOND,
			(BACKOFF_MOST_ASKED_S + 1) * SECOND);
	assert_int_equal(backoff_next(&b, 0, 0), 0);
	/* nor sooner than without */
	b.failures = 10;
	assert_int_equal(backoff_next(&b, 50 * SECOND, 7), 50 * SECOND);
	/* not all whom it has asked come back at once */
	b.failures = 0;
	assert_int_equal(backoff_next(&b, SECOND / 2, 7), 7 * SECOND + SECOND / 2);
}

static void jitter_is_a_fifth(void **state)
{
	(void)state;
	assert_int_equal(backoff_jitter(10 * SECOND, 0), 8 * SECOND);
	assert_int_equal(backoff_jitter(10 * SECOND, 4 * SECOND), 12 * SECOND);
	for (uint64_t i = 0; i < 1000; i++)
		assert_in_range(backoff_jitter(10 * SECOND, i * 0x9e3779b97f4a7c15), 8 * SECOND,
				12 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_up_to_a_bound),
		cmocka_unit_test(what_a_server_asks_for_is_waited_for),
		cmocka_unit_test(jitter_is_a_fifth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
