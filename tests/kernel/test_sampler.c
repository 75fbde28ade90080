// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel half against the kernel: what is counted, for whom, and that nothing is unaccounted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/clock.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"
#include "tests/lib/fail_alloc.h"

#define HZ 499

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void burn_ms(unsigned ms)
{
	uint64_t end = thread_cpu_ns() + ms * 1000000ull;

	while (thread_cpu_ns() < end)
		;
}

/* A child that burns that much CPU under a name, and forks `depth` generations that do the same. */
static pid_t fork_burner(const char *comm, unsigned ms, int depth)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, comm);
	if (depth) {
		pid_t child = fork_burner(comm, ms, depth - 1);

		waitpid(child, NULL, 0);
	}
	burn_ms(ms);
	_exit(0);
}

struct run {
	struct sampler *sampler;
	struct drain *drain;
	struct sampler_totals totals;
	uint64_t drained;
};

static struct sampler_opts defaults(void)
{
	return (struct sampler_opts){.freq_hz = HZ,
				     .window_ns = 1000000000,
				     .event = EVENT_CPU_CLOCK,
				     .unwind = MODE_FP,
				     .user = true,
				     .kernel = true};
}

static void begin(struct run *r, const struct sampler_opts *opts)
{
	const char *why = "";

	memset(r, 0, sizeof(*r));
	if (sampler_load(&r->sampler, opts, &why))
		fail_msg("load: %s", why);
	assert_int_equal(drain_new(&r->drain, r->sampler), 0);
}

static void start(struct run *r)
{
	const char *why = "";

	if (sampler_start(r->sampler, &why))
		fail_msg("start: %s", why);
}

typedef void (*row_fn)(void *ctx, const struct window *w, const struct window_row *row);

static void drain(struct run *r, row_fn fn, void *ctx)
{
	struct window *w;

	assert_int_equal(drain_window(r->drain, &w), 0);
	for (size_t i = 0; fn && i < w->rows.len; i++)
		fn(ctx, w, &w->rows.data[i]);
	r->drained += w->samples;
	window_free(w);
}

/* Stops, and checks that every timer period on every CPU is accounted for. */
static void end(struct run *r, row_fn fn, void *ctx)
{
	uint64_t *c = r->totals.counters;

	sampler_stop(r->sampler);
	drain(r, fn, ctx);
	drain(r, fn, ctx); /* the other pair of maps */
	assert_int_equal(sampler_totals(r->sampler, &r->totals), 0);
	assert_int_equal(c[KILN_CTR_ticks], c[KILN_CTR_idle] + c[KILN_CTR_filtered] +
						    c[KILN_CTR_recorded] + c[KILN_CTR_map_full] +
						    c[KILN_CTR_update_failed]);
	assert_int_equal(c[KILN_CTR_recorded], r->drained);
	assert_int_equal(r->totals.expected, r->totals.idle + r->totals.stolen +
						     r->totals.timer_overrun + r->totals.cpu_gap +
						     c[KILN_CTR_ticks] - c[KILN_CTR_idle]);
}

static void release(struct run *r)
{
	drain_free(r->drain);
	sampler_free(r->sampler);
}

static void add_count(void *ctx, const struct window *w, const struct window_row *row)
{
	(void)w;
	*(uint64_t *)ctx += row->value.count;
}

static void expect_about(const char *what, uint64_t got, double want, double tolerance)
{
	if ((double)got < want * (1 - tolerance) || (double)got > want * (1 + tolerance))
		fail_msg("%s: %llu samples, want %.0f +- %.0f %%", what, (unsigned long long)got,
			 want, tolerance * 100);
}

static void command_with_descendants(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0;
	struct run r;
	pid_t pid;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	pid = fork();
	if (!pid) {
		raise(SIGSTOP);
		_exit(waitpid(fork_burner("burner", 300, 3), NULL, 0) < 0);
	}
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	start(&r);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, 0);
	end(&r, add_count, &samples);
	/* four generations of 300 ms */
	expect_about("descendants", samples, 1.2 * HZ, 0.15);
	assert_true(r.totals.counters[KILN_CTR_filtered] > 0 || r.totals.idle > 0);
	release(&r);
}

