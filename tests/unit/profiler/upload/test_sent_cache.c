// SPDX-License-Identifier: GPL-2.0-or-later
/* What was acknowledged is remembered within a cap; what is used stays longest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/base/hash.h"
#include "profiler/upload/sent_cache.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

TEST(it_has_what_was_added)
{
	struct sent_cache c = {0};

	assert_false(sent_cache_has(&c, 0));
	assert_false(sent_cache_has(&c, 1));
	for (uint64_t i = 1; i <= 1000; i++) {
		sent_cache_add(&c, hash_u64(i));
		sent_cache_add(&c, hash_u64(i));
	}
	for (uint64_t i = 1; i <= 1000; i++) {
		assert_true(sent_cache_has(&c, hash_u64(i)));
		assert_false(sent_cache_has(&c, hash_u64(i + 1000)));
	}
	assert_int_equal(c.young.len, 1000);
	assert_int_equal(c.forgotten, 0);
	sent_cache_add(&c, 0);
	assert_true(sent_cache_has(&c, 0));
	sent_cache_clear(&c);
	assert_false(sent_cache_has(&c, hash_u64(1)));
}

TEST(beyond_the_cap_it_forgets_what_is_not_asked_for)
{
	struct sent_cache c = {0};
	uint64_t hot = hash_u64(1);

	sent_cache_add(&c, hot);
	for (uint64_t i = 2; i < 10 * SENT_CACHE_MAX; i++) {
		sent_cache_add(&c, hash_u64(i));
		assert_true(c.young.len + c.old.len <= SENT_CACHE_MAX);
		if (i % 10000 == 0)
			assert_true(sent_cache_has(&c, hot));
	}
	assert_false(sent_cache_has(&c, hash_u64(2)));
	assert_true(sent_cache_has(&c, hash_u64(10 * SENT_CACHE_MAX - 1)));
	assert_in_range(c.forgotten, 8 * SENT_CACHE_MAX, 10 * SENT_CACHE_MAX);
	sent_cache_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_what_was_added),
		cmocka_unit_test(beyond_the_cap_it_forgets_what_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
