// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows against the kernel: one after the other, none with rows of another. */
#include "profiler/base/clock.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/sampler_run.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_in_turn),
		cmocka_unit_test(windows_do_not_mix),
#if FAIL_ALLOC
		cmocka_unit_test(a_drain_that_fails),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
