// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows that are sent as one: the same ones whenever they are put together, and none of two days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/profile/profile.h"
#include "tests/lib/delivery.h"

#define N	   60
#define BATCH_NS   (60 * (int64_t)NS_PER_S)
#define DAY_NS	   (86400 * (int64_t)NS_PER_S)
#define MAX_PACKED 1000

/* What was packed, one after the other. */
static struct packed {
	int64_t begin_ns, duration_ns, weight;
	uint64_t id;
} packed[MAX_PACKED];
static size_t n_packed;
static bool asks_first; /* each item, by a request of its own */
static bool has_asked;

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	struct upload_request r = {.method = "POST", .step = asks_first && !has_asked};
	const struct profile *p = item->profile;

	(void)why;
	assert_true(n_packed < MAX_PACKED);
	packed[n_packed++] = (struct packed){p->time_ns, p->duration_ns, profile_weight(p),
					     hash_mix(item->id[0], item->id[1])};
	assert_true(asprintf(&r.url, "%s/%s,%ld,%d", t->base, t->name,
			     (long)((p->time_ns - T0) / (10 * SECOND) % 1000), r.step) > 0);
	return vec_push(&out->v, r);
}

static void settle(const struct upload_target *t, const struct upload_request *r,
		   const struct net_answer *a, struct upload_judgement *out)
{
	(void)t;
	(void)a;
	if (out->verdict == UPLOAD_DELIVERED)
		has_asked = r->step;
	out->repack = r->step;
}

static const struct upload_kind batch_kind = {
	.name = "sim", .pack = pack, .judge = sim_judge, .settle = settle, .batch_ns = BATCH_NS};

static void begin_batches(struct test *t)
{
	log_set_level(LOG_QUIET);
	*t = (struct test){.names = {"a"}, .kind = &batch_kind};
	t->sim.parts = 1;
	n_packed = 0;
	asks_first = has_asked = false;
	begin(t);
}

/* Each of the first n windows is in one item, and each item within a minute. */
static void assert_packed(size_t from, int64_t n)
{
	int64_t covered_ns = 0, before = INT64_MIN;

	for (size_t i = from; i < n_packed; i++) {
		const struct packed *k = &packed[i];

		assert_true(k->begin_ns > before);
		before = k->begin_ns;
		covered_ns += k->duration_ns;
		assert_int_equal(k->begin_ns / BATCH_NS,
				 (k->begin_ns + k->duration_ns - 1 - 9 * SECOND) / BATCH_NS);
	}
	assert_int_equal(covered_ns, n * (int64_t)WINDOW_NS);
}

static void windows_of_a_minute_are_one_item(void **state)
{
	struct test t;
	struct delivery_stats s;

	(void)state;
	begin_batches(&t);
	run_until(&t, (N + 20) * WINDOW_NS, N);
	s = stats_of(&t, 0);
	assert_int_equal(s.windows, N);
	assert_int_equal(s.waiting, 0);
	assert_in_range(s.requests, N / 6, N / 6 + 1);
	assert_int_equal(n_packed, s.requests);
	assert_packed(0, N);
	end(&t);
}

/* It is not sent before it is complete, and read seldom. */
static void it_waits_until_none_can_come(void **state)
{
	struct test t;

	(void)state;
	begin_batches(&t);
	run_until(&t, 5 * WINDOW_NS, 2);
	assert_int_equal(n_packed, 0);
	assert_int_equal(stats_of(&t, 0).windows, 0);
	assert_int_equal(stats_of(&t, 0).waiting, 2);
	/* No more windows come, and it is sent nevertheless. */
	run_until(&t, 30 * WINDOW_NS, 2);
	assert_int_equal(stats_of(&t, 0).windows, 2);
	assert_packed(0, 2);
	end(&t);
}

static void a_restart_makes_the_same_items(void **state)
{
	struct packed first[MAX_PACKED];
	struct test t;
	size_t n;

	(void)state;
	begin_batches(&t);
	for (; t.written < N; t.written++)
		append(&t, t.written);
	t.sim.servers[0].answer = NULL;
	run_until(&t, (N + 20) * WINDOW_NS, N);
	n = n_packed;
	memcpy(first, packed, sizeof(packed));
	/* Its cursor is lost: everything is put together again. */
	delivery_free(t.delivery);
	t.delivery = NULL;
	fixture_run("echo x >store/upload/a.cursor");
	n_packed = 0;
	assert_int_equal(start_delivery(&t), 0);
	run_until(&t, 2 * (N + 20) * WINDOW_NS, N);
	assert_int_equal(n_packed, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(packed[i].id, first[i].id);
		assert_int_equal(packed[i].begin_ns, first[i].begin_ns);
		assert_int_equal(packed[i].weight, first[i].weight);
	}
	end(&t);
}

static void no_item_is_of_two_days(void **state)
{
	struct test t;

	(void)state;
	begin_batches(&t);
	/* A piece that does not divide a day. */
	delivery_free(t.delivery);
	t.delivery = NULL;
	t.bounds.batch_ns = 7 * 60 * NS_PER_S;
	assert_int_equal(start_delivery(&t), 0);
	t.sim.now_ns = (uint64_t)(DAY_NS - T0 % DAY_NS) - 20 * WINDOW_NS;
	t.written = (int64_t)(t.sim.now_ns / WINDOW_NS);
	run_until(&t, t.sim.now_ns + 300 * WINDOW_NS, INT64_MAX);
	assert_true(n_packed > 4);
	for (size_t i = 0; i < n_packed; i++)
		assert_int_equal(packed[i].begin_ns / DAY_NS,
				 (packed[i].begin_ns + packed[i].duration_ns - 1 - 9 * SECOND) /
					 DAY_NS);
	end(&t);
}

/* A question is answered, and the same item is packed again: counted once. */
static void an_item_that_is_packed_again(void **state)
{
	struct delivery_stats s;
	struct test t;

	(void)state;
	begin_batches(&t);
	asks_first = true;
	run_until(&t, (N + 20) * WINDOW_NS, N);
	s = stats_of(&t, 0);
	assert_int_equal(s.windows, N);
	assert_int_equal(s.requests, n_packed);
	assert_in_range(n_packed, 2 * N / 6, 2 * N / 6 + 2);
	for (size_t i = 0; i + 1 < n_packed; i += 2)
		assert_int_equal(packed[i].id, packed[i + 1].id);
	end(&t);
}

static void fails_once(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	out->status = v->requests % 3 ? 503 : 200;
}

static void what_fails_waits_and_is_counted_once(void **state)
{
	struct test t;

	(void)state;
	begin_batches(&t);
	asks_first = true;
	t.sim.servers[0].answer = fails_once;
	run_until(&t, (N + 120) * WINDOW_NS, N);
	assert_int_equal(stats_of(&t, 0).windows, N);
	assert_int_equal(stats_of(&t, 0).waiting, 0);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(windows_of_a_minute_are_one_item, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(it_waits_until_none_can_come, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_restart_makes_the_same_items, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(no_item_is_of_two_days, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(an_item_that_is_packed_again, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(what_fails_waits_and_is_counted_once, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
