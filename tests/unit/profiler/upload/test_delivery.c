// SPDX-License-Identifier: GPL-2.0-or-later
/* Every window within the bounds arrives, in order, none twice without a failure: whatever servers do. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/upload/delivery_status.h"
#include "tests/lib/delivery.h"

#define N    60
#define AWAY 180 /* windows */

/* --- without a failure ------------------------------------------------------------------------------ */

static void every_window_arrives_once(void **state)
{
	struct test t = {.names = {"a", "b"}};
	struct delivery_stats s;

	(void)state;
	begin(&t);
	run_until(&t, (N + 3) * WINDOW_NS, N);
	for (int i = 0; i < 2; i++) {
		assert_all_taken(&t, i, N);
		s = stats_of(&t, (size_t)i);
		assert_int_equal(s.windows, N);
		assert_int_equal(s.requests, t.sim.servers[i].requests);
		assert_int_equal(s.samples, 10 * s.requests);
		assert_int_equal(s.failures + s.retries + s.rejected + s.is_open + s.waiting, 0);
		assert_int_equal(
			s.dropped_age + s.dropped_bytes + s.dropped_gone + s.dropped_refused, 0);
	}
	end(&t);
}

/* --- what people are told --------------------------------------------------------------------------- */

static void away_then_well(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)v;
	out->status = s->now_ns < 30 * WINDOW_NS ? 503 : 200;
}

static struct delivery_status status_of(const char *name)
{
	struct delivery_status s;

	assert_int_equal(delivery_status_load(&s, "store/upload", name), 0);
	return s;
}

static void how_it_stands_is_written_down(void **state)
{
	struct test t = {.names = {"a"}};
	struct delivery_status s;

	(void)state;
	begin(&t);
	t.sim.servers[0].answer = away_then_well;
	assert_int_equal(delivery_status_load(&s, "store/upload", "a"), -ENOENT);
	run_until(&t, 29 * WINDOW_NS, N);
	s = status_of("a");
	assert_false(s.is_well);
	assert_string_equal(s.answer.text, "503 it went wrong");
	assert_in_range(s.windows, 2, 29);
	assert_int_equal(s.oldest_unix_ns / SECOND, T0 / SECOND);
	run_until(&t, (N + 40) * WINDOW_NS, N);
	s = status_of("a");
	assert_true(s.is_well);
	assert_string_equal(s.answer.text, "200 it went wrong");
	t.names[0] = t.sim.servers[0].name =
		"b"; /* of one that is configured no more there is nothing to say */
	crash(&t);
	run_until(&t, (N + 41) * WINDOW_NS, N);
	assert_int_equal(delivery_status_load(&s, "store/upload", "a"), -ENOENT);
	end(&t);
}

static int pack_with_labels(const struct upload_target *t, const struct upload_item *item,
			    struct upload_requests *out, struct why *why)
{
	assert_non_null(item->labels);
	assert_string_equal(item->labels[0], "env");
	assert_null(item->labels[1]);
	return sim_pack(t, item, out, why);
}

static void labels_of_the_configuration_go_with_each_window(void **state)
{
	static const struct upload_kind kind = {
		.name = "sim", .pack = pack_with_labels, .judge = sim_judge};
	struct test t = {
		.names = {"a"}, .kind = &kind, .labels = (const char *const[]){"env", NULL}};

	(void)state;
	begin(&t);
	run_until(&t, 5 * WINDOW_NS, 3);
	assert_all_taken(&t, 0, 3);
	end(&t);
}

static void what_it_is_caught_up_with_is_paced(void **state)
{
	struct test t = {.names = {"a"}};
	uint64_t ns;

	(void)state;
	t.sim.body_bytes = 100 << 10;
	t.sim.parts = 1;
	begin(&t);
	for (; t.written < N; t.written++)
		append(&t, t.written);
	run_until(&t, 3 * WINDOW_NS, N);
	assert_all_taken(&t, 0, N);
	ns = t.sim.servers[0].last_ns - t.sim.servers[0].first_ns;
	assert_true(t.sim.servers[0].bytes * NS_PER_S / ns < 1 << 20);
	end(&t);
}

