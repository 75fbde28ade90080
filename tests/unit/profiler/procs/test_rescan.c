// SPDX-License-Identifier: GPL-2.0-or-later
/* What is read again of /proc, and what happens when too much is. No process has the pids used. */
#include "profiler/procs/rescan.h"

#include <time.h>
#include <unistd.h>

#include "tests/lib/proc_table.h"

#define NOBODY	5000000 /* above every pid (PID_MAX_LIMIT is 4 M) */
#define ENTRIES 16384
#define LONG_NS 60000000000ull

static struct procs *procs;
static struct rescan *rescan;

static void begin(void)
{
	procs = new_table(NULL);
	assert_int_equal(rescan_new(&rescan, procs), 0);
}

static void end(void)
{
	rescan_free(rescan);
	procs_free(procs);
}

static struct rescan_stats stats(void)
{
	struct rescan_stats s;

	rescan_stats(rescan, &s);
	return s;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec;
}

/* Events are lost turn after turn, and reading does not keep up: every process waits once. */
static void test_due_once(void **state)
{
	uint64_t first;

	(void)state;
	begin();
	for (int i = 0; i < 1000; i++)
		procs_comm(procs, 1, NOBODY + i, NOBODY + i, "x", true);
	rescan_want_all(rescan, 5);
	first = stats().waiting;
	assert_true(first >= 1000);
	for (int i = 0; i < 50; i++) {
		rescan_want_all(rescan, 6);
		rescan_want(rescan, NOBODY, 6);
	}
	assert_in_range(stats().waiting, 1, first + 500); /* some have begun meanwhile */
	rescan_run(rescan, LONG_NS);
	assert_true(rescan_is_idle(rescan));
	assert_int_equal(stats().waiting, 0);
	assert_int_equal(stats().full, 0);
	for (int i = 0; i < 1000; i++)
		assert_true(procs_image(procs, NOBODY + i, now_ns())->end_ns != NEVER);
	assert_in_range(stats().gone, 1000, first + 500);
	end();
}

/* Whoever asks first or last: what is found counts from the earliest time on. */
static void test_earliest_time_counts(void **state)
{
	uint64_t early = now_ns();
	size_t n;

	(void)state;
	begin();
	assert_true(rescan_want(rescan, getpid(), early + SEC));
	assert_true(rescan_want(rescan, getpid(), early));
	assert_true(rescan_want(rescan, getpid(), early + 2 * SEC));
	rescan_want_all(rescan, early + 3 * SEC);
	rescan_run(rescan, LONG_NS);
	assert_true(procs_live(procs, getpid(), &n, NULL)[0].since_ns == early);
	end();
}

static void test_queue_is_bounded(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < ENTRIES; i++)
		assert_true(rescan_want(rescan, NOBODY + i, 1));
	assert_int_equal(stats().full, 0);
	assert_false(rescan_want(rescan, NOBODY + ENTRIES, 1));
	assert_false(rescan_want(rescan, NOBODY + ENTRIES, 1));
	assert_true(rescan_want(rescan, NOBODY + 7, 1)); /* is due already */
	assert_int_equal(stats().full, 2);
	assert_int_equal(stats().waiting, ENTRIES);
	/* what was read, and would be left alone for a while, makes room; what is due stays */
	rescan_run(rescan, 1000000);
	assert_in_range(stats().read, 1, ENTRIES - 1);
	assert_true(rescan_is_due(rescan, NOBODY));
	assert_true(rescan_want(rescan, NOBODY + ENTRIES, 1));
	assert_true(rescan_is_due(rescan, NOBODY));
	assert_true(rescan_is_due(rescan, NOBODY + ENTRIES));
	rescan_run(rescan, LONG_NS);
	assert_int_equal(stats().read, ENTRIES + 1);
	for (int i = 0; i < ENTRIES; i++)
		assert_true(rescan_want(rescan, 2 * NOBODY + i, 1));
	assert_int_equal(stats().full, 2);
	end();
}

/* Lately read, and nothing came of it. */
static void test_pause(void **state)
{
	(void)state;
	begin();
	assert_true(rescan_want(rescan, NOBODY, 1));
	rescan_run(rescan, LONG_NS);
	assert_false(rescan_want(rescan, NOBODY, 1));
	assert_false(rescan_is_due(rescan, NOBODY));
	assert_int_equal(stats().full, 0);
	end();
}

/* An end that no event told of. */
static void test_all_are_read_from_time_to_time(void **state)
{
	(void)state;
	begin();
	procs_comm(procs, 1, NOBODY, NOBODY, "x", true);
	rescan_run(rescan, LONG_NS);
	assert_int_equal(stats_of(procs).images_alive, 1);
	rescan_set_period(rescan, 1000000);
	usleep(2000);
	rescan_run(rescan, LONG_NS);
	assert_int_equal(stats_of(procs).images_alive, 0);
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due_once),
		cmocka_unit_test(test_earliest_time_counts),
		cmocka_unit_test(test_queue_is_bounded),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_all_are_read_from_time_to_time),
	};

	return cmocka_run_group_tests_name("rescan", tests, NULL, NULL);
}
