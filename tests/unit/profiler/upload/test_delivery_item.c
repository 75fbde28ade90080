// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of windows on their way, by a store that says of each what a test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/profile/profile.h"
#include "profiler/store/spool.h"
#include "tests/lib/delivery.h"

#define BATCH_NS (60 * (int64_t)NS_PER_S)
#define HOUR_NS	 (3600 * (int64_t)NS_PER_S)

/* --- a store ---------------------------------------------------------------------------------------- */

#define MAX_STORED 400

static struct stored {
	int64_t begin_ns;
	uint64_t gone;	 /* windows that were before it */
	bool is_damaged; /* it cannot be given */
	bool is_other;	 /* it has other types of values */
} stored[MAX_STORED];
static int64_t n_stored;
static struct sim *clock_of_store; /* a window is there when it has ended; NULL: all are */

static void store_window(struct stored w)
{
	assert_true(n_stored < MAX_STORED);
	stored[n_stored++] = w;
}

static int64_t n_there(void)
{
	int64_t n = 0;

	while (n < n_stored && (!clock_of_store || stored[n].begin_ns + (int64_t)WINDOW_NS <=
							   sim_unix(clock_of_store)))
		n++;
	return n;
}

/* Instead of those of profiler/store/spool.c: a place is a number of a row. */
struct spool {
	char unused;
};

int spool_open(struct spool **out, struct store *s)
{
	(void)s;
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void spool_close(struct spool *s)
{
	free(s);
}

void spool_hold(struct spool *s)
{
	(void)s;
}

void spool_rest(struct spool *s)
{
	(void)s;
}

int spool_end(struct spool *s, struct spool_place *out)
{
	(void)s;
	*out = (struct spool_place){0};
	return 0;
}

void spool_window_release(struct spool_window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
	*w = (struct spool_window){0};
}

int spool_waiting(struct spool *s, const struct spool_place *at, uint64_t *windows, uint64_t *bytes,
		  int64_t *oldest_ns)
{
	(void)s;
	*windows = (uint64_t)(n_there() - at->row);
	*bytes = 1000 * *windows;
	*oldest_ns = *windows ? stored[at->row].begin_ns : 0;
	return 0;
}

static struct profile *profile_of(const struct stored *w)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(w->is_other ? profile_add_sample_type(p, "alloc", "bytes") : profile_init_cpu(p, 10));
	p->time_ns = w->begin_ns;
	p->duration_ns = WINDOW_NS;
	return p;
}

int spool_next(struct spool *s, const struct spool_place *at, int64_t since_ns,
	       struct spool_window *out, uint64_t *too_old)
{
	int64_t row = at->row, n = n_there();

	(void)s;
	*out = (struct spool_window){.behind = *at};
	for (*too_old = 0; row < n && stored[row].begin_ns < since_ns; row++)
		++*too_old;
	out->behind = (struct spool_place){.segment = 1, .row = row};
	if (row == n)
		return 0;
	out->behind.row = row + 1;
	out->gone = stored[row].gone;
	if (stored[row].is_damaged)
		return -EBADMSG;
	out->profile = profile_of(&stored[row]);
	out->begin_ns = stored[row].begin_ns;
	out->duration_ns = WINDOW_NS;
	out->bytes = 1000;
	out->id[0] = (uint64_t)row;
	out->is_last = row + 1 == n;
	return 1;
}

/* --- items ------------------------------------------------------------------------------------------ */

static struct item {
	int64_t begin_ns, duration_ns;
	bool is_other;
} items[MAX_STORED];
static size_t n_items;
static bool refuses;   /* no item can be packed */
static bool asks_anew; /* after each answer that is not a good one */

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	struct upload_request r = {.method = "POST"};
	const struct profile *p = item->profile;

	if (refuses)
		return why_say(why, -EINVAL, "it cannot be packed");
	assert_true(n_items < MAX_STORED);
	assert_true(asprintf(&r.url, "%s/%s,%zu,0", t->base, t->name, n_items) > 0);
	items[n_items++] = (struct item){p->time_ns, p->duration_ns, p->sample_types.len == 1};
	return vec_push(&out->v, r);
}

