// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policy of one recording: what it asks of the collector, in which order, and when it is over. The
 * collector is the tests' own.
 */
#include "tests/lib/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/base/buf.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/profile/profile.h"
#include "profiler/record/merged.h"
#include "profiler/record/session.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/scripted_collector.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define MS	   1000000ull

/* --- tests --------------------------------------------------------------------------------------- */

static struct session_result result;
static struct quality quality;
static const char *why;

static int run(struct session_opts opts)
{
	memset(&result, 0, sizeof(result));
	memset(&quality, 0, sizeof(quality));
	why = "";
	*said = '\0';
	return session_run(&opts, &result, &quality, &why);
}

static int begin(void **state)
{
	(void)state;
	memset(&script, 0, sizeof(script));
	script.samples = 5;
	unlink("ran");
	return 0;
}

static int end(void **state)
{
	(void)state;
	session_result_release(&result);
	quality_release(&quality);
	return current ? -1 : 0; /* it is always closed */
}

TEST(test_so_long_and_no_longer)
{
	uint64_t before = boottime_ns();

	assert_int_equal(run((struct session_opts){.everything = true, .duration_ns = 100 * MS}),
			 0);
	assert_in_range(boottime_ns() - before, 100 * MS, 3000 * MS);
	assert_string_equal(said, "open(all) scan(0) start stop last_window close");
	assert_int_equal(total_of_type(result.profile, 0), 5);
	assert_int_equal(quality.recorded, 5);
	assert_in_range(result.elapsed_ns, 100 * MS, 3000 * MS);
	assert_int_equal(result.profile->duration_ns, result.elapsed_ns);
	assert_int_equal(result.cpus, 3);
	assert_string_equal(result.event, "cpu-clock");
	assert_false(result.launched);
	assert_non_null(result.symbolizer);
}

TEST(test_processes_are_watched_and_then_scanned)
{
	static const pid_t pids[] = {11, 12};

	script.gone_turn = 5;
	assert_int_equal(run((struct session_opts){.tgids = pids, .n_tgids = 2}), 0);
	assert_string_equal(said, "open(targets) watch(11) watch(12) scan(11) scan(12) start stop "
				  "last_window close");
}

/* With -a processes only say when it is over. */
TEST(test_everything_until_a_process_ends)
{
	static const pid_t pids[] = {11};

	script.gone_turn = 5;
	assert_int_equal(
		run((struct session_opts){.everything = true, .tgids = pids, .n_tgids = 1}), 0);
	assert_string_equal(said, "open(all) watch(11) scan(0) start stop last_window close");
}

/* It has ended since the list was made; it is no reason to leave out the others. */
TEST(test_a_process_that_is_not_there)
{
	static const pid_t pids[] = {11, 12, 13};

	script.missing = 12;
	script.gone_turn = 5;
	assert_int_equal(run((struct session_opts){.tgids = pids, .n_tgids = 3}), 0);
	assert_string_equal(said, "open(targets) watch(11) watch(13) scan(11) scan(12) scan(13) "
				  "start stop last_window close");
}

TEST(test_no_process_is_there)
{
	static const pid_t pids[] = {12, 12};

	script.missing = 12;
	assert_int_equal(run((struct session_opts){.tgids = pids, .n_tgids = 2}), -ESRCH);
	assert_int_equal(result.missing_pid, 12);
	assert_string_equal(why, "no such process");
	assert_null(result.profile);
	assert_string_equal(said, "open(targets) close");
}

TEST(test_windows_are_named_when_they_have_to_be)
{
	script.wants_windows = 3;
	script.gone_turn = 10;
	assert_int_equal(run((struct session_opts){.everything = true}), 0);
	assert_string_equal(said,
			    "open(all) scan(0) start window window window stop last_window close");
	assert_int_equal(total_of_type(result.profile, 0), 20);
	assert_int_equal(result.profile->samples.len, 20);
	assert_int_equal(quality.recorded, 20);
}

/* What is written to stderr meanwhile goes to a file. */
static int run_quietly(struct session_opts opts, const char *path)
{
	int err, saved = dup(2), fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(saved >= 0 && fd >= 0);
	dup2(fd, 2);
	log_set_level(LOG_NORMAL);
	err = run(opts);
	log_set_level(LOG_QUIET);
	dup2(saved, 2);
	close(saved);
	close(fd);
	return err;
}

/* More than there is room for ends it, with all that there is. */
TEST(test_a_profile_without_room_for_more)
{
	script.wants_windows = 1000;
	script.samples = 150000;
	assert_int_equal(run_quietly((struct session_opts){.everything = true}, "warnings"), 0);
	assert_in_range(total_of_type(result.profile, 0), 2 * 150000, quality.recorded);
	assert_true(!strstr(said, "window window window window window window") &&
		    strstr(said, "stop last_window close"));
	fixture_run("test $(grep -c 'has reached its limit of 16 MB' warnings) = 1");
	session_result_release(&result);
	script.gone_turn = 2;
	run_quietly((struct session_opts){.everything = true, .max_bytes = 1 << 30}, "log");
	fixture_run("! grep has log");
}