static void other_processes_are_filtered(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0;
	pid_t wanted, other;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	wanted = fork_burner("wanted", 400, 0);
	other = fork_burner("other", 400, 0);
	assert_int_equal(sampler_add_target(r.sampler, wanted), 0);
	assert_int_equal(sampler_count_targets(r.sampler), 1);
	start(&r);
	waitpid(wanted, NULL, 0);
	waitpid(other, NULL, 0);
	end(&r, add_count, &samples);
	assert_true(samples > 0 && samples <= 0.45 * HZ);
	assert_true(r.totals.counters[KILN_CTR_filtered] >= 0.2 * HZ);
	release(&r);
}

static int targets_of(const struct run *r)
{
	return bpf_map__fd(sampler_skeleton(r->sampler)->maps.kiln_targets);
}

/* A process that has the number of a target and another start time is another process. */
static void a_reused_number_is_filtered(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0, start_of_another = 1;
	struct run r;
	uint32_t pid;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	pid = (uint32_t)fork_burner("another", 300, 0);
	assert_int_equal(bpf_map_update_elem(targets_of(&r), &pid, &start_of_another, BPF_ANY), 0);
	start(&r);
	waitpid((pid_t)pid, NULL, 0);
	end(&r, add_count, &samples);
	assert_int_equal(samples, 0);
	assert_true(r.totals.counters[KILN_CTR_filtered] >= 0.2 * HZ);
	release(&r);
}

/* The number may be another process's already when the kernel lets go of the one that had it. */
static void the_end_of_another_removes_no_target(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t start_of_another = 1;
	uint32_t own, pid;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	start(&r);
	own = (uint32_t)fork_burner("own", 1, 0);
	assert_int_equal(sampler_add_target(r.sampler, (pid_t)own), 0);
	pid = (uint32_t)fork_burner("another", 1, 0);
	assert_int_equal(bpf_map_update_elem(targets_of(&r), &pid, &start_of_another, BPF_ANY), 0);
	waitpid((pid_t)own, NULL, 0);
	waitpid((pid_t)pid, NULL, 0);
	for (int i = 0; i < 100 && sampler_count_targets(r.sampler) > 1; i++)
		usleep(20000);
	assert_int_equal(sampler_count_targets(r.sampler), 1);
	assert_int_equal(bpf_map_lookup_elem(targets_of(&r), &pid, &start_of_another), 0);
	sampler_stop(r.sampler);
	release(&r);
}

struct comms {
	uint64_t wanted, other;
};

static void count_comm(void *ctx, const struct window *w, const struct window_row *row)
{
	struct comms *c = ctx;

	(void)w;
	if (!strncmp(row->key.comm, "kiln-want", 9))
		c->wanted += row->value.count;
	else
		c->other += row->value.count;
}

static void comm_glob(void **state)
{
	struct sampler_opts opts = defaults();
	struct comms seen = {0};
	pid_t a, b;
	struct run r;

	(void)state;
	opts.comm_glob = "kiln-w[a-b]nt*";
	begin(&r, &opts);
	start(&r);
	a = fork_burner("kiln-want1", 300, 0);
	b = fork_burner("kiln-xant1", 300, 0);
	waitpid(a, NULL, 0);
	waitpid(b, NULL, 0);
	end(&r, count_comm, &seen);
	expect_about("matching threads", seen.wanted, 0.3 * HZ, 0.2);
	assert_int_equal(seen.other, 0);
	release(&r);
}

static void cgroup_and_what_is_below(void **state)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char dir[128] = "", below[160], procs[192], text[16];
	char *paths[2] = {dir, NULL};
	struct sampler_opts opts = defaults();
	uint64_t samples = 0;
	struct run r;
	pid_t in, out;
	int fd;

	(void)state;
	for (size_t i = 0; i < 2 && !*dir; i++) {
		snprintf(procs, sizeof(procs), "%s/cgroup.controllers", mounts[i]);
		if (!access(procs, F_OK))
			snprintf(dir, sizeof(dir), "%s/kiln-test-%d", mounts[i], getpid());
	}
	if (!*dir) {
		print_message("SKIP: no cgroup v2 here\n");
		skip();
	}
	snprintf(below, sizeof(below), "%s/below", dir);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", below);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mkdir(below, 0755), 0);
	opts.cgroups = paths;
	begin(&r, &opts);
	start(&r);
	in = fork();
	if (!in) {
		fd = open(procs, O_WRONLY);
		snprintf(text, sizeof(text), "%d", getpid());
		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			_exit(1);
		burn_ms(300);
		_exit(0);
	}
	out = fork_burner("outside", 300, 0);
	waitpid(out, NULL, 0);
	waitpid(in, &fd, 0);
	end(&r, add_count, &samples);
	rmdir(below);
	rmdir(dir);
	assert_int_equal(fd, 0);
	expect_about("cgroup", samples, 0.3 * HZ, 0.2);
	release(&r);
}

