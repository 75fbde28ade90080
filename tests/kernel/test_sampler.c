// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel half against the kernel: what is counted, for whom, and that nothing is unaccounted. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "tests/lib/sampler_run.h"

/* Samples of a process that is a target before it runs, and of its descendants; *r is open. */
static uint64_t samples_of_target(struct run *r, void (*run)(void))
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0;
	pid_t pid;

	opts.filter_tgids = true;
	begin(r, &opts);
	pid = fork();
	if (!pid) {
		raise(SIGSTOP);
		run();
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(sampler_add_target(r->sampler, pid), 0);
	start(r);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, 0);
	end(r, add_count, &samples);
	return samples;
}

static void run_descendants(void)
{
	_exit(waitpid(fork_burner("burner", 300, 3), NULL, 0) < 0);
}

static void command_with_descendants(void **state)
{
	struct run r;
	uint64_t samples = samples_of_target(&r, run_descendants);

	(void)state;
	/* four generations of 300 ms */
	expect_about("descendants", samples, 1.2 * HZ, 0.15);
	assert_true(r.totals.counters[KILN_CTR_filtered] > 0 || r.totals.idle > 0);
	release(&r);
}

static void *do_nothing(void *arg)
{
	return arg;
}

static void run_thread(void)
{
	pthread_t thread;

	burn_ms(100);
	if (pthread_create(&thread, NULL, do_nothing, NULL) || pthread_join(thread, NULL))
		_exit(1);
	burn_ms(400);
}

/* A thread is no descendant: it is of the process that is a target already. */
static void threads_leave_their_process_a_target(void **state)
{
	struct run r;
	uint64_t samples = samples_of_target(&r, run_thread);

	(void)state;
	expect_about("a process with a thread", samples, 0.5 * HZ, 0.15);
	release(&r);
}

static void other_processes_are_filtered(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0;
	pid_t wanted, other, found = 0;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	wanted = fork_burner("wanted", 400, 0);
	other = fork_burner("other", 400, 0);
	assert_int_equal(sampler_add_target(r.sampler, wanted), 0);
	assert_int_equal(sampler_targets(r.sampler, &found, 1), 1);
	assert_int_equal(found, wanted);
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
	for (int i = 0; i < 100 && sampler_targets(r.sampler, NULL, 0) > 1; i++)
		usleep(20000);
	assert_int_equal(sampler_targets(r.sampler, NULL, 0), 1);
	assert_int_equal(bpf_map_lookup_elem(targets_of(&r), &pid, &start_of_another), 0);
	sampler_stop(r.sampler);
	release(&r);
}

/* One descendant has no room. What it starts is no target's. */
static void descendants_without_room_are_counted(void **state)
{
	struct sampler_opts opts = defaults();
	uint64_t samples = 0, start_of_another = 1;
	struct run r;
	pid_t pid;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	pid = fork();
	if (!pid) {
		raise(SIGSTOP);
		_exit(waitpid(fork_burner("burner", 10, 2), NULL, 0) < 0);
	}
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	for (uint32_t other = 1u << 30;
	     !bpf_map_update_elem(targets_of(&r), &other, &start_of_another, BPF_ANY); other++)
		;
	start(&r);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, 0);
	end(&r, add_count, &samples);
	assert_int_equal(r.totals.counters[KILN_CTR_targets_full], 1);
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
	pid_t a, b, c;
	struct run r;

	(void)state;
	opts.comm_glob = "kiln-w[a-b]nt*";
	begin(&r, &opts);
	start(&r);
	a = fork_burner("kiln-want1", 300, 0);
	b = fork_burner("kiln-xant1", 300, 0);
	c = fork_burner("kiln-want", 300, 0); /* a star may be nothing */
	waitpid(a, NULL, 0);
	waitpid(b, NULL, 0);
	waitpid(c, NULL, 0);
	end(&r, count_comm, &seen);
	expect_about("matching threads", seen.wanted, 0.6 * HZ, 0.2);
	assert_int_equal(seen.other, 0);
	release(&r);
}

/* kiln hangs, or is stopped: after a while nothing is sampled for nobody, and it is known how much. */
static void nobody_reads(void **state)
{
	struct sampler_opts opts = defaults();
	struct sampler_totals t;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	opts.unattended_after_ns = 200000000;
	begin(&r, &opts);
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	burn_ms(800);
	assert_int_equal(sampler_totals(r.sampler, &t), 0);
	assert_true(t.counters[KILN_CTR_recorded] <= 0.25 * HZ);
	assert_true(t.counters[KILN_CTR_unattended] >= 0.4 * HZ);
	drain(&r, NULL, NULL); /* it goes on */
	burn_ms(150);
	end(&r, NULL, NULL);
	assert_true(r.totals.counters[KILN_CTR_recorded] >= t.counters[KILN_CTR_recorded] + 10);
	release(&r);
}

struct in_cgroup {
	uint64_t id, samples;
};

static void count_in_cgroup(void *ctx, const struct window *w, const struct window_row *row)
{
	struct in_cgroup *c = ctx;

	(void)w;
	assert_int_equal(row->key.cgroup_id, c->id);
	c->samples += row->value.count;
}