static void settle(const struct upload_target *t, const struct upload_request *r,
		   const struct net_answer *a, struct upload_judgement *out)
{
	(void)t;
	(void)r;
	(void)a;
	out->repack = asks_anew && out->verdict != UPLOAD_DELIVERED;
}

static const struct upload_kind each = {
	.name = "sim", .pack = pack, .judge = sim_judge, .settle = settle};
static const struct upload_kind hourly = {
	.name = "sim", .pack = pack, .judge = sim_judge, .max_age_ns = HOUR_NS};
static const struct upload_kind soon = {
	.name = "sim", .pack = pack, .judge = sim_judge, .max_age_ns = 200 * NS_PER_S};
static const struct upload_kind batches = {
	.name = "sim", .pack = pack, .judge = sim_judge, .batch_ns = BATCH_NS};

static void begin_with(struct test *t, const struct upload_kind *kind)
{
	log_set_level(LOG_QUIET);
	*t = (struct test){.names = {"a"}, .kind = kind};
	t->sim.parts = 1;
	n_stored = 0;
	n_items = 0;
	refuses = asks_anew = false;
	clock_of_store = NULL;
	begin(t);
}

/* Runs for so long. What was sent or dropped so far. */
static struct delivery_stats run_for(struct test *t, uint64_t ns)
{
	run_until(t, t->sim.now_ns + ns, 0);
	return stats_of(t, 0);
}

/* --- one at a time ---------------------------------------------------------------------------------- */

/* Whatever is done with the window behind them. */
static void windows_that_are_gone_are_counted(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_with(&t, &each);
	store_window((struct stored){T0});
	store_window((struct stored){T0 + 10 * SECOND, .gone = 3});
	store_window((struct stored){T0 + 20 * SECOND, .is_damaged = true});
	store_window((struct stored){T0 + 30 * SECOND, .gone = 20, .is_damaged = true});
	store_window((struct stored){T0 + 40 * SECOND});
	s = run_for(&t, 10 * WINDOW_NS);
	assert_int_equal(s.windows, 3);
	assert_int_equal(s.dropped_gone, 3 + 1 + 20 + 1);
	assert_int_equal(s.dropped_refused + s.dropped_age + s.waiting, 0);
	refuses = true;
	store_window((struct stored){T0 + 50 * SECOND, .gone = 100});
	s = run_for(&t, 10 * WINDOW_NS);
	assert_int_equal(s.windows, 3);
	assert_int_equal(s.dropped_refused, 1);
	assert_int_equal(s.dropped_gone, 25 + 100);
	end(&t);
}

static void says_no(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	(void)v;
	out->status = 500;
}

/* It is not tried for ever because it is packed anew each time. */
static void tries_are_those_of_all_times_that_it_is_packed(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_with(&t, &each);
	store_window((struct stored){T0});
	asks_anew = true;
	t.sim.servers[0].answer = says_no;
	s = run_for(&t, 100 * WINDOW_NS);
	assert_int_equal(s.requests, 5);
	assert_int_equal(n_items, 5);
	assert_int_equal(s.dropped_refused, 1);
	assert_int_equal(s.waiting, 0);
	end(&t);
}

static void takes_long_once(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	out->delay_ns = v->requests == 1 ? 45 * NS_PER_S : 0;
}

/* It was the last one when it was taken; those that have come meanwhile follow at once. */
static void who_takes_long_goes_on_with_what_has_come(void **state)
{
	struct test t;
	int64_t there;

	(void)state;
	begin_with(&t, &each);
	clock_of_store = &t.sim;
	for (int i = 0; i < 10; i++)
		store_window((struct stored){T0 + i * 10 * SECOND});
	t.sim.servers[0].answer = takes_long_once;
	while (!t.sim.servers[0].taken[0][0])
		turn(&t, 0);
	there = n_there();
	assert_true(there >= 4);
	assert_int_equal(stats_of(&t, 0).windows, 1);
	assert_true((int64_t)run_for(&t, NS_PER_S).windows >= there);
	end(&t);
}