static void who_is_new_begins_with_what_comes(void **state)
{
	struct test t = {.names = {"a"}};
	uint64_t twice;

	(void)state;
	begin(&t);
	run_until(&t, 20 * WINDOW_NS, N);
	t.names[1] = t.sim.servers[1].name = "b";
	crash(&t);
	run_until(&t, (N + 3) * WINDOW_NS, N);
	assert_all_taken(&t, 0, N);
	assert_in_range(count_taken(&t, 1, N, &twice), N - 22, N - 19);
	assert_int_equal(twice, 0);
	end(&t);
}

static void two_of_one_name_are_refused(void **state)
{
	struct test t = {.names = {"a"}};
	struct upload_target *target = sim_target(&sim_kind, "a");
	struct why why = {""};

	(void)state;
	begin(&t);
	assert_int_equal(delivery_add(t.delivery, target, NULL, &why), -EEXIST);
	assert_non_null(strstr(why.text, "\"a\""));
	upload_target_free(target);
	end(&t);
}

static void two_processes_are_refused(void **state)
{
	struct test t = {.names = {"a"}}, other = {.names = {"a"}};

	(void)state;
	begin(&t);
	assert_int_equal(start_delivery(&other), -EBUSY);
	assert_null(other.delivery);
	end(&t);
}

/* --- failures --------------------------------------------------------------------------------------- */

static void stalls(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	(void)v;
	out->delay_ns = 60 * NS_PER_S;
	out->err = -ETIMEDOUT;
}

static void who_stalls_holds_up_nobody(void **state)
{
	struct test t = {.names = {"a", "b"}};

	(void)state;
	t.sim.servers[0].answer = stalls;
	begin(&t);
	for (int64_t i = 0; i < N; i++) {
		run_until(&t, (uint64_t)(i + 3) * WINDOW_NS, N);
		assert_true(t.sim.servers[1].taken[i][0]);
	}
	assert_all_taken(&t, 1, N);
	assert_int_equal(stats_of(&t, 0).windows, 0);
	assert_true(stats_of(&t, 0).is_open);
	assert_int_equal(stats_of(&t, 0).waiting, N);
	assert_true(stats_of(&t, 0).lag_ns >= N * WINDOW_NS);
	t.sim.servers[0].answer = NULL;
	run_until(&t, (uint64_t)(N + 60) * WINDOW_NS, N);
	assert_all_taken(&t, 0, N);
	assert_false(stats_of(&t, 0).is_open);
	end(&t);
}

/* Half an hour of it, and then everything arrives. How often it is asked meanwhile is bounded. */
static void away_with(struct sim_answer answer, uint64_t least, uint64_t most);
static struct sim_answer always_answer;

static void always(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	(void)v;
	*out = always_answer;
}

static void away_with(struct sim_answer answer, uint64_t least, uint64_t most)
{
	struct test t = {.names = {"a"}};

	fixture_run("rm -rf store");
	always_answer = answer;
	t.sim.servers[0].answer = always;
	begin(&t);
	run_until(&t, AWAY * WINDOW_NS, AWAY);
	assert_in_range(t.sim.servers[0].requests, least, most);
	assert_int_equal(stats_of(&t, 0).windows, 0);
	t.sim.servers[0].answer = NULL;
	run_until(&t, (AWAY + 90) * WINDOW_NS, AWAY);
	assert_all_taken(&t, 0, AWAY);
	assert_int_equal(stats_of(&t, 0).windows, AWAY);
	assert_int_equal(stats_of(&t, 0).dropped_refused + stats_of(&t, 0).dropped_age, 0);
	end(&t);
}

static void servers_that_are_away_get_everything_later(void **state)
{
	(void)state;
	away_with((struct sim_answer){.err = -ECONNREFUSED}, 10, 60);
	away_with((struct sim_answer){.err = -EIO, .delay_ns = NS_PER_S}, 10, 60);
	away_with((struct sim_answer){.status = 503}, 10, 60);
	away_with((struct sim_answer){.status = 429}, 10, 60);
	away_with((struct sim_answer){.status = 429, .retry_after_s = 600}, 3, 4);
	away_with((struct sim_answer){.status = 401}, 4, 9);
}

