// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All that feeds the walk in the kernel, when there is not room for everything: nobody is walked by what
 * took the place of a table, stacks stay whole, and who found no room gets it later. Needs root, cc and
 * BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/clock.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/procs/sideband.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/worker/table_worker.h"
#include "symbolizer/worker/walk_set.h"
#include "tests/lib/table_libs.h"
#include "tests/lib/unwind_space.h"

#define FRAMES	    150		      /* recurse(150) and what calls it */
#define TABLE_BYTES (5 * UNWIND_PAGE) /* a library's, at most */

static struct unwind_space space;

struct engine {
	struct sampler *sampler;
	struct drain *drain;
	struct files *files;
	struct procs *procs;
	struct rescan *rescan;
	struct reported_mappings *reported;
	struct sideband *sideband;
	struct table_worker *compiler;
	struct walk_set *walker;
	struct unwind_feed *feed;
	struct raw_walk *raw_walk;
	size_t budget, max_bytes;
};

static void open_walkers(struct engine *e)
{
	struct table_worker_opts compile = {.sandbox = true};
	struct walk_worker_opts walk = {.sandbox = true};
	struct unwind_feed_opts feed = {.sampler = e->sampler, .files = e->files};

	assert_int_equal(table_worker_new(&e->compiler, &compile), 0);
	assert_int_equal(walk_set_new(&e->walker, &walk), 0);
	feed.compiler = e->compiler;
	feed.budget_bytes = e->budget;
	assert_int_equal(unwind_feed_new(&e->feed, &feed), 0);
}

static void open_engine(struct engine *e, size_t budget)
{
	struct sampler_opts sampler = {
		.freq_hz = 499,
		.window_ns = 1000000000,
		.unwind = MODE_AUTO,
		.user = true,
		.filter_tgids = true, /* what else this machine does fills the ring */
	};
	struct sideband_opts sideband = {0};
	struct procs_opts procs = {.changed = unwind_feed_changed};
	const char *why = "";

	*e = (struct engine){.budget = budget};
	if (sampler_load(&e->sampler, &sampler, &why))
		fail_msg("load: %s", why);
	assert_true(sampler_uses_tables(e->sampler));
	assert_int_equal(drain_new(&e->drain, e->sampler), 0);
	assert_int_equal(files_new(&e->files, NULL), 0);
	open_walkers(e);
	procs.files = sideband.files = e->files;
	procs.changed_ctx = e->feed;
	assert_int_equal(procs_new(&e->procs, &procs), 0);
	assert_int_equal(rescan_new(&e->rescan, e->procs), 0);
	if (sampler_reports_mappings(e->sampler))
		assert_int_equal(reported_mappings_new(&e->reported, e->sampler, e->procs, e->files,
						       e->rescan),
				 0);
	assert_int_equal(
		raw_walk_new(&e->raw_walk, e->procs, e->files, e->feed, e->rescan, e->walker), 0);
	sideband.procs = e->procs;
	sideband.no_mappings = e->reported != NULL;
	assert_int_equal(sideband_open(&e->sideband, &sideband), 0);
}

static void close_engine(struct engine *e)
{
	sideband_close(e->sideband);
	raw_walk_free(e->raw_walk);
	reported_mappings_free(e->reported);
	rescan_free(e->rescan);
	procs_free(e->procs);
	unwind_feed_free(e->feed);
	walk_set_free(e->walker);
	table_worker_free(e->compiler);
	files_free(e->files);
	drain_free(e->drain);
	sampler_free(e->sampler);
}

static void feed_turn(struct engine *e)
{
	struct unwind_tables_stats t;
	struct unwind_maps_stats m;

	assert_int_equal(drain_stacks(e->drain), 0);
	assert_int_equal(sideband_poll(e->sideband, 0), 0);
	if (e->reported)
		reported_mappings_run(e->reported, e->drain);
	rescan_run(e->rescan, 5000000);
	unwind_feed_run(e->feed, e->procs);
	raw_walk_run(e->raw_walk, drain_raw(e->drain));
	unwind_feed_stats(e->feed, &t, &m);
	e->max_bytes = t.bytes > e->max_bytes ? t.bytes : e->max_bytes;
}

static void feed_for(struct engine *e, int ms)
{
	for (int i = 0; i < ms / 10; i++) {
		usleep(10000);
		feed_turn(e);
	}
}

