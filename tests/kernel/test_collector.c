// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A collector that hands out one named window after the other, on this machine's kernel: what is in them,
 * that they add up to what was counted, and what does not end it. Needs root and BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/collect/collector.h"
#include "profiler/profile/profile.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define HZ	 499
#define DRAIN_NS 200000000ull

/* --- who is watched ------------------------------------------------------------------------------ */

static volatile uint64_t burnt;

/* Not static: its name is what samples are looked for by. */
void burn_for_the_collector(void);

__attribute__((noinline)) void burn_for_the_collector(void)
{
	for (;;)
		burnt++;
}

static pid_t fork_burner(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	burn_for_the_collector();
	_exit(0);
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- the collector ------------------------------------------------------------------------------- */

static struct collector_opts options(enum collect_scope scope)
{
	return (struct collector_opts){
		.sampler = {.freq_hz = HZ,
			    .window_ns = DRAIN_NS,
			    .event = EVENT_CPU_CLOCK,
			    .user = true,
			    .kernel = true},
		.scope = scope,
	};
}

static struct collector *open_collector(const struct collector_opts *opts)
{
	struct collector *c;
	const char *why = "";

	if (collector_open(&c, opts, &why))
		fail_msg("%s", why);
	return c;
}

static void start(struct collector *c)
{
	const char *why = "";

	if (collector_start(c, &why))
		fail_msg("%s", why);
	assert_true(collector_start_ns(c) > 0);
}

/* A collector that samples this process. */
static struct collector *watch(pid_t pid)
{
	struct collector_opts opts = options(COLLECT_TARGETS);
	struct collector *c = open_collector(&opts);
	const char *why = "";

	assert_int_equal(collector_watch(c, pid, &why), 0);
	assert_int_equal(collector_scan(c, pid, &why), 0);
	start(c);
	return c;
}

static void turn_for(struct collector *c, unsigned ms)
{
	uint64_t until = boottime_ns() + ms * 1000000ull;

	while (boottime_ns() < until)
		assert_int_equal(collector_turn(c, 20), 0);
}

static struct named_window end_window(struct collector *c, bool last)
{
	struct named_window w;

	assert_int_equal(collector_end_window(c, last, &w), 0);
	assert_non_null(w.profile);
	assert_int_equal(w.profile->time_ns, w.begin_unix_ns);
	assert_int_equal(w.profile->duration_ns, w.duration_ns);
	return w;
}

/* Samples that are none of [lost samples]; *burning: with our function on the stack. */
static uint64_t samples_in(const struct profile *p, uint64_t *burning)
{
	uint64_t all = 0;

	*burning = 0;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_stack *stack = &p->stacks.data[s->stack];
		uint64_t value = (uint64_t)p->values.data[s->first_value];
		bool lost = false, burns = false;

		for (uint32_t k = 0; k < stack->len; k++) {
			const struct profile_location *l =
				&p->locations.data[p->frames.data[stack->first + k]];
			const char *name = profile_text(
				p, p->functions.data[p->lines.data[l->first_line].function].name);

			lost |= !strcmp(name, FRAME_LOST);
			burns |= !strcmp(name, "burn_for_the_collector");
		}
		all += lost ? 0 : value;
		*burning += burns ? value : 0;
	}
	return all;
}

/* --- tests --------------------------------------------------------------------------------------- */

TEST(test_windows_of_a_busy_process)
{
	pid_t pid = fork_burner();
	struct collector *c = watch(pid);
	struct collector_progress progress;
	struct quality total = {0};
	int64_t began = 0;

	for (int i = 0; i < 4; i++) {
		uint64_t all, burning;
		struct named_window w;

		turn_for(c, 600);
		if (i == 3)
			collector_stop(c);
		w = end_window(c, i == 3);
		all = samples_in(w.profile, &burning);
		/* it has at least a tenth of a CPU, whatever else runs here */
		assert_true(burning >= HZ * 6 / 100);
		assert_true(burning >= all * 95 / 100);
		assert_int_equal(w.quality.recorded, all);
		assert_int_equal(w.quality.expected, w.quality.idle + w.quality.stolen +
							     w.quality.filtered + all +
							     quality_lost(&w.quality));
		assert_true(w.quality.user_complete >= burning * 95 / 100);
		assert_true(w.begin_unix_ns > began);
		assert_in_range(w.duration_ns, 500000000, 60000000000);
		began = w.begin_unix_ns;
		quality_add(&total, &w.quality);
		named_window_release(&w);
		assert_null(w.profile);
	}
	/* windows add up to what the kernel counted, and nothing is unaccounted for */
	collector_progress(c, &progress);
	assert_int_equal(total.recorded + total.lost[LOSS_memory] + total.lost[LOSS_drain_failed],
			 progress.samples);
	assert_int_equal(quality_unaccounted(&total), 0);
	assert_true(total.filtered + total.idle > 0);
	quality_release(&total);
	collector_close(c);
	end_child(pid);
}

