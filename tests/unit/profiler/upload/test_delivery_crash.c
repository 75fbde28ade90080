// SPDX-License-Identifier: GPL-2.0-or-later
/* Every window arrives, in order, wherever the process ends, and whatever becomes of the store meanwhile. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/store/maintain.h"
#include "profiler/store/store_internal.h"
#include "tests/lib/delivery.h"

static struct sim_answer always_answer;

static void always(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	(void)v;
	*out = always_answer;
}

static struct moment late_clock(void)
{
	return (struct moment){T0 + 6 * HOUR, 6 * HOUR};
}

/* An outage over hours, while they are compacted. */
static void compaction_loses_nothing(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	begin(&t);
	t.store->clock = late_clock;
	run_until(&t, 100 * WINDOW_NS, 900);
	always_answer = (struct sim_answer){.err = -ECONNREFUSED};
	t.sim.servers[0].answer = always;
	run_until(&t, 400 * WINDOW_NS, 900);
	while (maintain(t.store, late_clock()) > 0)
		;
	crash(&t);
	run_until(&t, 800 * WINDOW_NS, 900);
	while (maintain(t.store, late_clock()) > 0)
		;
	t.sim.servers[0].answer = NULL;
	run_until(&t, 1000 * WINDOW_NS, 900);
	assert_all_taken(&t, 0, 900);
	assert_int_equal(stats_of(&t, 0).dropped_gone, 0);
	end(&t);
}

/* --- everything at once ----------------------------------------------------------------------------- */

static void at_random(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	static const struct sim_answer failures[] = {
		{.err = -ECONNREFUSED},
		{.err = -EIO},
		{.err = -EIO, .is_taken = true},
		{.err = -ETIMEDOUT, .delay_ns = 60 * NS_PER_S},
		{.err = -ETIMEDOUT, .delay_ns = 60 * NS_PER_S, .is_taken = true},
		{.status = 429},
		{.status = 429, .retry_after_s = 3},
		{.status = 503, .delay_ns = NS_PER_S},
		{.status = 401},
	};
	uint64_t r = sim_chance(s);

	(void)v;
	if (r % 100 < 60)
		*out = (struct sim_answer){.status = 200, .delay_ns = r >> 32};
	else
		*out = failures[(r >> 8) % (sizeof(failures) / sizeof(*failures))];
}

/* A part may come twice for each answer that was lost, and the parts before it for each crash. */
static void run_at_random(uint64_t seed)
{
	struct test t = {.names = {"a", "b", "c"}};
	uint64_t twice, crashes = 0;
	int64_t n = 300;

	fixture_run("rm -rf store");
	t.sim.seed = seed;
	for (int i = 0; i < 3; i++)
		t.sim.servers[i].answer = at_random;
	begin(&t);
	while (t.sim.now_ns < 400 * WINDOW_NS) {
		turn(&t, n);
		if (sim_chance(&t.sim) % 100 < 2) {
			crash(&t);
			crashes++;
		}
	}
	for (int i = 0; i < 3; i++)
		t.sim.servers[i].answer = NULL;
	run_until(&t, 600 * WINDOW_NS, n);
	for (int i = 0; i < 3; i++) {
		const struct sim_server *v = &t.sim.servers[i];

		assert_int_equal(count_taken(&t, i, n, &twice), n);
		assert_true(twice <= v->failures + crashes * PARTS);
		assert_false(v->is_unordered);
		assert_true(v->busy <= 1);
	}
	assert_true(crashes > 5);
	end(&t);
}

static void whatever_happens_everything_arrives_in_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		run_at_random(seed);
}

#define WINDOWS 60

static void is_away(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	(void)v;
	out->status = 503;
}

static bool is_a(void *ctx, const char *name)
{
	(void)ctx;
	return !strcmp(name, "a");
}

/* Its directory was moved, and another one is at its path: what waited is counted, and what came is sent. */
static void the_store_is_another_one(void **state)
{
	struct test t = {.names = {"a", "b"}, .has_begun = is_a};
	uint64_t twice, gone;

	(void)state;
	begin(&t);
	run_until(&t, 10 * WINDOW_NS, 10);
	t.sim.servers[0].answer = is_away;
	run_until(&t, 20 * WINDOW_NS, 18);
	delivery_leave(t.delivery);
	assert_int_equal(stats_of(&t, 0).dropped_gone, 0);
	fixture_run("mv store moved");
	delivery_leave(t.delivery);
	gone = stats_of(&t, 0).dropped_gone;
	assert_int_equal(gone + count_taken(&t, 0, WINDOWS, &twice), 18);
	assert_int_equal(stats_of(&t, 1).dropped_gone, 0);
	store_close(t.store);
	t.store = open_store("store", &writing);
	delivery_free(t.delivery);
	for (; t.written < 24; t.written++)
		append(&t, t.written);
	t.sim.servers[0].answer = NULL;
	assert_int_equal(start_delivery(&t), 0);
	run_until(&t, (WINDOWS + 3) * WINDOW_NS, WINDOWS);
	assert_int_equal(gone + count_taken(&t, 0, WINDOWS, &twice), WINDOWS);
	assert_int_equal(twice, 0);
	assert_int_equal(count_taken(&t, 1, WINDOWS, &twice), WINDOWS - 6); /* new, as it says */
	end(&t);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(compaction_loses_nothing),
		CASE(the_store_is_another_one),
		CASE(whatever_happens_everything_arrives_in_order),
	};

	log_set_level(LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
