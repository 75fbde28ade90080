// SPDX-License-Identifier: GPL-2.0-or-later
/* The statistics of grew and outliers, with values that were worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/fleet/deviation.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define MS	   1000000 /* ns */

static void assert_close(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-6 * fmax(1, fabs(wanted)))
		fail_msg("got %.9g, wanted %.9g", got, wanted);
}

/* 2500 samples against 2000: 500 / sqrt(4500). */
TEST(a_difference_is_measured_in_deviations)
{
	struct change c = {2500 * (int64_t)MS, 2000 * (int64_t)MS, 1, MS, 100000 * (int64_t)MS};

	assert_close(change_deviations(&c), 500 / sqrt(4500));
	assert_int_equal(change_sign(&c), 1);
	c.after_ns = 1500 * (int64_t)MS;
	assert_close(change_deviations(&c), -500 / sqrt(3500));
	assert_int_equal(change_sign(&c), -1);
}

/* An hour of 200 samples against a day of 2400, which are 100 an hour: variance 200 + 2400 / 24 / 24. */
TEST(periods_of_other_lengths_are_scaled)
{
	const struct change c = {200 * (int64_t)MS, 2400 * (int64_t)MS, 1.0 / 24, MS,
				 10000 * (int64_t)MS};

	assert_close(change_deviations(&c), 100 / sqrt(200 + 2400.0 / 24 / 24));
	assert_int_equal(change_sign(&c), 1);
}

TEST(what_is_below_the_noise_floor_is_nothing)
{
	struct change c = {120 * (int64_t)MS, 100 * (int64_t)MS, 1, MS, 1000 * (int64_t)MS};

	assert_int_equal(change_sign(&c), 0); /* 20 / sqrt(220): chance */
	c.after_ns = 110000 * (int64_t)MS;
	c.before_ns = 100000 * (int64_t)MS;
	assert_true(change_deviations(&c) > 20);
	assert_int_equal(change_sign(&c), 0); /* a tenth more is none of the cases that count */
	c.after_ns = 2000 * (int64_t)MS;
	c.before_ns = 1000 * (int64_t)MS;
	c.whole_ns = 3000000 * (int64_t)MS;
	assert_int_equal(change_sign(&c), 0); /* a two-thousandth of everything would be 1500 */
	c.whole_ns = 1000000 * (int64_t)MS;
	assert_int_equal(change_sign(&c), 1);
}

TEST(what_is_new_or_gone_counts)
{
	struct change c = {100 * (int64_t)MS, 0, 1, MS, 1000 * (int64_t)MS};

	assert_close(change_deviations(&c), 10);
	assert_int_equal(change_sign(&c), 1);
	c.after_ns = 0;
	c.before_ns = 100 * (int64_t)MS;
	assert_int_equal(change_sign(&c), -1);
	c.before_ns = 0;
	assert_int_equal(change_sign(&c), 0);
}

TEST(hostile_numbers_are_no_change_and_no_trap)
{
	struct change c = {INT64_MAX, INT64_MIN, 1, INT64_MAX, INT64_MAX};

	change_sign(&c);
	c = (struct change){-5, -7, 1, MS, 0};
	assert_int_equal(change_sign(&c), 0);
	c = (struct change){5, 7, 1, 0, 0};
	assert_int_equal(change_sign(&c), 0);
}

TEST(median_and_spread_pass_over_an_outlier)
{
	double odd[] = {5, 1, 3, 100, 2}, even[] = {4, 1, 3, 2};

	assert_close(deviation_median(odd, 5), 3);
	assert_close(deviation_spread(odd, 5, 3), 1.4826 * 2); /* distances 0 1 2 2 97 */
	assert_close(deviation_median(even, 4), 2.5);
	assert_close(deviation_spread(even, 4, 2.5), 1.4826);
}

/* 10000 samples, 20 % as a rule: one deviation is 0.4 points. */
TEST(a_host_differs_by_its_share)
{
	struct outlier o = {0.224, 0.2, 0, 10000 * (int64_t)MS, MS};

	assert_close(outlier_deviations(&o), 6);
	assert_true(outlier_differs(&o));
	o.share = 0.21;
	assert_false(outlier_differs(&o)); /* 2.5 */
	o.share = 0.17;
	assert_true(outlier_differs(&o));
	/* Hosts that differ by 1.5 points as a rule: 3 are nothing. */
	o.spread = 0.015;
	assert_false(outlier_differs(&o));
}

TEST(what_one_host_alone_has_counts)
{
	struct outlier o = {0.02, 0, 0, 10000 * (int64_t)MS, MS};

	assert_close(outlier_deviations(&o), 200); /* 200 samples where 1 would be much */
	assert_true(outlier_differs(&o));
	o.share = 0.009;
	assert_false(outlier_differs(&o)); /* below a hundredth of the host's time */
	o.host_ns = 0;
	o.share = 1;
	assert_false(outlier_differs(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_difference_is_measured_in_deviations),
		cmocka_unit_test(periods_of_other_lengths_are_scaled),
		cmocka_unit_test(what_is_below_the_noise_floor_is_nothing),
		cmocka_unit_test(what_is_new_or_gone_counts),
		cmocka_unit_test(hostile_numbers_are_no_change_and_no_trap),
		cmocka_unit_test(median_and_spread_pass_over_an_outlier),
		cmocka_unit_test(a_host_differs_by_its_share),
		cmocka_unit_test(what_one_host_alone_has_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
