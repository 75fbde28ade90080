// SPDX-License-Identifier: GPL-2.0-or-later
/* Expressions that cost too much end with an answer. Their memory: test_prune. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/regex_budget.h"

static time_t step_s; /* so much passes between two looks at the clock */

/* Instead of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static time_t passed_s;

	passed_s += step_s;
	if (syscall(SYS_clock_gettime, clock, ts))
		return -1;
	ts->tv_sec += passed_s;
	return 0;
}

static void parts_and_wholes(void **state)
{
	struct regex_budget part, whole;
	const char *why;

	(void)state;
	assert_int_equal(regex_budget_init(&part, "b+", true, &why), 0);
	assert_int_equal(regex_budget_init(&whole, "b+", false, &why), 0);
	for (int i = 0; i < 5000; i++) { /* states are given back meanwhile */
		assert_int_equal(regex_budget_matches(&part, "abbc"), 1);
		assert_int_equal(regex_budget_matches(&part, "ac"), 0);
		assert_int_equal(regex_budget_matches(&whole, "abbc"), 0);
		assert_int_equal(regex_budget_matches(&whole, "bb"), 1);
	}
	regex_budget_release(&part);
	regex_budget_release(&whole);
	regex_budget_release(&whole);
	assert_int_equal(regex_budget_init(&part, "(", true, &why), -EINVAL);
	regex_budget_release(&part);
}

static void what_takes_too_long_is_given_up(void **state)
{
	struct regex_budget e;
	const char *why;
	int answer = 0, tries = 0;

	(void)state;
	assert_int_equal(regex_budget_init(&e, "a", true, &why), 0);
	step_s = 1;
	while (!answer && tries++ < 100)
		answer = regex_budget_matches(&e, "b");
	step_s = 0;
	assert_int_equal(answer, -ETIMEDOUT);
	assert_in_range(tries, 5, 20);
	assert_int_equal(regex_budget_matches(&e, "b"), -ETIMEDOUT);
	regex_budget_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_and_wholes),
		cmocka_unit_test(what_takes_too_long_is_given_up),
	};

	return cmocka_run_group_tests_name("regex_budget", tests, NULL, NULL);
}