static void what_is_refused_is_dropped_and_counted(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	t.sim.parts = 2;
	always_answer = (struct sim_answer){.status = 400};
	t.sim.servers[0].answer = always;
	begin(&t);
	run_until(&t, 10 * WINDOW_NS, 10);
	run_until(&t, 13 * WINDOW_NS, 10);
	assert_int_equal(stats_of(&t, 0).dropped_refused, 10);
	assert_int_equal(stats_of(&t, 0).rejected, 10 * 2 * 10);
	assert_int_equal(stats_of(&t, 0).windows, 0);
	assert_int_equal(t.sim.servers[0].requests, 20); /* each part once */
	end(&t);
}

static void to_every_third(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	if (v->asked % 3 == 1)
		always(s, v, out);
}

/* Bare 500s, or garbage, may be the data's fault. */
static const struct sim_answer odd_answers[] = {{.status = 500}, {.status = 200, .body = "<html>"}};

static void begin_odd(struct test *t, size_t which,
		      void (*answer)(struct sim *s, struct sim_server *v, struct sim_answer *out))
{
	fixture_run("rm -rf store");
	t->sim.parts = 1;
	always_answer = odd_answers[which];
	t->sim.servers[0].answer = answer;
	begin(t);
}

static void what_may_be_the_datas_fault_is_tried_a_few_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test t = {.names = {"a"}};

		begin_odd(&t, i, to_every_third);
		run_until(&t, 100 * WINDOW_NS, 15);
		assert_int_equal(stats_of(&t, 0).windows, 10);
		assert_int_equal(stats_of(&t, 0).dropped_refused, 5);
		assert_int_equal(t.sim.servers[0].requests, 10 + 5 * 5);
		assert_int_equal(stats_of(&t, 0).retries, 5 * 4);
		end(&t);
	}
}

static void a_server_that_says_so_of_everything_is_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test t = {.names = {"a"}};

		begin_odd(&t, i, always);
		run_until(&t, AWAY * WINDOW_NS, AWAY);
		assert_in_range(t.sim.servers[0].requests, 10, 60);
		t.sim.servers[0].answer = NULL;
		run_until(&t, (AWAY + 90) * WINDOW_NS, AWAY);
		assert_in_range(stats_of(&t, 0).dropped_refused, 1, 3);
		assert_int_equal(stats_of(&t, 0).windows + stats_of(&t, 0).dropped_refused, AWAY);
		end(&t);
	}
}

/* Three times no, and then yes, to each part for itself. */
static void at_the_fourth_time(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	out->status = v->requests % 4 ? 500 : 200;
}

static void each_request_is_tried_a_few_times(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	t.sim.parts = 3;
	t.sim.servers[0].answer = at_the_fourth_time;
	begin(&t);
	run_until(&t, 100 * WINDOW_NS, 2);
	assert_all_taken(&t, 0, 2);
	assert_int_equal(stats_of(&t, 0).dropped_refused, 0);
	end(&t);
}

/* Agents that are started at once, while windows wait, do not send at once. */
static void agents_do_not_begin_at_once(void **state)
{
	uint64_t after_s[8], begun_ns;
	unsigned same = 0;

	(void)state;
	always_answer = (struct sim_answer){.err = -ECONNREFUSED};
	for (uint64_t i = 0; i < 8; i++) {
		struct test t = {.names = {"a"}};

		fixture_run("rm -rf store");
		t.sim.parts = 1;
		t.sim.servers[0].answer = always;
		begin(&t);
		run_until(&t, 4 * WINDOW_NS, 3);
		t.sim.servers[0].answer = NULL;
		t.sim.seed = i;
		begun_ns = t.sim.now_ns;
		crash(&t);
		run_until(&t, 6 * WINDOW_NS, 3);
		assert_all_taken(&t, 0, 3);
		after_s[i] = (t.sim.servers[0].first_ns - begun_ns) / NS_PER_S;
		for (uint64_t j = 0; j < i; j++)
			same += after_s[i] == after_s[j];
		end(&t);
	}
	assert_true(same < 15); /* of 28 pairs */
}

static void take_in_part(struct test *t, unsigned status, unsigned rejected)
{
	t->sim.parts = 1;
	always_answer = (struct sim_answer){.status = status};
	t->sim.servers[0].answer = always;
	begin(t);
	run_until(t, 23 * WINDOW_NS, 20);
	assert_int_equal(stats_of(t, 0).rejected, 20 * rejected);
	assert_int_equal(stats_of(t, 0).samples, 20 * (10 - rejected));
}

