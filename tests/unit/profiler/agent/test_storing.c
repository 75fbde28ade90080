// SPDX-License-Identifier: GPL-2.0-or-later
/* What the log says of windows that cannot be stored: when it begins, now and then, and when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "profiler/agent/storing.h"
#include "profiler/store/store.h"

#define S   1000000000ull
#define MIB (1024 * 1024ull)

static const struct store_state crowded = {
	.bytes = 6 * MIB,
	.old_bytes = 4 * MIB,
	.free_bytes = 12 * MIB,
	.min_free_bytes = 60 * MIB,
	.total_bytes = 600 * MIB,
};

static void test_a_limit_is_named_with_its_figures(void **state)
{
	struct storing s = {0};
	struct why line = {""};

	(void)state;
	assert_int_equal(storing_take(&s, 0, NULL, S, &line), STORING_NO_NEWS);
	assert_int_equal(storing_take(&s, -ENOSPC, &crowded, 10 * S, &line), STORING_BEGAN_TO_FAIL);
	assert_string_equal(
		line.text,
		"windows cannot be stored: 12.0 MiB are free on the store's file system, and "
		"store.min_free keeps 60.0 MiB free there, which has 600.0 MiB; dropping all "
		"older profiles, 4.0 MiB, would not do, so they stay");
	assert_true(s.fails);
}

static void test_it_is_said_once_every_ten_minutes_and_at_the_end(void **state)
{
	struct storing s = {0};
	struct why line = {""};
	unsigned reminders = 0;

	(void)state;
	assert_int_equal(storing_take(&s, -ENOSPC, &crowded, 10 * S, &line), STORING_BEGAN_TO_FAIL);
	for (uint64_t t = 20; t <= 1210; t += 10) {
		enum storing_news news = storing_take(&s, -ENOSPC, &crowded, t * S, &line);

		assert_int_equal(news, (t - 10) % 600 ? STORING_NO_NEWS : STORING_STILL_FAILS);
		reminders += news == STORING_STILL_FAILS;
	}
	assert_int_equal(reminders, 2);
	assert_non_null(
		strstr(line.text, "windows still cannot be stored, 121 are lost: 12.0 MiB"));
	assert_int_equal(storing_take(&s, 0, &crowded, 1220 * S, &line), STORING_RESUMED);
	assert_string_equal(line.text, "windows are stored again: 121 were lost in 1210 s");
	assert_false(s.fails);
	assert_int_equal(storing_take(&s, 0, &crowded, 1230 * S, &line), STORING_NO_NEWS);
}

/* Only what the limit has to do with is put down to it. */
static void test_other_reasons(void **state)
{
	struct store_state roomy = crowded;
	struct storing s = {0};
	struct why line = {""};

	(void)state;
	storing_take(&s, -EROFS, &crowded, S, &line);
	assert_string_equal(line.text, "windows cannot be stored: Read-only file system");
	s = (struct storing){0};
	roomy.free_bytes = 61 * MIB;
	storing_take(&s, -ENOSPC, &roomy, S, &line);
	assert_string_equal(line.text, "windows cannot be stored: No space left on device");
}

static void test_dropped_segments(void **state)
{
	struct store_state now = crowded;
	struct why line = {""};

	(void)state;
	now.free_bytes = 61 * MIB;
	storing_dropped(3, &now, &line);
	assert_string_equal(
		line.text,
		"3 of the oldest segments went to make space: now 61.0 MiB are free on the "
		"store's file system, and store.min_free keeps 60.0 MiB free there, which "
		"has 600.0 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_limit_is_named_with_its_figures),
		cmocka_unit_test(test_it_is_said_once_every_ten_minutes_and_at_the_end),
		cmocka_unit_test(test_other_reasons),
		cmocka_unit_test(test_dropped_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
