// SPDX-License-Identifier: GPL-2.0-or-later
/* Jobs that do not end in time, and threads that come back from them. */
#include "profiler/files/stall_guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static int gate[2]; /* a job that hangs reads a byte from it */
static unsigned n_freed;

struct test_job {
	struct guarded_job job;
	bool hangs;
};

static int run(struct guarded_job *job)
{
	char c;

	if (!((struct test_job *)job)->hangs)
		return 7;
	return (int)read(gate[0], &c, 1);
}

static void free_job(struct guarded_job *job)
{
	free(job);
	__atomic_add_fetch(&n_freed, 1, __ATOMIC_RELAXED);
}

/* -1: it stalled. */
static int do_job(struct stall_guard *g, bool hangs)
{
	struct test_job *j = calloc(1, sizeof(*j));
	int result;

	assert_non_null(j);
	j->job = (struct guarded_job){run, free_job};
	j->hangs = hangs;
	if (!stall_guard_run(g, &j->job, &result))
		return -1;
	free_job(&j->job);
	return result;
}

static void open_gate(unsigned n)
{
	while (n--)
		assert_int_equal(write(gate[1], "x", 1), 1);
}

static void wait_for(const unsigned *value, unsigned want)
{
	for (int i = 0; i < 5000 && __atomic_load_n(value, __ATOMIC_RELAXED) != want; i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(value, __ATOMIC_RELAXED), want);
}

static int64_t ms_of(struct stall_guard *g, bool hangs)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(do_job(g, hangs), -1);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
}

/* A guard that lasts for months: what hung once and came back does not count for ever. */
static void test_threads_come_back(void **state)
{
	struct stall_guard g = {.wait_ms = 150};

	(void)state;
	n_freed = 0;
	assert_int_equal(do_job(&g, false), 7);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(ms_of(&g, true) >= 150);
		assert_int_equal(stall_guard_stuck(&g), i + 1);
		assert_int_equal(do_job(&g, false), 7);
	}
	assert_in_range(ms_of(&g, true), 0, 140); /* no patience any more */
	assert_int_equal(stall_guard_stuck(&g), 5);
	open_gate(5);
	wait_for(&n_freed, 5 + 5);
	assert_int_equal(stall_guard_stuck(&g), 0);
	assert_int_equal(g.stalled, 5);
	assert_true(ms_of(&g, true) >= 150);
	open_gate(1);
	wait_for(&n_freed, 5 + 6);
	stall_guard_release(&g);
}

/* The guard goes before the threads that it left behind. */
static void test_guard_goes_first(void **state)
{
	struct stall_guard g = {.wait_ms = 1};

	(void)state;
	n_freed = 0;
	assert_int_equal(do_job(&g, true), -1);
	assert_int_equal(do_job(&g, true), -1);
	assert_int_equal(stall_guard_stuck(&g), 2);
	stall_guard_release(&g);
	open_gate(2);
	wait_for(&n_freed, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_come_back),
		cmocka_unit_test(test_guard_goes_first),
	};

	if (pipe(gate))
		return 1;
	return cmocka_run_group_tests_name("stall_guard", tests, NULL, NULL);
}