struct sides {
	uint64_t user_frames, kernel_frames, kernel_samples;
};

static void count_sides(void *ctx, const struct window *w, const struct window_row *row)
{
	const struct window_stack *user, *kernel;
	struct sides *s = ctx;
	const uint64_t *frames;

	user = window_stack(w, KILN_SIDE_USER, row->key.user_stack, &frames);
	kernel = window_stack(w, KILN_SIDE_KERNEL, row->key.kernel_stack, &frames);
	s->user_frames += user ? user->len : 0;
	s->kernel_frames += kernel ? kernel->len : 0;
	s->kernel_samples += !row->key.in_user;
	/* a word that names frames has them */
	if (row->key.kernel_stack >= KILN_STACK_WORDS)
		assert_true(kernel && kernel->len > 0);
}

static void sides_on_request(void **state)
{
	(void)state;
	for (int mode = 0; mode < 3; mode++) {
		struct sampler_opts opts = defaults();
		struct sides s = {0};
		struct run r;

		opts.user = mode != 1;
		opts.kernel = mode != 2;
		begin(&r, &opts);
		start(&r);
		for (uint64_t end_ns = thread_cpu_ns() + 300000000; thread_cpu_ns() < end_ns;)
			getppid(); /* half of the time in the kernel */
		end(&r, count_sides, &s);
		assert_true(s.kernel_samples > 0);
		assert_true((s.user_frames > 0) == opts.user);
		assert_true((s.kernel_frames > 0) == opts.kernel);
		release(&r);
	}
}

static void tiny_maps_lose_by_name(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0;
	struct run r;

	(void)state;
	setenv("KILN_TEST_COUNT_ENTRIES", "4", 1);
	setenv("KILN_TEST_STACK_ENTRIES", "1", 1);
	setenv("KILN_TEST_RING_BYTES", "4096", 1); /* one page */
	opts.freq_hz = 4999;
	begin(&r, &opts);
	unsetenv("KILN_TEST_COUNT_ENTRIES");
	unsetenv("KILN_TEST_STACK_ENTRIES");
	unsetenv("KILN_TEST_RING_BYTES");
	start(&r);
	for (int i = 0; i < 20000; i++)
		free(malloc(1 + (size_t)i * 7)), getppid();
	burn_ms(500);
	end(&r, add_count, &samples);
	assert_true(r.totals.counters[KILN_CTR_map_full] > 0);
	assert_true(r.totals.counters[KILN_CTR_kernel_collision] > 0);
	assert_true(samples > 0);
	release(&r);
}

static void windows_in_turn(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0, windows = 0;
	struct run r;
	pid_t pid;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	pid = fork_burner("windows", 1000, 0);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	start(&r);
	while (!waitpid(pid, NULL, WNOHANG)) {
		usleep(20000);
		drain(&r, add_count, &samples);
		windows++;
	}
	end(&r, add_count, &samples);
	assert_true(windows > 10);
	expect_about("samples over many windows", samples, 1.0 * HZ, 0.1);
	release(&r);
}

/* Rows are of the window that they come with. */
static void assert_of_this_window(void *ctx, const struct window *w, const struct window_row *row)
{
	(void)ctx;
	assert_true(row->value.first_ns >= w->begin_ns);
}

/* A program that runs while the window changes writes into the old one: that is read only when it has ended. */
static void windows_do_not_mix(void **state)
{
	struct sampler_opts opts = defaults();
	struct run r;
	pid_t pid;

	(void)state;
	opts.freq_hz = 4999;
	begin(&r, &opts);
	pid = fork_burner("burner", 60000, 0);
	start(&r);
	for (uint64_t end_ns = boottime_ns() + 4000000000; boottime_ns() < end_ns;)
		drain(&r, assert_of_this_window, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	end(&r, assert_of_this_window, NULL);
	assert_true(r.drained > 100);
	release(&r);
}

#if FAIL_ALLOC

/* Whichever allocation fails, what was not read is gone, and the next windows are right. */
static void a_drain_that_fails(void **state)
{
	struct sampler_opts opts = defaults();
	bool failed = true;
	unsigned windows = 0;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	for (long at = 0; failed && at < 100; at++) {
		struct window *w = NULL;
		int err;

		burn_ms(30);
		allocs_begin(at);
		err = drain_window(r.drain, &w);
		failed = allocs_end();
		windows += !err;
		if (!err)
			window_free(w);
		drain(&r, assert_of_this_window, NULL);
		drain(&r, assert_of_this_window, NULL);
	}
	assert_false(failed);
	assert_true(windows > 5);
	sampler_stop(r.sampler);
	release(&r);
}
#endif

static int set_cpu1_online(const char *value)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY), ok;

	if (fd < 0)
		return -errno;
	ok = write(fd, value, 1) == 1 ? 0 : -errno;
	close(fd);
	return ok;
}

