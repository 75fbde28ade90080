// SPDX-License-Identifier: GPL-2.0-or-later
/* Whoever begins is noticed; while nobody does, nothing is. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/rootless/last_pid.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define TRIES 10000

static void *nothing(void *arg)
{
	return arg;
}

TEST(test_processes_and_threads)
{
	struct last_pid l = {0};
	pthread_t thread;
	pid_t child;

	assert_true(last_pid_moved(&l));
	child = fork();
	if (!child)
		_exit(0);
	assert_true(last_pid_moved(&l));
	waitpid(child, NULL, 0);
	last_pid_moved(&l);
	assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
	assert_true(last_pid_moved(&l));
	pthread_join(thread, NULL);
	last_pid_release(&l);
}

/* Others begin on this machine, too, but not all the time. */
TEST(test_nobody)
{
	struct last_pid l = {0};
	int still = 0;

	for (int i = 0; i < TRIES; i++)
		still += !last_pid_moved(&l);
	assert_true(still > TRIES / 2);
	last_pid_release(&l);
}

static int where_it_is(const char *file)
{
	struct last_pid l = {0};

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(file, "/proc/loadavg", NULL, MS_BIND, NULL))
		return 77;
	for (int i = 0; i < 3; i++)
		if (!last_pid_moved(&l))
			return 1;
	last_pid_release(&l);
	return 0;
}

/* Some containers have a file there that a program writes, late. */
TEST(test_another_file_is_not_believed)
{
	char file[] = "/tmp/loadavg.XXXXXX";
	int fd = mkstemp(file), status;
	pid_t child;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0.00 0.00 0.00 1/2 34\n", 22), 22);
	close(fd);
	child = fork();
	if (!child)
		_exit(where_it_is(file));
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(file);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processes_and_threads),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_another_file_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
