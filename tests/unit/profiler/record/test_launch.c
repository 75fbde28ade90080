// SPDX-License-Identifier: GPL-2.0-or-later
/* A command that waits at the gate, runs, fails to run, and is ended. */
#include "tests/lib/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/base/io.h"
#include "profiler/record/inherited.h"
#include "profiler/record/launch.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define NO_LAUNCH                                                                                  \
	{                                                                                          \
		.gate_fd = -1, .exec_fd = -1                                                       \
	}
#define SH(script)                                                                                 \
	(char *[])                                                                                 \
	{                                                                                          \
		"sh", "-c", script, NULL                                                           \
	}

static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void await(struct launch *l)
{
	for (int i = 0; i < 10000 && !launch_poll(l); i++)
		usleep(1000);
	assert_true(l->exited);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

/* Runs it to its end: the exit code. */
static int run(char *const argv[])
{
	struct launch l = NO_LAUNCH;

	assert_int_equal(launch_prepare(&l, argv, NULL), 0);
	assert_int_equal(launch_go(&l, 10000), 0);
	await(&l);
	assert_true(is_gone(l.pid));
	launch_ask_to_end(&l); /* of one that has ended: nothing */
	return launch_exit_code(&l);
}

TEST(test_it_waits_at_the_gate)
{
	struct launch l = NO_LAUNCH;
	unsigned before = count_descriptors();

	assert_int_equal(launch_prepare(&l, SH("echo ran >ran"), NULL), 0);
	assert_true(l.pid > 0);
	usleep(100000);
	assert_false(launch_poll(&l));
	assert_int_equal(access("ran", F_OK), -1);
	assert_int_equal(launch_exit_code(&l), 0); /* it has none yet */
	assert_int_equal(launch_go(&l, 10000), 0);
	await(&l);
	assert_int_equal(access("ran", F_OK), 0);
	assert_int_equal(launch_exit_code(&l), 0);
	assert_int_equal(count_descriptors(), before);
}

/* What it costs until its exec is not put down to kiln. */
TEST(test_it_has_its_name_at_the_gate)
{
	struct launch l = NO_LAUNCH;
	char path[48], *name = NULL;
	size_t len = 0;

	assert_int_equal(launch_prepare(&l, (char *[]){"/bin/true", NULL}, NULL), 0);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)l.pid);
	for (int i = 0; i < 10000 && (!name || strcmp(name, "true\n") != 0); i++) {
		free(name);
		assert_int_equal(io_read_file(path, 64, &name, &len), 0);
		usleep(1000);
	}
	assert_string_equal(name, "true\n");
	free(name);
	assert_int_equal(launch_go(&l, 10000), 0);
	await(&l);
}

TEST(test_exit_codes)
{
	assert_int_equal(run(SH("exit 0")), 0);
	assert_int_equal(run(SH("exit 3")), 3);
	assert_int_equal(run(SH("kill -USR1 $$")), 128 + SIGUSR1);
}

/* Known while it runs, and when it has ended with what it waited for. */
TEST(test_cpu_time)
{
	struct launch l = NO_LAUNCH;

	assert_int_equal(launch_cpu_ns(&l), 0);
	assert_int_equal(launch_prepare(&l, SH("(ulimit -S -t 1; while :; do :; done); :"), NULL),
			 0);
	assert_int_equal(launch_go(&l, 10000), 0);
	for (int i = 0; i < 10000 && !launch_cpu_ns(&l); i++)
		usleep(1000);
	assert_true(launch_cpu_ns(&l) > 0);
	await(&l);
	assert_in_range(launch_cpu_ns(&l), 900000000, 3000000000);
}

/* It fails with the errno of execvp(3), and is gone then. */
TEST(test_what_cannot_be_run)
{
	static const struct {
		char *const argv[2];
		int err;
	} cases[] = {{{"./nowhere", NULL}, -ENOENT},
		     {{"no-such-command-here", NULL}, -ENOENT},
		     {{"./plain", NULL}, -EACCES}};
	unsigned before = count_descriptors();

	fixture_write("plain", "not a program\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct launch l = NO_LAUNCH;

		assert_int_equal(launch_prepare(&l, cases[i].argv, NULL), 0);
		assert_int_equal(launch_go(&l, 10000), cases[i].err);
		assert_true(l.exited);
		assert_true(is_gone(l.pid));
		launch_ask_to_end(&l);
	}
	assert_int_equal(count_descriptors(), before);
}