/* A request takes its time: what a server would refuse as too old when it comes is not sent. */
static void what_is_nearly_too_old_is_not_sent(void **state)
{
	static const struct {
		const struct upload_kind *kind;
		uint64_t max_age_s; /* as configured */
		int64_t most_s;	    /* what is sent is so old */
	} cases[] = {
		{&hourly, 0, 3600 - 120}, {&hourly, 600, 600}, {&hourly, 3550, 3600 - 120},
		{&soon, 0, 200},	  {&each, 0, 86400},   {&each, 100000, 100000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t most_ns = cases[i].most_s * SECOND;
		struct delivery_stats s;
		struct test t;

		fixture_run("rm -rf store");
		begin_with(&t, cases[i].kind);
		delivery_free(t.delivery);
		t.bounds.max_age_ns = cases[i].max_age_s * NS_PER_S;
		assert_int_equal(start_delivery(&t), 0);
		/* They are looked at within two windows. */
		store_window((struct stored){T0 - most_ns});
		store_window((struct stored){T0 - most_ns + 40 * SECOND});
		s = run_for(&t, 3 * WINDOW_NS);
		assert_int_equal(s.dropped_age, 1);
		assert_int_equal(s.windows, 1);
		end(&t);
	}
}

/* --- several as one --------------------------------------------------------------------------------- */

static void windows_that_are_gone_are_counted_in_batches(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_with(&t, &batches);
	store_window((struct stored){T0, .gone = 1});
	store_window((struct stored){T0 + 10 * SECOND, .gone = 2});
	store_window((struct stored){T0 + 20 * SECOND, .gone = 4});
	store_window((struct stored){T0 + 60 * SECOND, .gone = 8});
	s = run_for(&t, 40 * WINDOW_NS);
	assert_int_equal(s.windows, 4);
	assert_int_equal(n_items, 2);
	assert_int_equal(s.dropped_gone, 1 + 2 + 4 + 8);
	end(&t);
}

/* They cannot be merged, and each is sent. */
static void windows_of_other_values_are_another_batch(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_with(&t, &batches);
	for (int i = 0; i < 6; i++)
		store_window((struct stored){T0 + i * 10 * SECOND, .is_other = i == 2 || i == 3});
	s = run_for(&t, 60 * WINDOW_NS);
	assert_int_equal(s.windows, 6);
	assert_int_equal(s.dropped_refused, 0);
	assert_int_equal(n_items, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(items[i].begin_ns, T0 + (int64_t)i * 20 * SECOND);
		assert_int_equal(items[i].duration_ns, 20 * SECOND);
		assert_int_equal(items[i].is_other, i == 1);
	}
	end(&t);
}

/* How much is in memory at once has a bound, whatever is configured. */
static void a_batch_is_bounded(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_with(&t, &batches);
	delivery_free(t.delivery);
	t.bounds.batch_ns = HOUR_NS;
	assert_int_equal(start_delivery(&t), 0);
	for (int i = 0; i < 300; i++)
		store_window((struct stored){T0 - HOUR_NS + i * 10 * SECOND});
	store_window((struct stored){T0});
	s = run_for(&t, 3 * (uint64_t)HOUR_NS);
	assert_int_equal(s.windows, 301);
	assert_int_equal(n_items, 4);
	assert_int_equal(items[0].duration_ns, 128 * 10 * SECOND);
	assert_int_equal(items[1].duration_ns, 128 * 10 * SECOND);
	assert_int_equal(items[2].duration_ns, 44 * 10 * SECOND);
	end(&t);
}

/* What waits for a time of day does not wait for hours when that is far away at once. */
static void a_clock_that_goes_back_holds_up_no_batch(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_with(&t, &batches);
	store_window((struct stored){T0});
	assert_int_equal(run_for(&t, 4 * WINDOW_NS).windows, 0);
	t.sim.unix_offset_ns = -5 * HOUR_NS;
	store_window((struct stored){T0 + 70 * SECOND});
	s = run_for(&t, 20 * WINDOW_NS);
	assert_int_equal(s.windows, 1);
	end(&t);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(windows_that_are_gone_are_counted),
		CASE(tries_are_those_of_all_times_that_it_is_packed),
		CASE(who_takes_long_goes_on_with_what_has_come),
		CASE(what_is_nearly_too_old_is_not_sent),
		CASE(windows_that_are_gone_are_counted_in_batches),
		CASE(windows_of_other_values_are_another_batch),
		CASE(a_batch_is_bounded),
		CASE(a_clock_that_goes_back_holds_up_no_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