/* The second window's names come from the first one's, and are the same. */
TEST(test_everything_is_collected)
{
	struct collector_opts opts = options(COLLECT_ALL);
	struct collector *c = open_collector(&opts);
	pid_t pid = fork_burner(); /* seen by its events */
	const char *why = "";

	assert_int_equal(collector_scan(c, 0, &why), 0);
	start(c);
	assert_in_range(collector_cpus(c), 1, 4096);
	assert_string_equal(collector_event(c), "cpu-clock");
	for (int i = 0; i < 2; i++) {
		struct named_window w;
		uint64_t all, burning;

		turn_for(c, 500);
		w = end_window(c, false);
		all = samples_in(w.profile, &burning);
		if (burning < HZ * 5 / 100)
			fail_msg("%d of %d samples", (int)burning, (int)all);
		assert_int_equal(w.quality.filtered, 0);
		named_window_release(&w);
	}
	collector_stop(c);
	collector_close(c);
	end_child(pid);
}

static void count(void *ctx)
{
	++*(unsigned *)ctx;
}

TEST(test_a_window_is_wanted_when_it_is_full)
{
	struct collector_opts opts = options(COLLECT_TARGETS);
	unsigned ticks = 0;
	pid_t pid = fork_burner();
	struct collector *c = watch(pid);
	struct named_window w;
	const char *why = "";

	turn_for(c, 500);
	assert_false(collector_wants_window(c)); /* of one process in half a second? no */
	collector_close(c);
	opts.aggregate_bytes = 1;
	opts.naming = count;
	opts.naming_ctx = &ticks;
	c = open_collector(&opts);
	assert_int_equal(collector_watch(c, pid, &why), 0);
	assert_int_equal(collector_scan(c, pid, &why), 0);
	start(c);
	assert_false(collector_wants_window(c)); /* nothing was drained yet */
	/* A turn may be short: raw samples end it early. */
	for (uint64_t until = boottime_ns() + 20 * NS_PER_S;
	     boottime_ns() < until && !collector_wants_window(c);)
		assert_int_equal(collector_turn(c, 20), 0);
	assert_true(collector_wants_window(c));
	assert_int_equal(ticks, 0);
	w = end_window(c, false);
	assert_true(w.quality.recorded > 0);
	assert_true(ticks > 0); /* its owner may say meanwhile that it lives */
	assert_false(collector_wants_window(c));
	named_window_release(&w);
	collector_close(c);
	end_child(pid);
}

TEST(test_the_end_of_processes_is_noticed)
{
	pid_t pids[2] = {fork_burner(), fork_burner()};
	struct collector_opts opts = options(COLLECT_TARGETS);
	struct collector *c = open_collector(&opts);
	const char *why = "";

	assert_false(collector_targets_gone(c)); /* there is none yet */
	for (int i = 0; i < 2; i++)
		assert_int_equal(collector_watch(c, pids[i], &why), 0);
	start(c);
	turn_for(c, 100);
	assert_false(collector_targets_gone(c));
	end_child(pids[0]);
	turn_for(c, 100);
	assert_false(collector_targets_gone(c)); /* one is left */
	end_child(pids[1]);
	turn_for(c, 100);
	assert_true(collector_targets_gone(c));
	collector_close(c);
}

