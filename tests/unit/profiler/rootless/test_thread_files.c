// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of /proc that stay open: each answer is of the thread that has the number now, and descriptors are few. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/rootless/thread_files.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct thread_files files;

static pid_t sleeper(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pause();
	_exit(0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* The number that the text begins with; of a stat that is the thread's. */
static int read_tid(pid_t pid)
{
	char text[1024];
	int err = thread_files_read(&files, pid, pid, THREAD_STAT, text, sizeof(text));

	return err ?: atoi(text);
}

TEST(test_is_kept_open)
{
	int before = descriptors();

	assert_int_equal(read_tid(getpid()), getpid());
	assert_int_equal(descriptors(), before + 1);
	assert_int_equal(read_tid(getpid()), getpid());
	assert_int_equal(descriptors(), before + 1);
	thread_files_release(&files);
	assert_int_equal(descriptors(), before);
}

TEST(test_text_is_of_now)
{
	char comm[16], text[1024];

	assert_int_equal(prctl(PR_GET_NAME, comm), 0);
	assert_int_equal(read_tid(getpid()), getpid());
	assert_int_equal(prctl(PR_SET_NAME, "other name"), 0);
	assert_int_equal(
		thread_files_read(&files, getpid(), getpid(), THREAD_STAT, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "(other name)"));
	assert_int_equal(prctl(PR_SET_NAME, comm), 0);
	thread_files_release(&files);
}

TEST(test_cut_text_ends_in_zero)
{
	char text[8];

	memset(text, 'x', sizeof(text));
	assert_int_equal(
		thread_files_read(NULL, getpid(), getpid(), THREAD_STATUS, text, sizeof(text)), 0);
	assert_string_equal(text, "Name:\tt");
}

/* As many threads as have room twice over: each has its own answer, whoever had the place before. */
TEST(test_many)
{
	enum { MANY = 2 * THREAD_FILES_MAX };
	static pid_t pids[MANY];
	int before = descriptors();

	for (int i = 0; i < MANY; i++)
		pids[i] = sleeper();
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < MANY; i++)
			assert_int_equal(read_tid(pids[i]), pids[i]);
	assert_true(descriptors() <= before + THREAD_FILES_MAX);
	for (int i = 0; i < MANY; i++)
		end(pids[i]);
	assert_int_equal(read_tid(pids[0]), -ESRCH);
	thread_files_release(&files);
	assert_int_equal(descriptors(), before);
}

TEST(test_dead_thread)
{
	pid_t pid = sleeper();

	assert_int_equal(read_tid(pid), pid);
	end(pid);
	assert_int_equal(read_tid(pid), -ESRCH);
	thread_files_release(&files);
}

/* The next process of this namespace gets this number. */
static bool ask_for(pid_t pid)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && dprintf(fd, "%d", (int)pid - 1) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Other processes may begin meanwhile. */
static bool begin_as(pid_t pid)
{
	for (int tries = 0; tries < 100 && ask_for(pid); tries++) {
		pid_t got = sleeper();

		if (got == pid)
			return true;
		end(got);
	}
	return false;
}

TEST(test_number_of_a_dead_thread)
{
	pid_t pid = sleeper();
	bool has_begun;

	assert_int_equal(read_tid(pid), pid);
	end(pid);
	has_begun = begin_as(pid);
	if (has_begun) {
		assert_int_equal(read_tid(pid), pid);
		end(pid);
	}
	thread_files_release(&files);
	if (!has_begun) {
		print_message("SKIP: not permitted to choose a process's number\n");
		skip();
	}
}

TEST(test_few_descriptors)
{
	struct rlimit limit, few;
	pid_t pids[32];
	int before = descriptors();

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){64, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	memset(&files, 0, sizeof(files));
	for (int i = 0; i < 32; i++) {
		pids[i] = sleeper();
		assert_int_equal(read_tid(pids[i]), pids[i]);
	}
	assert_true(descriptors() <= before + 8);
	for (int i = 0; i < 32; i++)
		end(pids[i]);
	thread_files_release(&files);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_kept_open),
		cmocka_unit_test(test_text_is_of_now),
		cmocka_unit_test(test_cut_text_ends_in_zero),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_dead_thread),
		cmocka_unit_test(test_number_of_a_dead_thread),
		cmocka_unit_test(test_few_descriptors),
	};

	return cmocka_run_group_tests_name("thread_files", tests, NULL, NULL);
}