/* As one whose file server hangs meanwhile: it is asked again. */
TEST(test_an_exec_that_takes_long)
{
	unsigned before = count_descriptors();
	struct launch l = NO_LAUNCH;

	assert_int_equal(launch_prepare(&l, SH("exit 3"), NULL), 0);
	assert_int_equal(kill(l.pid, SIGSTOP), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(launch_go(&l, 10), -EAGAIN);
	assert_false(launch_poll(&l));
	assert_int_equal(kill(l.pid, SIGCONT), 0);
	assert_int_equal(launch_go(&l, 10000), 0);
	await(&l);
	assert_int_equal(launch_exit_code(&l), 3);
	assert_int_equal(count_descriptors(), before);
}

/* Given up before it was let go, it runs nothing. */
TEST(test_ended_at_the_gate)
{
	unsigned before = count_descriptors();
	struct launch l = NO_LAUNCH;

	assert_int_equal(launch_prepare(&l, SH("echo ran >never"), NULL), 0);
	launch_ask_to_end(&l);
	assert_true(l.exited);
	assert_true(is_gone(l.pid));
	assert_int_equal(launch_exit_code(&l), 125);
	assert_int_equal(access("never", F_OK), -1);
	assert_int_equal(count_descriptors(), before);
}

static void start(struct launch *l, char *const argv[])
{
	assert_int_equal(launch_prepare(l, argv, NULL), 0);
	assert_int_equal(launch_go(l, 10000), 0);
	for (int i = 0; i < 10000 && access("ready", F_OK); i++)
		usleep(1000);
	assert_int_equal(unlink("ready"), 0);
}

TEST(test_it_is_asked_to_end)
{
	struct launch l = NO_LAUNCH;

	start(&l, SH("trap 'exit 7' TERM; echo >ready; while :; do sleep 0.01; done"));
	launch_ask_to_end(&l);
	await(&l);
	assert_int_equal(launch_exit_code(&l), 7);
	l = (struct launch)NO_LAUNCH;
	start(&l, SH("trap '' TERM; echo >ready; while [ ! -e enough ]; do sleep 0.01; done"));
	launch_ask_to_end(&l); /* it goes on */
	usleep(200000);
	assert_false(launch_poll(&l));
	fixture_write("enough", "");
	await(&l);
	assert_int_equal(launch_exit_code(&l), 0);
}

TEST(test_nothing_was_launched)
{
	struct launch l = NO_LAUNCH;

	assert_false(launch_poll(&l));
	launch_ask_to_end(&l);
	assert_int_equal(launch_exit_code(&l), 0);
}

/* What kiln itself blocks the command does not. */
TEST(test_signals_of_the_command)
{
	sigset_t term, old;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	assert_int_equal(
		run(SH("exec grep -x 'SigBlk:.0000000000000000' /proc/self/status >blocked")), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static int run_as(const struct inherited *as, char *const argv[])
{
	struct launch l = NO_LAUNCH;

	assert_int_equal(launch_prepare(&l, argv, as), 0);
	assert_int_equal(launch_go(&l, 10000), 0);
	await(&l);
	return launch_exit_code(&l);
}

#define BIT(signal) (1ull << ((signal)-1))

/* Signals that a process ignored, or blocked, by its copied status. */
static uint64_t mask_of(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256];
	uint64_t mask = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, 7))
			mask = strtoull(line + 7, NULL, 16);
	fclose(f);
	return mask;
}

static void on_stop(int signal)
{
	(void)signal;
}

/* The command gets signals and limits as kiln got them. */
TEST(test_what_kiln_changes_for_itself)
{
	struct rlimit old, few, locked, little;
	struct inherited was;
	struct sigaction child = {.sa_handler = SIG_IGN}, old_child;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old) | getrlimit(RLIMIT_MEMLOCK, &locked), 0);
	few = (struct rlimit){77, old.rlim_max};
	little = (struct rlimit){65536, locked.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few) | setrlimit(RLIMIT_MEMLOCK, &little), 0);
	sigaction(SIGCHLD, &child, &old_child);
	signal(SIGHUP, SIG_IGN);
	inherited_take(&was, on_stop);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(few.rlim_cur, old.rlim_max);
	setrlimit(RLIMIT_MEMLOCK, &locked); /* as loading programs does */
	assert_int_equal(run_as(&was, SH("[ $(ulimit -n) = 77 ] && [ $(ulimit -l) = 64 ]")), 0);
	assert_int_equal(run_as(&was, (char *[]){"cp", "/proc/self/status", "status", NULL}), 0);
	assert_int_equal(mask_of("status", "SigIgn:") & (BIT(SIGHUP) | BIT(SIGCHLD) | BIT(SIGXFSZ)),
			 BIT(SIGHUP) | BIT(SIGCHLD));
	inherited_restore(&was);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(few.rlim_cur, 77);
	sigaction(SIGCHLD, &old_child, &child);
	assert_true(child.sa_handler == SIG_IGN);
	signal(SIGHUP, SIG_DFL);
	setrlimit(RLIMIT_NOFILE, &old);
	setrlimit(RLIMIT_MEMLOCK, &locked);
}

/* A service manager, or a program that has threads, may have blocked what ends a recording. */
TEST(test_signals_that_were_blocked)
{
	sigset_t some, old, now;
	struct inherited was;

	sigemptyset(&some);
	sigaddset(&some, SIGTERM);
	sigaddset(&some, SIGINT);
	sigaddset(&some, SIGWINCH);
	sigprocmask(SIG_BLOCK, &some, &old);
	inherited_take(&was, on_stop);
	sigprocmask(SIG_BLOCK, NULL, &now);
	assert_false(sigismember(&now, SIGTERM) || sigismember(&now, SIGINT));
	assert_true(sigismember(&now, SIGWINCH));
	assert_int_equal(run_as(&was, (char *[]){"cp", "/proc/self/status", "status", NULL}), 0);
	assert_int_equal(mask_of("status", "SigBlk:"), BIT(SIGTERM) | BIT(SIGINT) | BIT(SIGWINCH));
	inherited_restore(&was);
	sigprocmask(SIG_BLOCK, NULL, &now);
	assert_true(sigismember(&now, SIGTERM) && sigismember(&now, SIGINT));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_waits_at_the_gate),
		cmocka_unit_test(test_it_has_its_name_at_the_gate),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_cpu_time),
		cmocka_unit_test(test_what_cannot_be_run),
		cmocka_unit_test(test_an_exec_that_takes_long),
		cmocka_unit_test(test_ended_at_the_gate),
		cmocka_unit_test(test_it_is_asked_to_end),
		cmocka_unit_test(test_nothing_was_launched),
		cmocka_unit_test(test_signals_of_the_command),
		cmocka_unit_test(test_what_kiln_changes_for_itself),
		cmocka_unit_test(test_signals_that_were_blocked),
	};

	return cmocka_run_group_tests_name("launch", tests, fixture_setup, fixture_teardown);
}
