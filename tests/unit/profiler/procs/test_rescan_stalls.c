// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that do not answer when /proc is read again: here, all of them, until they are let go. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/files/stall_guard.h"
#include "profiler/procs/rescan.h"
#include "profiler/procs/table.h"
#include "tests/lib/proc_table.h"

#define NOBODY	5000000
#define STALLS	32
#define LONG_NS 60000000000ull

static int gate[2];
static bool is_shut;

static int run(struct guarded_job *job)
{
	char c;

	(void)job;
	return (int)read(gate[0], &c, 1);
}

static void free_job(struct guarded_job *job)
{
	free(job);
}

/* In the place of what reads /proc. */
int scan_again(struct procs *p, pid_t tgid, uint64_t since_ns, struct stall_guard *guard)
{
	struct guarded_job *job = calloc(1, sizeof(*job));
	int result;

	(void)p;
	(void)tgid;
	(void)since_ns;
	assert_non_null(job);
	*job = (struct guarded_job){run, free_job};
	if (!is_shut && write(gate[1], "x", 1) != 1)
		return -EIO;
	if (!stall_guard_run(guard, job, &result))
		return -ETIMEDOUT;
	free_job(job);
	return 0;
}

/* So many readers hang, and no more; once they are back, it goes on. */
static void test_readers_that_hang(void **state)
{
	struct rescan_stats s;
	struct rescan *r;
	struct procs *p = new_table(NULL);

	(void)state;
	assert_int_equal(rescan_new(&r, p), 0);
	is_shut = true;
	for (int i = 0; i < 100; i++)
		assert_true(rescan_want(r, NOBODY + i, 1));
	rescan_run(r, LONG_NS);
	rescan_stats(r, &s);
	assert_int_equal(s.stalled, STALLS);
	assert_int_equal(s.full, 100 - STALLS);
	assert_true(rescan_is_idle(r));
	assert_false(rescan_is_due(r, NOBODY));
	assert_false(rescan_want(r, NOBODY + 200, 1));
	is_shut = false;
	for (int i = 0; i < STALLS; i++)
		assert_int_equal(write(gate[1], "x", 1), 1);
	for (int i = 0; i < 5000 && !rescan_want(r, NOBODY + 200, 1); i++)
		usleep(1000);
	assert_true(rescan_is_due(r, NOBODY + 200));
	rescan_run(r, LONG_NS);
	rescan_stats(r, &s);
	assert_int_equal(s.read, 1);
	assert_int_equal(s.stalled, STALLS);
	rescan_free(r);
	procs_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_that_hang),
	};

	if (pipe(gate))
		return 1;
	return cmocka_run_group_tests_name("rescan_stalls", tests, NULL, NULL);
}