static void cgroup_and_what_is_below(void **state)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char dir[128] = "", below[160], procs[192], text[16];
	char *paths[2] = {dir, NULL};
	struct sampler_opts opts = defaults();
	struct in_cgroup seen = {0};
	struct stat st;
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
	assert_int_equal(stat(below, &st), 0);
	seen.id = st.st_ino;
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
	end(&r, count_in_cgroup, &seen);
	rmdir(below);
	rmdir(dir);
	assert_int_equal(fd, 0);
	expect_about("cgroup", seen.samples, 0.3 * HZ, 0.2);
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

struct missed {
	uint64_t user, kernel, late;
};

/* A stack that is not missed has its frames, also where it was missed before. */
static bool is_missed(const struct window *w, enum kiln_stack_side side, uint64_t word)
{
	const uint64_t *frames;

	assert_true(word < KILN_STACK_WORDS || window_stack(w, side, word, &frames));
	return word == KILN_STACK_MISSED;
}

static void count_missed(void *ctx, const struct window *w, const struct window_row *row)
{
	const struct kiln_count_key *key = &row->key;
	uint64_t n = row->value.count;
	struct missed *m = ctx;

	m->user += is_missed(w, KILN_SIDE_USER, key->user_stack) ? n : 0;
	m->kernel += is_missed(w, KILN_SIDE_KERNEL, key->kernel_stack) ? n : 0;
	m->late += key->in_user && !strcmp(key->comm, "late") ? n : 0;
}

/* Nobody empties the ring: samples are counted, and those without their stacks by side. Nor has it room for what a
 * process has mapped that comes late. */
static void a_full_ring_loses_stacks_by_name(void **state)
{
	struct sampler_opts opts = defaults();
	struct missed missed = {0};
	const uint64_t *c;
	struct run r;

	(void)state;
	setenv("KILN_TEST_STACK_ENTRIES", "1",
	       1); /* the kernel's stacks go through the ring, too */
	setenv("KILN_TEST_RING_BYTES", "4096", 1);
	opts.freq_hz = 4999;
	opts.filter_tgids = true;
	begin(&r, &opts);
	unsetenv("KILN_TEST_STACK_ENTRIES");
	unsetenv("KILN_TEST_RING_BYTES");
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	for (uint64_t end_ns = thread_cpu_ns() + 400000000; thread_cpu_ns() < end_ns;)
		free(malloc(1 << 20)), access("/proc/self/none", F_OK);
	waitpid(fork_burner("late", 50, 0), NULL, 0);
	end(&r, count_missed, &missed);
	c = r.totals.counters;
	assert_true(missed.user > 0 && missed.kernel > 0);
	assert_int_equal(c[KILN_CTR_map_full], 0);
	assert_int_equal(c[KILN_CTR_user_missing], missed.user);
	assert_int_equal(c[KILN_CTR_kernel_missing], missed.kernel);
	assert_in_range(c[KILN_CTR_ring_full], 1, missed.user + missed.kernel);
	assert_true(missed.late > 0);
	if (sampler_reports_mappings(r.sampler))
		assert_true(c[KILN_CTR_mappings_unread] >= missed.late);
	release(&r);
}

/* Nor has the ring room for what user space would walk: the stack stays what it was in the kernel. */
static void walks_without_room_are_counted(void **state)
{
	struct sampler_opts opts = defaults();
	struct missed missed = {0};
	const uint64_t *c;
	struct run r;

	(void)state;
	setenv("KILN_TEST_RING_BYTES", "4096", 1);
	opts.unwind = MODE_AUTO;
	opts.kernel = false;
	opts.filter_tgids = true;
	begin(&r, &opts);
	unsetenv("KILN_TEST_RING_BYTES");
	if (!sampler_uses_tables(r.sampler)) {
		release(&r);
		print_message("SKIP: no unwind tables in this kernel\n");
		skip();
	}
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	burn_ms(300);
	end(&r, count_missed, &missed);
	c = r.totals.counters;
	assert_true(c[KILN_CTR_raw_full] > 0.2 * HZ);
	assert_int_equal(c[KILN_CTR_raw], 0);
	assert_int_equal(r.totals.walk_end[UNWIND_END_NO_MAPPING], c[KILN_CTR_raw_full]);
	assert_int_equal(c[KILN_CTR_user_missing], missed.user);
	release(&r);
}

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
		cmocka_unit_test(threads_leave_their_process_a_target),
		cmocka_unit_test(other_processes_are_filtered),
		cmocka_unit_test(a_reused_number_is_filtered),
		cmocka_unit_test(the_end_of_another_removes_no_target),
		cmocka_unit_test(descendants_without_room_are_counted),
		cmocka_unit_test(comm_glob),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(cgroup_and_what_is_below),
		cmocka_unit_test(sides_on_request),
		cmocka_unit_test(tiny_maps_lose_by_name),
		cmocka_unit_test(a_full_ring_loses_stacks_by_name),
		cmocka_unit_test(walks_without_room_are_counted),
		cmocka_unit_test(cpu_hotplug),
		cmocka_unit_test(another_frequency),
		cmocka_unit_test(bad_options_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