/* A process that spins at the end of a stack. */
static pid_t start_stacks(const char *scenario, const char *arg)
{
	int out[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves it behind */
		setenv("SPIN", "s", 1);
		dup2(out[1], STDOUT_FILENO);
		execl("./stacks", "./stacks", scenario, arg, NULL);
		_exit(127);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	close(out[0]);
	usleep(20000); /* out of write(2) */
	return pid;
}

static pid_t start_deep(void)
{
	return start_stacks("recurse", "150");
}

/* A process that runs in a library, for ever (0) or for so long, and sleeps then. */
static pid_t start_mapper(struct engine *e, int i, const char *ms, const char *more)
{
	char path[32];
	pid_t pid;

	snprintf(path, sizeof(path), "./%s", lib(i));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("./mapper", "./mapper", path, ms, more, NULL);
		_exit(127);
	}
	assert_int_equal(sampler_add_target(e->sampler, pid), 0);
	return pid;
}

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The chain as the host finds it, by tables of its own. */
static uint32_t host_chain(pid_t pid, uint64_t *frames)
{
	struct user_regs_struct u;
	uint64_t regs[UNWIND_REGS] = {0};
	uint32_t n;

	space_read(&space, pid);
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &u), 0);
	regs[UNWIND_RIP] = u.rip;
	regs[UNWIND_RSP] = u.rsp;
	regs[UNWIND_RBP] = u.rbp;
	assert_int_equal(table_walk(&space_ops, &space, regs, frames, UNWIND_FRAMES_MAX, &n),
			 UNWIND_END_ROOT);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	return n;
}

/* The window that ends now, with all stacks that can be had. */
static struct window *end_window(struct engine *e)
{
	struct window *w;

	assert_int_equal(drain_window(e->drain, &w), 0);
	for (int i = 0; i < 200 && (!i || raw_walk_waits(e->raw_walk)); i++) {
		feed_turn(e);
		usleep(10000);
	}
	raw_walk_finish(e->raw_walk, w);
	return w;
}

/* The user stack of a row of that process, or NULL. */
static const struct window_stack *stack_of(const struct window *w, const struct window_row *row,
					   pid_t pid, const uint64_t **frames)
{
	const struct window_stack *s;

	if (row->key.tgid != (uint32_t)pid || row->key.user_stack == KILN_STACK_NONE)
		return NULL;
	s = window_stack(w, KILN_SIDE_USER, row->key.user_stack, frames);
	assert_non_null(s);
	return s;
}

/* Every stack of a process is whole and right. The number of its samples. */
static uint64_t check_stacks(const struct window *w, pid_t pid, const uint64_t *host, uint32_t n)
{
	const uint64_t *frames;
	uint64_t samples = 0;

	for (size_t i = 0; i < w->rows.len; i++) {
		const struct window_stack *s = stack_of(w, &w->rows.data[i], pid, &frames);

		if (!s)
			continue;
		samples += w->rows.data[i].value.count;
		if (s->end != UNWIND_END_ROOT || s->len != n)
			fail_msg("%u of %u frames: %s", s->len, n,
				 unwind_end_text((enum unwind_end)s->end));
		for (uint32_t k = 1; k < n; k++) /* the first one moves */
			if (frames[k] != host[k])
				fail_msg("frame %u: %#lx, the host says %#lx", k, frames[k],
					 host[k]);
	}
	return samples;
}

/* Nearly all stacks of a process are whole, but for those in ld.so's first moments. */
static void check_whole(const struct window *w, pid_t pid)
{
	uint64_t samples = 0, whole = 0;
	const uint64_t *frames;

	for (size_t i = 0; i < w->rows.len; i++) {
		const struct window_stack *s = stack_of(w, &w->rows.data[i], pid, &frames);

		samples += s ? w->rows.data[i].value.count : 0;
		whole += s && s->end == UNWIND_END_ROOT ? w->rows.data[i].value.count : 0;
	}
	assert_in_range(whole, samples - samples / 10, samples);
}

/* Windows until a process has some samples: on a busy machine it does not run at once. */
static void check_windows(struct engine *e, pid_t pid, const uint64_t *host, uint32_t n)
{
	uint64_t samples = 0;

	for (int i = 0; i < 50 && samples < 20; i++) {
		struct window *w;

		feed_for(e, 300);
		w = end_window(e);
		samples += check_stacks(w, pid, host, n);
		window_free(w);
	}
	assert_true(samples >= 20);
}

static struct unwind_tables_stats feed_stats(struct engine *e)
{
	struct unwind_tables_stats t;
	struct unwind_maps_stats m;

