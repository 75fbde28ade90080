// SPDX-License-Identifier: GPL-2.0-or-later
/* Which hours come from the rollup. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/fleet/plan.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define H(n)	   ((n) * (int64_t)HOUR_S)
#define LATER	   H(1000)

static void assert_span(const struct plan *p, size_t i, int64_t since_s, int64_t until_s)
{
	assert_true(i < p->samples.len);
	assert_int_equal(p->samples.data[i].since_s, since_s);
	assert_int_equal(p->samples.data[i].until_s, until_s);
}

TEST(whole_hours_come_from_the_rollup_and_the_edges_from_samples)
{
	const struct times range = {H(10) + 600, H(13) + 600};
	const struct hour_print windows[] = {
		{H(10), 5, 1}, {H(11), 6, 2}, {H(12), 7, 3}, {H(13), 1, 4}};
	const struct hour_mark marks[] = {
		{{H(10), 5, 1}, 91}, {{H(11), 6, 2}, 92}, {{H(12), 7, 3}, 93}, {{H(13), 1, 4}, 94}};
	struct plan p = {0};

	assert_int_equal(plan_make(&p, &range, windows, 4, marks, 4, LATER), 0);
	assert_int_equal(p.rollup.len, 2);
	assert_int_equal(p.rollup.data[0].ver, 92);
	assert_int_equal(p.rollup.data[1].ver, 93);
	assert_int_equal(p.samples.len, 2);
	assert_span(&p, 0, H(10) + 600, H(11));
	assert_span(&p, 1, H(13), H(13) + 600);
	assert_int_equal(p.missing.len, 0);
	plan_release(&p);
}

TEST(an_hour_that_got_windows_later_is_read_from_samples)
{
	const struct times range = {H(10), H(13)};
	const struct hour_print windows[] = {{H(10), 5, 1}, {H(11), 7, 2}, {H(12), 7, 9}};
	const struct hour_mark marks[] = {
		{{H(10), 5, 1}, 91}, {{H(11), 6, 2}, 92}, {{H(12), 7, 3}, 93}};
	struct plan p = {0};

	assert_int_equal(plan_make(&p, &range, windows, 3, marks, 3, LATER), 0);
	assert_int_equal(p.rollup.len, 1);
	assert_int_equal(p.samples.len, 1); /* what touches is one */
	assert_span(&p, 0, H(11), H(13));
	assert_int_equal(p.missing.len, 2);
	assert_int_equal(p.missing.data[0].hour_s, H(11));
	assert_int_equal(p.missing.data[1].print, 9);
	plan_release(&p);
}

/* Two who made one hour at once: the version that was made of what is there counts. */
TEST(of_several_versions_the_right_one_counts)
{
	const struct times range = {H(10), H(11)};
	const struct hour_print windows[] = {{H(10), 5, 1}};
	const struct hour_mark marks[] = {
		{{H(10), 4, 8}, 91}, {{H(10), 5, 1}, 92}, {{H(10), 6, 2}, 93}};
	struct plan p = {0};

	assert_int_equal(plan_make(&p, &range, windows, 1, marks, 3, LATER), 0);
	assert_int_equal(p.rollup.len, 1);
	assert_int_equal(p.rollup.data[0].ver, 92);
	assert_int_equal(p.samples.len, 0);
	plan_release(&p);
}

TEST(an_hour_that_is_not_over_is_not_missing)
{
	const struct times range = {H(10), H(12)};
	const struct hour_print windows[] = {{H(10), 5, 1}, {H(11), 6, 2}};
	struct plan p = {0};

	assert_int_equal(plan_make(&p, &range, windows, 2, NULL, 0, H(12) + PLAN_SETTLE_S - 1), 0);
	assert_int_equal(p.missing.len, 1);
	assert_int_equal(p.missing.data[0].hour_s, H(10));
	assert_int_equal(p.samples.len, 1);
	assert_span(&p, 0, H(10), H(12));
	plan_release(&p);
}

/* Two periods: the hour in which they meet is in neither. */
TEST(two_ranges_follow_each_other)
{
	const struct times ranges[] = {{H(10), H(11) + 60}, {H(11) + 60, H(13)}};
	const struct hour_print windows[] = {{H(10), 5, 1}, {H(11), 6, 2}, {H(12), 7, 3}};
	const struct hour_mark marks[] = {
		{{H(10), 5, 1}, 91}, {{H(11), 6, 2}, 92}, {{H(12), 7, 3}, 93}};
	struct plan p = {0};

	for (int i = 0; i < 2; i++)
		assert_int_equal(plan_make(&p, &ranges[i], windows, 3, marks, 3, LATER), 0);
	assert_int_equal(p.rollup.len, 2);
	assert_int_equal(p.samples.len, 1);
	assert_span(&p, 0, H(11), H(12));
	plan_release(&p);
}

TEST(too_many_gaps_are_refused)
{
	struct hour_print windows[3 * PLAN_MAX_SPANS];
	struct hour_mark marks[3 * PLAN_MAX_SPANS];
	const struct times range = {0, H(3 * PLAN_MAX_SPANS)};
	struct plan p = {0};
	size_t n = 0;

	for (size_t i = 0; i < 3 * PLAN_MAX_SPANS; i++) {
		windows[i] = (struct hour_print){H((int64_t)i), 1, i};
		if (i % 2)
			marks[n++] = (struct hour_mark){windows[i], i};
	}
	assert_int_equal(plan_make(&p, &range, windows, 3 * PLAN_MAX_SPANS, marks, n, LATER * 1000),
			 -E2BIG);
	plan_release(&p);
}

TEST(a_range_is_widened_to_seconds)
{
	struct times t = times_of_ns(1999999999, 3000000001);

	assert_int_equal(t.since_s, 1);
	assert_int_equal(t.until_s, 4);
	t = times_of_ns(-5, 3000000000);
	assert_int_equal(t.since_s, 0);
	assert_int_equal(t.until_s, 3);
	t = times_of_ns(INT64_MIN, INT64_MAX);
	assert_int_equal(t.since_s, 0);
	assert_int_equal(t.until_s, UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_hours_come_from_the_rollup_and_the_edges_from_samples),
		cmocka_unit_test(an_hour_that_got_windows_later_is_read_from_samples),
		cmocka_unit_test(of_several_versions_the_right_one_counts),
		cmocka_unit_test(an_hour_that_is_not_over_is_not_missing),
		cmocka_unit_test(two_ranges_follow_each_other),
		cmocka_unit_test(too_many_gaps_are_refused),
		cmocka_unit_test(a_range_is_widened_to_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
