// SPDX-License-Identifier: GPL-2.0-or-later
/* Which lines of a log are written, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/log_limit.h"

#define S 1000000000ull

static bool admit(struct log_limit *l, uint64_t now_ns, const char *text, uint64_t repeats,
		  uint64_t hidden)
{
	uint64_t r = 99, h = 99;
	bool yes = log_limit_admit(l, now_ns, text, &r, &h);

	assert_int_equal(r, repeats);
	assert_int_equal(h, hidden);
	return yes;
}

static void no_limit_by_default(void **state)
{
	struct log_limit l = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(admit(&l, 5 * S, "the same", 0, 0));
}

static void repeats_are_counted(void **state)
{
	struct log_limit l = {.lines_a_minute = 10};

	(void)state;
	assert_true(admit(&l, 100 * S, "disk is full, 7 windows lost", 0, 0));
	assert_false(admit(&l, 101 * S, "disk is full, 8 windows lost", 0, 0));
	assert_false(admit(&l, 159 * S, "disk is full, 123 windows lost", 0, 0));
	assert_true(admit(&l, 102 * S, "disk is slow", 0, 0));
	assert_true(admit(&l, 160 * S, "disk is full, 999 windows lost", 2, 0));
	assert_false(admit(&l, 161 * S, "disk is full, 1 windows lost", 0, 0));
	assert_true(admit(&l, 300 * S, "disk is full, 1 windows lost", 1, 0));
}

static void ten_lines_a_minute(void **state)
{
	struct log_limit l = {.lines_a_minute = 10};
	char text[] = "message ?";
	int shown = 0;

	(void)state;
	for (int i = 0; i < 26; i++) {
		text[8] = (char)('a' + i);
		shown += admit(&l, 100 * S + (uint64_t)i * S, text, 0, 0);
	}
	assert_int_equal(shown, 10);
	assert_true(admit(&l, 160 * S, "later", 0, 16));
	assert_true(admit(&l, 161 * S, "later still", 0, 0));
}

/* In ten minutes of a storm of kinds, each minute has its ten, and none is forgotten in the counts. */
static void every_message_is_shown_or_counted(void **state)
{
	struct log_limit l = {.lines_a_minute = 10};
	uint64_t shown = 0, counted = 0, r, h;
	unsigned in_minute[11] = {0};

	(void)state;
	for (uint64_t i = 0; i < 60000; i++) {
		char text[] = "????";

		for (int d = 0, v = (int)(i * 7919 % 200); d < 4; d++, v /= 10)
			text[d] = (char)('a' + v % 10);
		if (log_limit_admit(&l, 1000 * S + i * S / 100, text, &r, &h)) {
			shown++;
			counted += r + h;
			in_minute[i / 6000]++;
		}
	}
	for (int m = 0; m < 10; m++)
		assert_int_equal(in_minute[m], 10);
	for (size_t i = 0; i < LOG_KINDS; i++)
		counted += l.kinds[i].repeats;
	assert_int_equal(shown + counted + l.hidden, 60000);
}

/* Who asks first is never left out: what it would say is written, and what it keeps is not counted. */
static void who_asks_first(void **state)
{
	struct log_limit l = {.lines_a_minute = 2}, none = {0};

	(void)state;
	assert_int_equal(log_limit_room(&none, 5 * S), UINT_MAX);
	assert_int_equal(log_limit_room(&l, 100 * S), 2);
	assert_true(admit(&l, 100 * S, "a", 0, 0));
	assert_int_equal(log_limit_room(&l, 101 * S), 1);
	assert_true(admit(&l, 101 * S, "b", 0, 0));
	assert_int_equal(log_limit_room(&l, 102 * S), 0);
	assert_int_equal(log_limit_room(&l, 159 * S), 0);
	assert_int_equal(log_limit_room(&l, 160 * S), 1);
	assert_true(admit(&l, 160 * S, "c", 0, 0));
	assert_int_equal(log_limit_room(&l, 160 * S), 0);
	assert_int_equal(log_limit_room(&l, 161 * S), 1);
	assert_int_equal(log_limit_room(&l, 300 * S), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_by_default),
		cmocka_unit_test(repeats_are_counted),
		cmocka_unit_test(ten_lines_a_minute),
		cmocka_unit_test(who_asks_first),
		cmocka_unit_test(every_message_is_shown_or_counted),
	};

	return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
