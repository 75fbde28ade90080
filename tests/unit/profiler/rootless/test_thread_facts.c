// SPDX-License-Identifier: GPL-2.0-or-later
/* What /proc says of a thread, also with a name that looks like the rest of the line. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/rootless/thread_facts.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define SANDBOX                                                                                    \
	" 4100 4242 4100 34816 4242 4194304 93 0 0 0 5 3 20 10 20 0 1 0 80123 2793472 320 "        \
	"18446744073709551615 4096 8192 140720000 0 0 0 0 0 0 0"
#define REST SANDBOX " 0 0 17 3 0 0 0 0 0\n"

TEST(test_line)
{
	uint64_t tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	struct thread_facts f;

	assert_int_equal(thread_facts_parse("4242 (a) S 1 (b)) R" REST, &f), 0);
	assert_true(f.on_cpu);
	assert_string_equal(f.comm, "a) S 1 (b)");
	assert_int_equal(f.parent_tgid, 4100);
	assert_int_equal(f.cpu_ns, 8 * tick);
	assert_int_equal(f.children_ns, 30 * tick);
	assert_int_equal(f.program, 140720000);
	assert_int_equal(f.cpu, 3);
	assert_int_equal(thread_facts_parse("4242 (sh) S" REST, &f), 0);
	assert_false(f.on_cpu);
	assert_false(f.is_dead);
	assert_int_equal(thread_facts_parse("4242 (sh) S" SANDBOX "\n", &f), 0);
	assert_int_equal(f.program, 140720000);
	assert_int_equal(f.cpu, -1);
	assert_int_equal(thread_facts_parse("4242 (sh) Z" REST, &f), 0);
	assert_true(f.is_dead);
	assert_int_equal(thread_facts_parse("4242 (sh) X" REST, &f), 0);
	assert_true(f.is_dead);
}

TEST(test_cut_lines)
{
	static const char *const bad[] = {"",
					  "4242",
					  "4242 (sh",
					  "4242 (sh)",
					  "4242 (sh) ",
					  "4242 (sh) R 1 2",
					  "4242 )sh( R 1"};
	struct thread_facts f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(thread_facts_parse(bad[i], &f), -EBADMSG);
}

static void add_up(void *ctx, pid_t child)
{
	*(pid_t *)ctx += child;
}

/* What is left of a number is another process's. */
TEST(test_cut_children)
{
	pid_t sum = 0;

	thread_children_parse("", add_up, &sum);
	assert_int_equal(sum, 0);
	thread_children_parse("4242 1 ", add_up, &sum);
	assert_int_equal(sum, 4243);
	thread_children_parse("50 4242", add_up, &sum);
	assert_int_equal(sum, 4293);
}

static void count_one(void *ctx, pid_t child)
{
	(void)child;
	++*(size_t *)ctx;
}

/* Their numbers fill more than a page. */
TEST(test_many_children)
{
	enum { MANY = 1500 };
	static pid_t pids[MANY];
	size_t seen = 0;

	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		assert_true(pids[i] > 0);
	}
	thread_children(NULL, getpid(), getpid(), count_one, &seen);
	for (int i = 0; i < MANY; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	if (seen) /* kernels without CONFIG_PROC_CHILDREN tell of none */
		assert_int_equal(seen, MANY);
}

TEST(test_own)
{
	struct thread_facts f;
	uint64_t before, after;

	assert_int_equal(thread_facts_read(NULL, getpid(), getpid(), &f), 0);
	assert_true(f.on_cpu);
	assert_int_equal(f.parent_tgid, getppid());
	assert_true(f.program != 0);
	assert_int_equal(thread_tracer(getpid()), 0);
	assert_int_equal(thread_cpu_ns(NULL, getpid(), getpid(), &before), 0);
	for (uint64_t until = monotonic_ns() + 50000000; monotonic_ns() < until;)
		;
	assert_int_equal(thread_cpu_ns(NULL, getpid(), getpid(), &after), 0);
	assert_true(after > before && after - before < NS_PER_S);
	assert_int_equal(thread_facts_read(NULL, getpid(), 1 << 30, &f), -ESRCH);
}

static pid_t child_that(const char *executes)
{
	pid_t pid = fork();

	if (!pid) {
		if (executes)
			execl(executes, executes, "60", NULL);
		pause();
		_exit(1);
	}
	return pid;
}

/* Forks execute what their parent does; other programs do not. */
TEST(test_executables)
{
	pid_t fork = child_that(NULL), other = child_that("/bin/sleep");
	uint64_t own = thread_executable(getpid());

	assert_true(own != 0);
	assert_int_equal(thread_executable(fork), own);
	for (int i = 0; i < 500 && thread_executable(other) == own; i++)
		usleep(10000);
	assert_true(thread_executable(other) != own && thread_executable(other) != 0);
	kill(fork, SIGKILL);
	kill(other, SIGKILL);
	assert_int_equal(waitpid(fork, NULL, 0), fork);
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_int_equal(thread_executable(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),	     cmocka_unit_test(test_cut_lines),
		cmocka_unit_test(test_cut_children), cmocka_unit_test(test_many_children),
		cmocka_unit_test(test_own),	     cmocka_unit_test(test_executables),
	};

	return cmocka_run_group_tests_name("thread_facts", tests, NULL, NULL);
}
