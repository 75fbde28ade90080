// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows against the kernel: one after the other, none with rows of another. */
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/clock.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/sampler_run.h"

/* How often somebody waited until all programs have ended that ran. */
static unsigned waits;

/* Instead of the C library's. */
long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	waits += number == SYS_membarrier;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

struct seen {
	uint64_t samples, stacks;
};

/* Each window has the stacks of its rows, also those that windows before it had. */
static void count_with_stacks(void *ctx, const struct window *w, const struct window_row *row)
{
	const uint64_t words[] = {row->key.user_stack, row->key.kernel_stack};
	struct seen *seen = ctx;
	const uint64_t *frames;

	for (uint32_t side = KILN_SIDE_USER; side <= KILN_SIDE_KERNEL; side++) {
		if (words[side] < KILN_STACK_WORDS)
			continue;
		assert_non_null(window_stack(w, side, words[side], &frames));
		seen->stacks++;
	}
	seen->samples += row->value.count;
}

static bool is_empty(const struct bpf_map *map)
{
	char key[sizeof(struct kiln_count_key)];

	return bpf_map_get_next_key(bpf_map__fd(map), NULL, key) != 0;
}

/* Nothing of the window that was read stays behind for the one that is counted in the same maps. */
static void assert_no_remains(const struct run *r)
{
	const struct profile_bpf *k = sampler_skeleton(r->sampler);
	const struct bpf_map *const maps[2][3] = {
		{k->maps.kiln_counts_0, k->maps.kiln_seen_0, k->maps.kiln_kstacks_0},
		{k->maps.kiln_counts_1, k->maps.kiln_seen_1, k->maps.kiln_kstacks_1},
	};
	uint32_t read = !(k->bss->current_window & 1);

	for (size_t i = 0; i < 3; i++)
		assert_true(is_empty(maps[read][i]));
}

static void windows_in_turn(void **state)
{
	struct sampler_opts opts = defaults();
	struct seen seen = {0};
	uint64_t windows = 0;
	struct run r;
	pid_t pid;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	pid = fork_burner("windows", 1000, 0);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	start(&r);
	waits = 0;
	while (!waitpid(pid, NULL, WNOHANG)) {
		usleep(20000);
		drain(&r, count_with_stacks, &seen);
		assert_no_remains(&r);
		windows++;
		assert_int_equal(waits, windows); /* a program may write where it began to */
	}
	end(&r, count_with_stacks, &seen);
	assert_true(windows > 10);
	assert_true(seen.stacks > HZ / 2);
	expect_about("samples over many windows", seen.samples, 1.0 * HZ, 0.1);
	release(&r);
}

/* Rows are of the window that they come with. */
static void assert_of_this_window(void *ctx, const struct window *w, const struct window_row *row)
{
	(void)ctx;
	assert_in_range(row->value.first_ns, w->begin_ns, w->end_ns);
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

struct times {
	uint64_t right, wrong;
};

static void count_times(void *ctx, const struct window *w, const struct window_row *row)
{
	struct times *t = ctx;
	bool is_right = row->value.first_ns >= w->begin_ns && row->value.first_ns <= w->end_ns;

	t->right += is_right;
	t->wrong += !is_right;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* In a process whose boot was hours before that of the kernel. 0: all times of its samples are its own. */
static int sample_there(void)
{
	struct sampler_opts opts = defaults();
	struct times times = {0};
	struct run r;

	opts.filter_tgids = true;
	begin(&r, &opts);
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	drain(&r, NULL, NULL);
	for (int i = 0; i < 4; i++) {
		burn_ms(50);
		drain(&r, count_times, &times);
	}
	sampler_stop(r.sampler);
	release(&r);
	return times.right > 4 && !times.wrong ? 0 : 1;
}

/* The kernel's times are those of the initial time namespace: ours may be others. */
static void times_of_another_time_namespace(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWTIME) ||
		    !write_file("/proc/self/timens_offsets", "boottime 30000 0"))
			_exit(77);
		pid = fork(); /* its children are in it */
		if (!pid)
			_exit(sample_there());
		_exit(waitpid(pid, &status, 0) == pid && !status ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("SKIP: no time namespaces here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* Of two stacks of user space: the leaf alone tells them apart. */
static bool differ_in_leaf(const struct window *w, const struct window_stack *a,
			   const struct window_stack *b)
{
	const uint64_t *at = w->frames.data + a->first, *bt = w->frames.data + b->first;

	return a->side == KILN_SIDE_USER && b->side == KILN_SIDE_USER && a->len &&
	       a->len == b->len && at[0] != bt[0] &&
	       !memcmp(at + 1, bt + 1, (a->len - 1) * sizeof(*at));
}

static volatile uint64_t spun;

/* Instructions of one function, which calls none: the callers are the same for all of them. */
static pid_t fork_spinner(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		spun++;
}

/* Frames are sent once for each stack, and the word that stands for them tells every frame. */
static void stacks_are_told_apart_by_their_leaf(void **state)
{
	struct sampler_opts opts = defaults();
	pid_t pid = fork_spinner();
	struct seen seen = {0};
	unsigned pairs = 0;
	struct window *w;
	struct run r;

	(void)state;
	opts.filter_tgids = true;
	begin(&r, &opts);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	start(&r);
	for (int turn = 0; turn < 40 && !pairs; turn++) { /* it may not run at once */
		usleep(500000);
		assert_int_equal(drain_window(r.drain, &w), 0);
		for (size_t i = 0; i < w->stacks.len; i++)
			for (size_t j = 0; j < i; j++)
				pairs += differ_in_leaf(w, &w->stacks.data[i], &w->stacks.data[j]);
		window_free(w);
	}
	assert_true(pairs > 0);
	/* windows that have the same stacks again */
	for (int i = 0; i < 6 || (i < 200 && !seen.stacks); i++) {
		usleep(100000);
		drain(&r, count_with_stacks, &seen);
	}
	assert_true(seen.stacks > 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	sampler_stop(r.sampler);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_in_turn),
		cmocka_unit_test(windows_do_not_mix),
		cmocka_unit_test(times_of_another_time_namespace),
		cmocka_unit_test(stacks_are_told_apart_by_their_leaf),
#if FAIL_ALLOC
		cmocka_unit_test(a_drain_that_fails),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