static void what_is_taken_in_part_is_not_sent_again(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	take_in_part(&t, 206, 3);
	assert_all_taken(&t, 0, 20);
	end(&t);
}

static void no_server_rejects_more_than_it_was_sent(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	take_in_part(&t, 207, 10);
	end(&t);
}

/* --- bounds ----------------------------------------------------------------------------------------- */

static void what_is_too_old_is_dropped_the_oldest_first(void **state)
{
	struct test t = {.names = {"a"}, .bounds = {.max_age_ns = 60 * WINDOW_NS}};
	uint64_t twice, taken;

	(void)state;
	always_answer = (struct sim_answer){.status = 503};
	t.sim.servers[0].answer = always;
	begin(&t);
	run_until(&t, 100 * WINDOW_NS, 100);
	t.sim.servers[0].answer = NULL;
	run_until(&t, 140 * WINDOW_NS, 100);
	taken = count_taken(&t, 0, 100, &twice);
	assert_in_range(taken, 1, 61);
	assert_true(t.sim.servers[0].taken[99][0]);
	assert_false(t.sim.servers[0].is_unordered);
	assert_int_equal(stats_of(&t, 0).dropped_age, 100 - taken);
	assert_int_equal(stats_of(&t, 0).windows, taken);
	end(&t);
}

/* What the server would refuse as too old is not sent. */
static void a_kind_may_have_a_bound_of_its_own(void **state)
{
	struct test t = {.names = {"a"}, .kind = &sim_hour_kind};
	uint64_t twice, taken;

	(void)state;
	always_answer = (struct sim_answer){.err = -ECONNREFUSED};
	t.sim.servers[0].answer = always;
	begin(&t);
	run_until(&t, 720 * WINDOW_NS, 720);
	t.sim.servers[0].answer = NULL;
	run_until(&t, 760 * WINDOW_NS, 720);
	taken = count_taken(&t, 0, 720, &twice);
	assert_in_range(taken, 300, 360);
	assert_int_equal(stats_of(&t, 0).dropped_age, 720 - taken);
	end(&t);
}

static void what_is_too_much_is_dropped_the_oldest_first(void **state)
{
	struct test t = {.names = {"a"}, .bounds = {.max_bytes = 100 << 10}};
	struct delivery_stats s;
	uint64_t twice, taken;

	(void)state;
	begin(&t);
	for (; t.written < 200; t.written++)
		append(&t, t.written);
	run_until(&t, 5 * WINDOW_NS, 200);
	s = stats_of(&t, 0);
	taken = count_taken(&t, 0, 200, &twice);
	assert_in_range(taken, 5, 150);
	assert_true(t.sim.servers[0].taken[199][0]);
	assert_false(t.sim.servers[0].is_unordered);
	assert_int_equal(s.dropped_bytes, 200 - taken);
	end(&t);
}

/* For a while nobody knows how old anything is. */
static void a_clock_that_is_set_drops_nothing(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	t.sim.parts = 1;
	always_answer = (struct sim_answer){.err = -ECONNREFUSED};
	t.sim.servers[0].answer = always;
	begin(&t);
	run_until(&t, 20 * WINDOW_NS, 20);
	t.sim.unix_offset_ns = 10000 * HOUR;
	t.sim.servers[0].answer = NULL;
	run_until(&t, 60 * WINDOW_NS, 20);
	assert_all_taken(&t, 0, 20);
	t.sim.unix_offset_ns = -1000 * HOUR;
	run_until(&t, 100 * WINDOW_NS, 40);
	assert_all_taken(&t, 0, 40);
	assert_int_equal(stats_of(&t, 0).dropped_age, 0);
	end(&t);
}

/* A machine that slept knows how old everything is. */
static void a_machine_that_slept_drops_what_is_too_old(void **state)
{
	struct test t = {.names = {"a"}};

	(void)state;
	always_answer = (struct sim_answer){.err = -ECONNREFUSED};
	t.sim.servers[0].answer = always;
	begin(&t);
	run_until(&t, 20 * WINDOW_NS, 20);
	t.sim.slept_ns = 48 * 3600 * NS_PER_S;
	t.sim.servers[0].answer = NULL;
	run_until(&t, 80 * WINDOW_NS, 20);
	assert_int_equal(stats_of(&t, 0).dropped_age, 20);
	end(&t);
}

