// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that a target has started before: which of them work. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/record/children.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static pid_t start(void (*work)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	work();
	_exit(0);
}

static void rest(void)
{
	pause();
}

static void toil(void)
{
	for (;;)
		;
}

static int told;

/* Says the number of a child of its own. */
static void hire(void)
{
	pid_t pid = start(toil);

	if (write(told, &pid, sizeof(pid)) == sizeof(pid))
		pause();
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static size_t index_of(const struct children *c, pid_t tgid)
{
	for (size_t i = 0; i < c->found.len; i++)
		if (c->found.data[i].tgid == tgid)
			return i;
	return SIZE_MAX;
}

static void read_number(int fd, pid_t *pid)
{
	assert_int_equal(read(fd, pid, sizeof(*pid)), sizeof(*pid));
}

/* 50 ms of CPU time, however long that takes. */
static void wait_for_work(pid_t pid)
{
	struct timespec t, begin;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &begin), 0);
	do {
		usleep(1000);
		assert_int_equal(clock_gettime(clock, &t), 0);
	} while ((t.tv_sec - begin.tv_sec) * 1000000000 + t.tv_nsec - begin.tv_nsec < 50000000);
}

TEST(test_busy_children)
{
	pid_t idle = start(rest), foreman, worker, late, self = getpid();
	struct children c = {.found = {0}};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	told = fds[1];
	foreman = start(hire);
	read_number(fds[0], &worker);
	children_find(&c, &self, 1);
	assert_true(index_of(&c, idle) < 3 && index_of(&c, foreman) < 3 &&
		    index_of(&c, worker) < 3);
	assert_int_equal(c.found.len, 3);
	late = start(toil); /* a recording follows this one */
	wait_for_work(worker);
	children_busiest(&c);
	assert_int_equal(c.found.len, 1);
	assert_int_equal(c.found.data[0].tgid, worker);
	assert_true(c.found.data[0].busy_ns >= 50000000);
	kill(worker, SIGKILL);
	end(foreman);
	end(idle);
	end(late);
	children_release(&c);
	close(fds[0]);
	close(fds[1]);
}

/* Targets that are gone, and none. */
TEST(test_no_children)
{
	struct children c = {.found = {0}};
	pid_t gone = start(rest);

	end(gone);
	children_find(&c, &gone, 1);
	children_find(&c, NULL, 0);
	children_busiest(&c);
	assert_int_equal(c.found.len, 0);
	children_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy_children),
		cmocka_unit_test(test_no_children),
	};

	return cmocka_run_group_tests_name("children", tests, NULL, NULL);
}