	unwind_feed_stats(e->feed, &t, &m);
	return t;
}

/* Bytes of all tables of the process, in whole pages. */
static size_t bytes_of_space(void)
{
	size_t bytes = 0;

	for (size_t i = 0; i < space.tables.len; i++)
		bytes += (space.tables.data[i].len + UNWIND_PAGE - 1) / UNWIND_PAGE * UNWIND_PAGE;
	return bytes;
}

static void begin_sampling(struct engine *e, pid_t pid)
{
	const char *why = "";

	assert_int_equal(procs_scan(e->procs, pid, boottime_ns()), 0);
	assert_int_equal(sampler_add_target(e->sampler, pid), 0);
	if (sampler_start(e->sampler, &why))
		fail_msg("start: %s", why);
}

/* Programs come and go and bring more tables than there is room for; one program runs on. */
static void test_one_runs_on(void **state)
{
	static uint64_t host[UNWIND_FRAMES_MAX];
	pid_t deep = start_deep(), mapper;
	uint32_t n = host_chain(deep, host);
	size_t budget = bytes_of_space() + UNWIND_PAGE + 2 * TABLE_BYTES;
	struct window *w;
	struct engine e;

	(void)state;
	assert_true(n >= FRAMES);
	open_engine(&e, budget);
	begin_sampling(&e, deep);
	check_windows(&e, deep, host, n);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LIBS; i++) {
			mapper = start_mapper(&e, i, "0", NULL);
			feed_for(&e, 300);
			w = end_window(&e);
			check_stacks(w, deep, host, n);
			check_whole(w, mapper);
			window_free(w);
			stop_process(mapper);
			assert_in_range(e.max_bytes, 1, budget);
		}
	}
	check_windows(&e, deep, host, n);
	assert_true(feed_stats(&e).evicted >= LIBS);
	stop_process(deep);
	close_engine(&e);
}

/* Samples so far whose stacks came to user space. */
static uint64_t raw_samples(struct engine *e)
{
	struct sampler_totals t;

	assert_int_equal(sampler_totals(e->sampler, &t), 0);
	return t.counters[KILN_CTR_raw];
}

/* All of them stay and sleep; the first one, whose tables have gone meanwhile, wakes up. */
static void test_one_wakes_up(void **state)
{
	static uint64_t host[UNWIND_FRAMES_MAX];
	pid_t deep = start_deep(), mappers[LIBS];
	uint32_t n = host_chain(deep, host);
	size_t budget = bytes_of_space() + UNWIND_PAGE + 2 * TABLE_BYTES;
	uint64_t evicted;
	struct engine e;

	(void)state;
	open_engine(&e, budget);
	begin_sampling(&e, deep);
	check_windows(&e, deep, host, n);
	kill(deep, SIGSTOP);
	feed_for(&e, 1300); /* no table is evicted sooner */
	for (int i = 0; i < LIBS; i++) {
		mappers[i] = start_mapper(&e, i, "200", NULL);
		feed_for(&e, 300);
	}
	feed_for(&e, 1000);
	window_free(end_window(&e));
	evicted = feed_stats(&e).evicted;
	assert_true(evicted >= LIBS / 2);
	kill(deep, SIGCONT);
	for (int i = 0; i < 10; i++) {
		uint64_t raw = raw_samples(&e);

		check_windows(&e, deep, host, n);
		assert_in_range(e.max_bytes, 1, budget);
		if (i == 9) /* its tables are back in the kernel */
			assert_in_range(raw_samples(&e) - raw, 0, 5);
	}
	for (int i = 0; i < LIBS; i++)
		stop_process(mappers[i]);
	stop_process(deep);
	close_engine(&e);
}

/* No sample may wait for its tables: libunwind walks those that had to. */
static void test_crowded(void **state)
{
	static uint64_t host[UNWIND_FRAMES_MAX];
	pid_t deep = start_deep();
	uint32_t n = host_chain(deep, host);
	struct raw_walk_stats walked;
	struct engine e;

	(void)state;
	open_engine(&e, 0);
	raw_walk_limit(e.raw_walk, 1);
	begin_sampling(&e, deep);
	check_windows(&e, deep, host, n);
	raw_walk_stats(e.raw_walk, &walked);
	assert_true(walked.crowded > 0);
	assert_int_equal(walked.waited, 0);
	assert_in_range(walked.by_libunwind, walked.crowded, UINT64_MAX);
	stop_process(deep);
	close_engine(&e);
}

