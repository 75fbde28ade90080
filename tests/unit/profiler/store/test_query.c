// SPDX-License-Identifier: GPL-2.0-or-later
/* What a profile of a range says about itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/profile/rates.h"
#include "profiler/store/begins.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

static const struct store_opts writing = {.access = STORE_WRITE};

/* A part has the losses of the whole, and says so; of binaries it blames those that are in it. */
static void a_part_says_what_its_quality_is_of(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w = random_window(3, T0, 10 * SECOND);
	const char *there = profile_module(w.profile, 0);
	struct store_result r;

	(void)state;
	MUST(vec_push(&w.quality.blame,
		      (struct quality_blame){strdup("other"), 9, 9, 9, strdup("hint")}));
	MUST(vec_push(&w.quality.blame,
		      (struct quality_blame){strdup(there), 9, 9, 9, strdup("hint")}));
	assert_int_equal(append_window(s, &w), 0);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_null(quality_where(r.profile));
	assert_int_equal(r.quality.blame.len, w.quality.blame.len);
	store_result_release(&r);
	r = query_store(s, STORE_BEGIN, STORE_END, "nowhere!=x");
	assert_string_equal(quality_where(r.profile), "nowhere!=x");
	assert_int_equal(r.quality.lost[LOSS_map_full], 10);
	assert_true(r.quality.blame.len > 0);
	for (size_t i = 0; i < r.quality.blame.len; i++)
		assert_string_not_equal(r.quality.blame.data[i].module, "other");
	store_result_release(&r);
	r = query_store(s, STORE_BEGIN, STORE_END, "comm=nobody");
	assert_int_equal(r.quality.blame.len, 0);
	store_result_release(&r);
	store_close(s);
	window_release(&w);
}

/* Windows at several rates: both ends are told, and how long it was less than asked for. */
static void rates_of_windows_are_told(void **state)
{
	struct store *s = open_store("store", &writing);
	const struct window w[] = {random_window(1, T0, 10 * SECOND),
				   random_window(2, T0 + 10 * SECOND, 10 * SECOND),
				   random_window(3, T0 + 20 * SECOND, 20 * SECOND)};
	struct store_result r;
	struct rates rates;

	(void)state;
	w[2].profile->period = 142857142;
	MUST(profile_comment(w[2].profile, "kiln.freq_wanted_hz=99"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(append_window(s, &w[i]), 0);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	rates_load(&rates, r.profile);
	assert_int_equal(rates.least_period_ns, 10101010);
	assert_int_equal(rates.most_period_ns, 142857142);
	assert_int_equal(rates.throttled_ns, 20 * SECOND);
	store_result_release(&r);
	r = query_store(s, STORE_BEGIN, T0 + 20 * SECOND, NULL);
	rates_load(&rates, r.profile);
	assert_int_equal(rates.least_period_ns, 10101010);
	assert_int_equal(rates.most_period_ns, 10101010);
	assert_int_equal(rates.throttled_ns, 0);
	store_result_release(&r);
	store_close(s);
	for (size_t i = 0; i < 3; i++)
		window_release((struct window *)&w[i]);
}

/* In order, and of windows that began at one time one. */
static void begins_are_told_once(void **state)
{
	static const int64_t at[] = {0, 10, 20, -86400, -86390, 30, 15, 40, 86400, 20},
			     want[] = {-86390, 0, 10, 15, 20, 30};
	struct store *s = open_store("store", &writing);
	struct store_begins b;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		struct window w = random_window(i, T0 + at[i] * SECOND, 10 * SECOND);

		assert_int_equal(append_window(s, &w), 0);
		window_release(&w);
	}
	assert_int_equal(store_begins(s, T0 - 86390 * SECOND, T0 + 40 * SECOND, &b), 0);
	assert_int_equal(b.v.len, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(b.v.data[i], T0 + want[i] * SECOND);
	store_begins_release(&b);
	store_close(s);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_part_says_what_its_quality_is_of),
		CASE(rates_of_windows_are_told),
		CASE(begins_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