static void *sleep_in_thread(void *tid)
{
	__atomic_store_n((pid_t *)tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	for (;;)
		pause();
	return NULL;
}

TEST(test_processes_that_are_none)
{
	struct collector_opts opts = options(COLLECT_TARGETS);
	struct collector *c = open_collector(&opts);
	pid_t gone = fork_burner(), tid = 0;
	const char *why = "";
	pthread_t thread;

	end_child(gone);
	assert_int_equal(collector_watch(c, gone, &why), -ESRCH);
	assert_string_equal(why, "no such process");
	assert_int_equal(pthread_create(&thread, NULL, sleep_in_thread, &tid), 0);
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		usleep(1000);
	assert_int_equal(collector_watch(c, tid, &why), -ESRCH);
	assert_non_null(strstr(why, "a thread"));
	assert_false(collector_targets_gone(c));
	/* to scan one that is gone is no error: it may end at any time */
	assert_int_equal(collector_scan(c, gone, &why), 0);
	collector_close(c);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

/* The lowest number that a descriptor could get. */
static rlim_t next_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return (rlim_t)fd;
}

/* Housekeeping that finds no descriptor for a while: what is counted is counted, and comes. */
TEST(test_no_descriptors_for_a_while)
{
	pid_t pid = fork_burner();
	struct collector *c = watch(pid);
	struct quality total = {0};
	struct rlimit before, none;
	struct named_window w;
	uint64_t burning;

	turn_for(c, 300);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = next_descriptor(), .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn_for(c, 2500); /* CPUs are looked for once a second */
	assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	turn_for(c, 300);
	for (int i = 0; i < 2; i++) {
		w = end_window(c, i);
		samples_in(w.profile, &burning);
		assert_true(i || burning >= HZ * 30 / 100);
		quality_add(&total, &w.quality);
		named_window_release(&w);
		if (!i)
			collector_stop(c);
	}
	assert_int_equal(quality_unaccounted(&total), 0);
	assert_int_equal(total.lost[LOSS_drain_failed], 0);
	quality_release(&total);
	collector_close(c);
	end_child(pid);
}

/* Nor does a window that is named meanwhile: at worst it has fewer names. */
TEST(test_a_window_without_descriptors)
{
	pid_t pid = fork_burner();
	struct collector *c = watch(pid);
	struct rlimit before, none;
	struct named_window w;
	uint64_t all, burning;

	turn_for(c, 500);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = next_descriptor(), .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	w = end_window(c, false);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	all = samples_in(w.profile, &burning);
	assert_true(all >= HZ * 5 / 100);
	named_window_release(&w);
	/* the next one has them again */
	turn_for(c, 500);
	w = end_window(c, false);
	all = samples_in(w.profile, &burning);
	assert_true(burning >= all * 95 / 100);
	named_window_release(&w);
	collector_close(c);
	end_child(pid);
}

/* A process whose files are gone before its window ends keeps its names: they were opened early. */
TEST(test_a_process_that_ends_before_its_window)
{
	pid_t pid = fork_burner();
	struct collector *c = watch(pid);
	struct named_window w;
	uint64_t all, burning;

	turn_for(c, 500);
	end_child(pid);
	turn_for(c, 300);
	collector_stop(c);
	w = end_window(c, true);
	all = samples_in(w.profile, &burning);
	assert_true(burning >= HZ * 5 / 100 && burning >= all * 95 / 100);
	named_window_release(&w);
	collector_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_of_a_busy_process),
		cmocka_unit_test(test_everything_is_collected),
		cmocka_unit_test(test_a_window_is_wanted_when_it_is_full),
		cmocka_unit_test(test_the_end_of_processes_is_noticed),
		cmocka_unit_test(test_processes_that_are_none),
		cmocka_unit_test(test_no_descriptors_for_a_while),
		cmocka_unit_test(test_a_window_without_descriptors),
		cmocka_unit_test(test_a_process_that_ends_before_its_window),
	};

	if (geteuid()) {
		printf("1..0 # SKIP sampling needs root\n");
		return 0;
	}
	/* As the recording's: what else runs here shall not keep us, or who is watched, from a CPU. */
	setpriority(PRIO_PROCESS, 0, -10);
	return cmocka_run_group_tests_name("collector", tests, NULL, NULL);
}