/* One that maps a lot comes when there is no room for more of these, and is let in when some have gone. */
static void test_room_for_a_process(void **state)
{
	struct unwind_feed_stats s;
	struct engine e;
	pid_t sleepers[64], late;
	uint32_t entries;
	uint64_t raw;
	int i;

	(void)state;
	open_engine(&e, 0);
	entries = bpf_map__max_entries(sampler_skeleton(e.sampler)->maps.kiln_unw_large);
	assert_in_range(entries, 1, 64);
	begin_sampling(&e, getpid());
	for (uint32_t k = 0; k < entries; k++) {
		sleepers[k] = start_mapper(&e, 0, "100", "300");
		feed_for(&e, 200);
	}
	late = start_mapper(&e, 1, "0", "300");
	for (i = 0; i < 100; i++) {
		feed_for(&e, 100);
		unwind_feed_own_stats(e.feed, &s);
		if (s.refused)
			break;
	}
	assert_true(s.refused > 0);
	raw = raw_samples(&e);
	feed_for(&e, 2000);
	assert_true(raw_samples(&e) > raw); /* all of its stacks come to user space */
	for (uint32_t k = 0; k < entries; k++)
		stop_process(sleepers[k]);
	for (i = 0; i < 50; i++) {
		raw = raw_samples(&e);
		feed_for(&e, 500);
		if (raw_samples(&e) == raw)
			break;
	}
	assert_in_range(i, 0, 49);
	stop_process(late);
	close_engine(&e);
}

/* More processes change between two turns than are kept in mind. */
static void test_many_change(void **state)
{
	enum { MAX = 1 << 18 };
	struct unwind_feed_stats s;
	struct engine e;

	(void)state;
	open_engine(&e, 0);
	for (int i = 0; i < MAX + 10; i++)
		unwind_feed_changed(e.feed, 5000000 + i); /* above every pid */
	unwind_feed_own_stats(e.feed, &s);
	assert_int_equal(s.refused, 10);
	unwind_feed_run(e.feed, e.procs);
	unwind_feed_changed(e.feed, 1);
	unwind_feed_own_stats(e.feed, &s);
	assert_int_equal(s.refused, 10);
	close_engine(&e);
}

/* Stacks come faster than they are walked. */
static void test_raw_samples_are_bounded(void **state)
{
	pid_t deep[2] = {start_deep(), start_deep()};
	struct drain_stats s = {0};
	struct raw_sample *raw;
	size_t bytes = 0;
	struct engine e;

	(void)state;
	open_engine(&e, 0);
	begin_sampling(&e, deep[0]);
	assert_int_equal(sampler_add_target(e.sampler, deep[1]), 0);
	for (int i = 0; i < 6000 && !s.raw_dropped; i++) {
		usleep(10000);
		assert_int_equal(drain_stacks(e.drain), 0);
		drain_stats(e.drain, &s);
	}
	assert_true(s.raw_dropped > 0);
	while ((raw = raw_queue_next(drain_raw(e.drain)))) {
		bytes += raw->stack_len;
		free(raw);
	}
	assert_in_range(bytes, 16 << 20, 32 << 20);
	for (int i = 0; i < 2; i++)
		stop_process(deep[i]);
	close_engine(&e);
}

/* Only user space evaluates what describes one of the frames. */
static void test_slow_frames(void **state)
{
	pid_t pid = start_stacks("expression", "1");
	uint64_t slow = 0;
	struct engine e;

	(void)state;
	open_engine(&e, 0);
	begin_sampling(&e, pid);
	for (int i = 0; i < 50 && slow < 20; i++) {
		struct sampler_totals t;
		struct window *w;

		feed_for(&e, 300);
		w = end_window(&e);
		check_whole(w, pid);
		window_free(w);
		assert_int_equal(sampler_totals(e.sampler, &t), 0);
		slow = t.walk_end[UNWIND_END_SLOW];
	}
	assert_true(slow >= 20);
	stop_process(pid);
	close_engine(&e);
}

static int teardown(void **state)
{
	space_release(&space);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_runs_on), cmocka_unit_test(test_one_wakes_up),
		cmocka_unit_test(test_crowded),	    cmocka_unit_test(test_room_for_a_process),
		cmocka_unit_test(test_many_change), cmocka_unit_test(test_raw_samples_are_bounded),
		cmocka_unit_test(test_slow_frames),
	};

	return cmocka_run_group_tests_name("unwind_feed", tests, libs_setup, teardown);
}
