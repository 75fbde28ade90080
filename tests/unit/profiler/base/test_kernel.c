// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel says about namespaces. Versions are tested with the doctor, whom they concern most. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "profiler/base/kernel.h"
#include "tests/lib/fixture.h"

static void test_offset_of_a_time_namespace(void **state)
{
	static const struct {
		const char *text;
		int64_t boottime, monotonic;
	} rows[] = {
		{"monotonic           0         0\nboottime            0         0\n", 0, 0},
		{"monotonic           5         0\nboottime       100000         7\n",
		 100000000000007, 5000000000},
		{"monotonic        -500         0\nboottime         -500 999999999\n",
		 -500000000000 + 999999999, -500000000000},
		{"monotonic 5 0\n", 0, 5000000000},
		{"boottime\n", 0, 0},
		{"", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(kernel_parse_clock_offset(rows[i].text, "boottime"),
				 rows[i].boottime);
		assert_int_equal(kernel_parse_clock_offset(rows[i].text, "monotonic"),
				 rows[i].monotonic);
	}
}

/* Its children's clock is an hour ahead. Writes the number of one of them, or -1. */
static void live_an_hour_ahead(int out)
{
	const char *offset = "monotonic 3600 0\n";
	pid_t child = -1;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = unshare(CLONE_NEWTIME) ? -1 : open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, offset, strlen(offset)) > 0)
		child = fork();
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	else if (write(out, &child, sizeof(child)) != sizeof(child))
		_exit(1);
	for (;;)
		pause();
}

static void test_clocks_of_other_processes(void **state)
{
	pid_t parent, child;
	int out[2];

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	parent = fork();
	if (!parent)
		live_an_hour_ahead(out[1]);
	assert_int_equal(read(out[0], &child, sizeof(child)), sizeof(child));
	if (child > 0) {
		assert_int_equal(kernel_monotonic_ahead_ns(child), 3600000000000);
		assert_int_equal(kernel_monotonic_ahead_ns(parent), 0);
		assert_int_equal(kernel_monotonic_ahead_ns(getpid()), 0);
	}
	if (child > 0)
		kill(child, SIGKILL); /* it may not have asked yet to end with its parent */
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	close(out[0]);
	close(out[1]);
	if (child < 0) {
		print_message("[ REASON   ] no clocks of one's own here\n");
		skip();
	}
}

static void test_proc_of_this_process(void **state)
{
	(void)state;
	assert_true(kernel_proc_is_own());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offset_of_a_time_namespace),
		cmocka_unit_test(test_clocks_of_other_processes),
		cmocka_unit_test(test_proc_of_this_process),
	};

	return cmocka_run_group_tests_name("kernel", tests, fixture_setup, fixture_teardown);
}