/* --- ends and beginnings ---------------------------------------------------------------------------- */

static void a_cursor_without_room_stops_nothing(void **state)
{
	struct test t = {.names = {"a"}};
	uint64_t twice;

	(void)state;
	begin(&t);
	run_until(&t, 10 * WINDOW_NS, N);
	fixture_run("mkdir store/upload/a.tmp");
	run_until(&t, 30 * WINDOW_NS, N);
	assert_true(stats_of(&t, 0).cursor_errors > 10);
	assert_true(stats_of(&t, 0).windows > 25);
	crash(&t);
	fixture_run("rmdir store/upload/a.tmp");
	run_until(&t, (N + 10) * WINDOW_NS, N);
	assert_int_equal(count_taken(&t, 0, N, &twice), N);
	assert_in_range(twice, 1, 60);
	end(&t);
}

static void a_damaged_cursor_loses_nothing(void **state)
{
	struct test t = {.names = {"a"}};
	uint64_t twice;

	(void)state;
	begin(&t);
	run_until(&t, 20 * WINDOW_NS, N);
	delivery_free(t.delivery);
	fixture_run("echo x >store/upload/a.cursor");
	assert_int_equal(start_delivery(&t), 0);
	run_until(&t, (N + 5) * WINDOW_NS, N);
	assert_int_equal(count_taken(&t, 0, N, &twice), N);
	assert_in_range(twice, 1, 48);
	end(&t);
}

static void who_comes_back_goes_on(void **state)
{
	struct test t = {.names = {"a", "b"}};

	(void)state;
	begin(&t);
	run_until(&t, 20 * WINDOW_NS, N);
	t.names[1] = NULL;
	crash(&t);
	run_until(&t, 40 * WINDOW_NS, N);
	fixture_run("test -e store/upload/b.removed && test ! -e store/upload/b.cursor");
	t.names[1] = "b";
	crash(&t);
	run_until(&t, (N + 10) * WINDOW_NS, N);
	assert_all_taken(&t, 0, N);
	assert_all_taken(&t, 1, N);
	end(&t);
}

/* One that is configured and cannot be reached for want of a file is not one that was removed. */
static void who_is_only_known_keeps_its_cursor(void **state)
{
	struct test t = {.names = {"a", "b"}};

	(void)state;
	begin(&t);
	run_until(&t, 20 * WINDOW_NS, N);
	t.names[1] = NULL;
	crash(&t);
	assert_int_equal(delivery_know(t.delivery, "b"), 0);
	run_until(&t, 40 * WINDOW_NS, N);
	fixture_run("test -e store/upload/b.cursor");
	end(&t);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_window_arrives_once),
		CASE(how_it_stands_is_written_down),
		CASE(labels_of_the_configuration_go_with_each_window),
		CASE(what_it_is_caught_up_with_is_paced),
		CASE(who_is_new_begins_with_what_comes),
		CASE(two_of_one_name_are_refused),
		CASE(two_processes_are_refused),
		CASE(who_stalls_holds_up_nobody),
		CASE(servers_that_are_away_get_everything_later),
		CASE(what_is_refused_is_dropped_and_counted),
		CASE(what_may_be_the_datas_fault_is_tried_a_few_times),
		CASE(a_server_that_says_so_of_everything_is_away),
		CASE(each_request_is_tried_a_few_times),
		CASE(agents_do_not_begin_at_once),
		CASE(what_is_taken_in_part_is_not_sent_again),
		CASE(no_server_rejects_more_than_it_was_sent),
		CASE(what_is_too_old_is_dropped_the_oldest_first),
		CASE(a_kind_may_have_a_bound_of_its_own),
		CASE(what_is_too_much_is_dropped_the_oldest_first),
		CASE(a_clock_that_is_set_drops_nothing),
		CASE(a_machine_that_slept_drops_what_is_too_old),
		CASE(a_cursor_without_room_stops_nothing),
		CASE(a_damaged_cursor_loses_nothing),
		CASE(who_comes_back_goes_on),
		CASE(who_is_only_known_keeps_its_cursor),
	};

	log_set_level(LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