TEST(test_a_signal_ends_it)
{
	struct sigaction mine = {.sa_handler = SIG_IGN}, old, after;

	sigaction(SIGTERM, &mine, &old);
	script.signal_turn = 3;
	assert_int_equal(run((struct session_opts){.everything = true}), 0);
	assert_string_equal(said, "open(all) scan(0) start stop last_window close");
	assert_int_equal(total_of_type(result.profile, 0), 5);
	session_result_release(&result);
	sigaction(SIGTERM, &old, &after);
	assert_true(after.sa_handler == SIG_IGN); /* as it was */
	/* the next one is not ended by it */
	script.signal_turn = 0;
	script.gone_turn = 10;
	assert_int_equal(run((struct session_opts){.everything = true}), 0);
	assert_non_null(result.profile);
}

TEST(test_what_fails)
{
	script.open_err = -EPERM;
	assert_int_equal(run((struct session_opts){.everything = true}), -EPERM);
	assert_string_equal(why, "it does not open");
	assert_string_equal(said, "");
	script.open_err = 0;
	script.start_err = -EMFILE;
	assert_int_equal(run((struct session_opts){.everything = true}), -EMFILE);
	assert_string_equal(why, "it does not start");
	assert_string_equal(said, "open(all) scan(0) start close");
	script.start_err = 0;
	script.gone_turn = 2;
	script.window_err = -ENOMEM;
	assert_int_equal(run_quietly((struct session_opts){.everything = true}, "warnings"),
			 -ENOMEM);
	assert_null(result.profile);
}

/* What was recorded until then is kept. */
TEST(test_what_fails_later)
{
	script.fail_turn = 3;
	assert_int_equal(run_quietly((struct session_opts){.everything = true}, "warnings"), 0);
	assert_string_equal(said, "open(all) scan(0) start stop last_window close");
	assert_int_equal(total_of_type(result.profile, 0), 5);
	fixture_run("grep -q 'reading samples failed.*Input/output error' warnings");
	session_result_release(&result);
	script.fail_turn = 0;
	script.wants_windows = 1000;
	script.fail_window = 3;
	assert_int_equal(run_quietly((struct session_opts){.everything = true}, "warnings"), 0);
	assert_string_equal(said,
			    "open(all) scan(0) start window window window stop last_window close");
	assert_int_equal(total_of_type(result.profile, 0), 15);
	fixture_run("grep -q 'could not be named' warnings");
}

TEST(test_each_signal_ends_it)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

	script.signal_turn = 3;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		script.signal = signals[i];
		assert_int_equal(run((struct session_opts){.everything = true}), 0);
		assert_int_equal(total_of_type(result.profile, 0), 5);
		session_result_release(&result);
	}
	signal(SIGHUP, SIG_IGN); /* nohup(1) */
	script.signal = SIGHUP;
	script.gone_turn = 10;
	assert_int_equal(run((struct session_opts){.everything = true}), 0);
	assert_true(result.elapsed_ns >= 9 * MS);
	signal(SIGHUP, SIG_DFL);
}

/* --- commands ------------------------------------------------------------------------------------ */

#define SH(script)                                                                                 \
	(char *[])                                                                                 \
	{                                                                                          \
		"sh", "-c", script, NULL                                                           \
	}

static bool has_run;

static void look_whether_it_ran(pid_t child)
{
	assert_true(child > 0);
	usleep(50000);
	has_run = !access("ran", F_OK);
}

TEST(test_a_command_runs_when_sampling_is_on)
{
	script.on_start = look_whether_it_ran;
	assert_int_equal(run((struct session_opts){.argv = SH("echo >ran; exit 3")}), 0);
	assert_string_equal(said, "open(targets) add start stop last_window close");
	assert_false(has_run);
	assert_int_equal(access("ran", F_OK), 0);
	assert_true(result.launched);
	assert_int_equal(session_end_command(&result), 3);
}

/* With --delay it runs before. */
TEST(test_a_command_runs_through_the_delay)
{
	uint64_t before = boottime_ns();

	script.on_start = look_whether_it_ran;
	assert_int_equal(run((struct session_opts){.argv = SH("echo >ran; sleep 0.5"),
						   .delay_ns = 200 * MS}),
			 0);
	assert_true(has_run);
	assert_true(boottime_ns() - before >= 450 * MS);
	assert_true(result.elapsed_ns < boottime_ns() - before - 150 * MS);
	assert_int_equal(session_end_command(&result), 0);
}