/* A CPU that went and came back is sampled again, and the time between is no sample lost silently. */
static void cpu_hotplug(void **state)
{
	struct sampler_opts opts = defaults();
	struct run r;
	int err;

	(void)state;
	begin(&r, &opts);
	start(&r);
	assert_int_equal(sampler_cpu_count(r.sampler), sysconf(_SC_NPROCESSORS_ONLN));
	err = set_cpu1_online("0");
	if (err) {
		release(&r);
		print_message("SKIP: cannot take CPU 1 offline: %s\n", strerror(-err));
		skip();
	}
	usleep(1100000);
	assert_int_equal(sampler_follow_cpus(r.sampler), 0);
	assert_int_equal(sampler_cpu_count(r.sampler), 1);
	assert_int_equal(set_cpu1_online("1"), 0);
	usleep(1100000);
	assert_int_equal(sampler_follow_cpus(r.sampler), 0);
	assert_int_equal(sampler_cpu_count(r.sampler), 2);
	end(&r, NULL, NULL);
	assert_true(r.totals.cpu_gap > 0);
	assert_true(r.totals.cpu_gap <= 2 * HZ);
	release(&r);
}

/* Periods of two lengths: all of them are accounted for, and each half has its own number of samples. */
static void another_frequency(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t fast = 0, slow = 0;
	struct sampler_totals before;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	burn_ms(1000);
	sampler_pause(r.sampler);
	drain(&r, add_count, &fast);
	assert_int_equal(sampler_totals(r.sampler, &before), 0);
	burn_ms(200); /* of which nobody is told */
	assert_int_equal(sampler_resume(r.sampler, 97), 0);
	assert_int_equal(sampler_period_ns(r.sampler), 1000000000 / 97);
	burn_ms(2000);
	end(&r, add_count, &slow);
	expect_about("fast", fast, HZ, 0.25);
	expect_about("slow", slow, 2 * 97, 0.25);
	assert_true(r.totals.expected > before.expected);
	assert_true(r.totals.expected - before.expected < before.expected * 3);
	release(&r);
}

static void bad_options_say_why(void **state)
{
	static char nowhere[] = "/proc/self";
	char *paths[2] = {nowhere, NULL};
	struct sampler_opts opts = defaults();
	struct sampler *s = NULL;
	const char *why = NULL;

	(void)state;
	opts.comm_glob = "[x";
	assert_int_equal(sampler_load(&s, &opts, &why), -EINVAL);
	assert_non_null(strstr(why, "glob"));
	opts = defaults();
	opts.cpus = "1-x";
	assert_int_equal(sampler_load(&s, &opts, &why), -EINVAL);
	assert_non_null(strstr(why, "-C"));
	opts = defaults();
	opts.cgroups = paths;
	assert_true(sampler_load(&s, &opts, &why) < 0);
	assert_non_null(strstr(why, "cgroup"));
	opts = defaults();
	opts.cpus = "77";
	assert_int_equal(sampler_load(&s, &opts, &why), 0);
	assert_int_equal(sampler_start(s, &why), -ENODEV);
	sampler_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_with_descendants),
		cmocka_unit_test(other_processes_are_filtered),
		cmocka_unit_test(a_reused_number_is_filtered),
		cmocka_unit_test(the_end_of_another_removes_no_target),
		cmocka_unit_test(comm_glob),
		cmocka_unit_test(cgroup_and_what_is_below),
		cmocka_unit_test(sides_on_request),
		cmocka_unit_test(tiny_maps_lose_by_name),
		cmocka_unit_test(windows_in_turn),
		cmocka_unit_test(windows_do_not_mix),
#if FAIL_ALLOC
		cmocka_unit_test(a_drain_that_fails),
#endif
		cmocka_unit_test(cpu_hotplug),
		cmocka_unit_test(another_frequency),
		cmocka_unit_test(bad_options_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
