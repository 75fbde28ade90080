// SPDX-License-Identifier: GPL-2.0-or-later
/* The governor with a clock and a load of the test's own: an agent of which a sample costs so much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>

#include "profiler/agent/governor.h"

#define S    1000000000ull
#define CPUS 2

struct world {
	struct governor g;
	uint64_t now_ns, used_ns;
	uint64_t sample_ns, fixed_ppm; /* what a sample costs, and what each second does */
	unsigned changes;
};

static struct world begin(uint64_t share_ppm, uint64_t hz)
{
	struct world w = {.now_ns = 1000 * S, .used_ns = 3 * S};

	governor_init(&w.g, share_ppm, CPUS, hz, w.now_ns, w.used_ns);
	return w;
}

static void pass(struct world *w, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		w->now_ns += S;
		w->used_ns += w->g.hz * CPUS * w->sample_ns + w->fixed_ppm * (S / 1000000);
		w->changes += governor_look(&w->g, w->now_ns, w->used_ns);
	}
}

/* At 19 Hz on two CPUs, 38 samples of 200 us are 0.76 %. */
static void nothing_happens_within_the_limit(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.sample_ns = 200000;
	pass(&w, 3600);
	assert_int_equal(w.changes, 0);
	assert_int_equal(w.g.hz, 19);
	assert_int_equal(w.g.throttled_ns, 0);
	assert_int_equal(governor_cost_ppm(&w.g), 7600);
}

static void lowers_until_it_fits(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.sample_ns = 1000000; /* 3.8 % */
	pass(&w, 480);
	assert_int_equal(w.g.hz, 3); /* 11 and 7 are 2.2 % and 1.4 % */
	assert_int_equal(w.changes, 3);
	assert_false(w.g.is_over);
	assert_true(governor_cost_ppm(&w.g) <= w.g.limit_ppm);
	assert_true(w.g.throttled_ns > 250 * S);
	/* A trial of 5 Hz succeeds: that is just the limit. Then it stays there: no swinging. */
	pass(&w, 3600);
	assert_int_equal(w.g.hz, 5);
	assert_int_equal(w.changes, 4);
}

/* Most of the cost does not come from samples. */
static void rises_after_trials(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.sample_ns = 20000;
	w.fixed_ppm = 20000; /* something else is going on */
	w.sample_ns = 400000;
	pass(&w, 1200);
	assert_in_range(w.g.hz, 1, 11);
	w.sample_ns = 20000;
	w.fixed_ppm = 4000;
	pass(&w, 2 * 3600);
	assert_int_equal(w.g.hz, 19);
	assert_int_equal(governor_cost_ppm(&w.g), 4000 + 760);
}

/* Trials that fail become rare. */
static void fails_seldom(void **state)
{
	struct world w = begin(10000, 19);
	uint64_t over = 0;

	(void)state;
	w.sample_ns = 900000; /* 7 Hz are too much, 3 Hz are calm with what is fixed */
	w.fixed_ppm = 1200;
	pass(&w, 1200);
	w.changes = 0;
	for (int i = 0; i < 24 * 3600; i++) {
		pass(&w, 1);
		over += w.g.hz * CPUS * w.sample_ns / 1000 + w.fixed_ppm > w.g.limit_ppm;
	}
	assert_in_range(w.changes, 2, 60);
	assert_true(over < 24 * 3600 / 20);
}

static void rises_when_it_can(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.sample_ns = 1000000;
	pass(&w, 900);
	w.sample_ns = 100000;
	pass(&w, 900);
	assert_int_equal(w.g.hz, 19);
	pass(&w, 3600);
	assert_int_equal(w.g.hz, 19);
}

static void the_start_is_not_judged(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.fixed_ppm = 500000; /* it names the whole machine */
	pass(&w, 100);
	w.fixed_ppm = 1000;
	pass(&w, 600);
	assert_int_equal(w.changes, 0);
}

/* One busy look among six quiet ones is no reason. */
static void a_peak_is_forgiven(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.fixed_ppm = 2000;
	pass(&w, 600);
	w.fixed_ppm = 40000;
	pass(&w, 10);
	w.fixed_ppm = 2000;
	pass(&w, 600);
	assert_int_equal(w.changes, 0);
}

static void what_cannot_be_kept_is_known(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.sample_ns = 1000000;
	w.fixed_ppm = 10000;
	pass(&w, 1800);
	assert_int_equal(w.g.hz, 1);
	assert_true(w.g.is_over);
	w.sample_ns = 0;
	w.fixed_ppm = 100;
	pass(&w, 90);
	assert_false(w.g.is_over);
}

/* None of the cost comes from samples: they are not given up. */
static void nothing_is_given_up_in_vain(void **state)
{
	struct world w = begin(10000, 19);
	uint64_t low = 0;

	(void)state;
	w.sample_ns = 20000;
	w.fixed_ppm = 12000;
	for (int i = 0; i < 24 * 3600; i++) {
		pass(&w, 1);
		assert_true(w.g.hz >= 11);
		low += w.g.hz < 19;
	}
	assert_in_range(low, 1, 24 * 3600 / 20);
	assert_true(w.g.is_over);
	w.fixed_ppm = 2000;
	pass(&w, 600);
	assert_false(w.g.is_over);
	assert_int_equal(w.g.hz, 19);
}

static void frequencies_are_prime(void **state)
{
	(void)state;
	for (uint64_t wanted = 1; wanted < 1000; wanted += 6) {
		struct world w = begin(100, wanted);
		uint64_t before = wanted;

		w.sample_ns = 1000000;
		for (int i = 0; i < 100; i++) {
			pass(&w, 10);
			assert_true(w.g.hz <= before);
			for (uint64_t d = 2; w.g.hz != wanted && d < w.g.hz; d++)
				assert_true(w.g.hz % d);
			before = w.g.hz;
		}
		w.sample_ns = 0;
		pass(&w, 3600);
		assert_int_equal(w.g.hz, wanted);
	}
}

static void another_limit(void **state)
{
	struct world w = begin(10000, 19);

	(void)state;
	w.sample_ns = 200000;
	pass(&w, 600);
	governor_set(&w.g, 5000, CPUS, 19);
	pass(&w, 600);
	assert_int_equal(w.g.hz, 11); /* 0.44 % */
	governor_set(&w.g, 10000, CPUS, 49);
	assert_int_equal(w.g.hz, 49);
	/* A share is of one CPU for every two. */
	governor_init(&w.g, 10000, 64, 19, w.now_ns, w.used_ns);
	assert_int_equal(w.g.limit_ppm, 320000);
	governor_init(&w.g, 10000, 1, 19, w.now_ns, w.used_ns);
	assert_int_equal(w.g.limit_ppm, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happens_within_the_limit),
		cmocka_unit_test(lowers_until_it_fits),
		cmocka_unit_test(rises_after_trials),
		cmocka_unit_test(fails_seldom),
		cmocka_unit_test(rises_when_it_can),
		cmocka_unit_test(the_start_is_not_judged),
		cmocka_unit_test(a_peak_is_forgiven),
		cmocka_unit_test(what_cannot_be_kept_is_known),
		cmocka_unit_test(nothing_is_given_up_in_vain),
		cmocka_unit_test(frequencies_are_prime),
		cmocka_unit_test(another_limit),
	};

	return cmocka_run_group_tests_name("governor", tests, NULL, NULL);
}