TEST(test_a_command_that_cannot_be_run)
{
	fixture_write("plain", "not a program\n");
	assert_int_equal(run((struct session_opts){.argv = (char *[]){"./nowhere", NULL}}),
			 -ENOEXEC);
	assert_int_equal(result.exit_code, 127);
	assert_string_equal(why, "command not found");
	assert_null(result.profile);
	assert_int_equal(run((struct session_opts){.argv = (char *[]){"./plain", NULL}}), -ENOEXEC);
	assert_int_equal(result.exit_code, 126);
	assert_string_equal(why, "Permission denied");
}

static void stop_it(pid_t child)
{
	assert_int_equal(kill(child, SIGSTOP), 0);
}

/* As one whose file server hangs in its exec: sampling goes on, and what ends a recording ends it. */
TEST(test_a_command_whose_exec_takes_for_ever)
{
	const struct session_opts ways[] = {
		{.argv = SH(":"), .duration_ns = 200 * MS},
		{.argv = SH(":")},
	};

	script.on_start = stop_it;
	script.wants_windows = 2;
	for (size_t i = 0; i < 2; i++) {
		script.signal_turn = i ? 5 : 0;
		assert_int_equal(run(ways[i]), 0);
		assert_non_null(strstr(said, "start window window stop last_window close"));
		assert_int_equal(total_of_type(result.profile, 0), 15);
		assert_int_equal(kill(result.child.pid, SIGKILL), 0);
		assert_int_equal(session_end_command(&result), 128 + SIGKILL);
		session_result_release(&result);
	}
}

/* What is over before its command asks it to end. */
TEST(test_a_command_is_asked_to_end)
{
	assert_int_equal(run((struct session_opts){
				 .argv = SH("trap 'exit 9' TERM; while :; do sleep 0.01; done"),
				 .duration_ns = 300 * MS}),
			 0);
	assert_int_equal(session_end_command(&result), 9);
	assert_int_equal(session_end_command(&result), 9);
}

static void on_alarm(int sig)
{
	(void)sig;
	raise(SIGINT);
}

/* It is not killed: kiln waits, and another signal leaves it running. */
TEST(test_a_command_that_does_not_end)
{
	struct itimerval soon = {.it_value = {.tv_usec = 300000}};
	pid_t child;

	assert_int_equal(
		run((struct session_opts){.argv = SH("trap '' TERM; while :; do sleep 0.01; done"),
					  .duration_ns = 100 * MS}),
		0);
	child = result.child.pid;
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(session_end_command(&result), 128 + SIGINT);
	signal(SIGALRM, SIG_DFL);
	assert_int_equal(kill(child, 0), 0);
	assert_false(launch_poll(&result.child));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* A SIGCHLD that whoever started kiln ignores takes no exit status away. */
TEST(test_an_ignored_sigchld)
{
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(run((struct session_opts){.argv = SH("sleep 0.1; exit 4")}), 0);
	assert_int_equal(session_end_command(&result), 4);
	session_result_release(&result);
	assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

/* One that is only to say when it is over is no target. */
TEST(test_everything_while_a_command_runs)
{
	assert_int_equal(run((struct session_opts){.argv = SH("sleep 0.1"), .everything = true}),
			 0);
	assert_string_equal(said, "open(all) scan(0) start stop last_window close");
}

static unsigned progress_calls;

static void on_progress(void *ctx, const struct collector_progress *p)
{
	assert_true(ctx == &progress_calls);
	assert_true(p->samples > 0);
	progress_calls++;
}

TEST(test_progress)
{
	assert_int_equal(run((struct session_opts){.everything = true,
						   .duration_ns = 500 * MS,
						   .progress = on_progress,
						   .ctx = &progress_calls}),
			 0);
	assert_in_range(progress_calls, 2, 5); /* each 0.2 s, and at the end */
}

static int setup(void **state)
{
	log_set_level(LOG_QUIET);
	return fixture_setup(state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_so_long_and_no_longer),
		T(test_processes_are_watched_and_then_scanned),
		T(test_everything_until_a_process_ends),
		T(test_a_process_that_is_not_there),
		T(test_no_process_is_there),
		T(test_windows_are_named_when_they_have_to_be),
		T(test_a_profile_without_room_for_more),
		T(test_a_signal_ends_it),
		T(test_what_fails),
		T(test_what_fails_later),
		T(test_each_signal_ends_it),
		T(test_a_command_runs_when_sampling_is_on),
		T(test_a_command_runs_through_the_delay),
		T(test_a_command_that_cannot_be_run),
		T(test_a_command_whose_exec_takes_for_ever),
		T(test_a_command_is_asked_to_end),
		T(test_a_command_that_does_not_end),
		T(test_an_ignored_sigchld),
		T(test_everything_while_a_command_runs),
		T(test_progress),
	};

	return cmocka_run_group_tests_name("session", tests, setup, fixture_teardown);
}
