/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of the kernel half: processes that burn CPU, and a sampler whose windows are all accounted for. */
#ifndef KILN_TESTS_SAMPLER_RUN_H
#define KILN_TESTS_SAMPLER_RUN_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"

#define HZ 499

static __attribute__((unused)) uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static __attribute__((unused)) void burn_ms(unsigned ms)
{
	uint64_t end = thread_cpu_ns() + ms * 1000000ull;

	while (thread_cpu_ns() < end)
		;
}

/* A child that burns that much CPU under a name, and forks `depth` generations that do the same. */
static __attribute__((unused)) pid_t fork_burner(const char *comm, unsigned ms, int depth)
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
	uint64_t asked_ns, ended_ns; /* of the window before: when it was asked for, and its end */
};

static __attribute__((unused)) struct sampler_opts defaults(void)
{
	return (struct sampler_opts){.freq_hz = HZ,
				     .window_ns = 1000000000,
				     .event = EVENT_CPU_CLOCK,
				     .unwind = MODE_FP,
				     .user = true,
				     .kernel = true};
}

static __attribute__((unused)) void begin(struct run *r, const struct sampler_opts *opts)
{
	const char *why = "";

	memset(r, 0, sizeof(*r));
	if (sampler_load(&r->sampler, opts, &why))
		fail_msg("load: %s", why);
	assert_int_equal(drain_new(&r->drain, r->sampler), 0);
}

static __attribute__((unused)) void start(struct run *r)
{
	const char *why = "";

	if (sampler_start(r->sampler, &why))
		fail_msg("start: %s", why);
}

typedef void (*row_fn)(void *ctx, const struct window *w, const struct window_row *row);

static __attribute__((unused)) void drain(struct run *r, row_fn fn, void *ctx)
{
	uint64_t asked_ns = boottime_ns();
	struct window *w;

	assert_int_equal(drain_window(r->drain, &w), 0);
	assert_true(w->end_ns > r->ended_ns);
	assert_in_range(w->begin_ns, r->asked_ns, w->end_ns); /* not before the one before ended */
	r->asked_ns = asked_ns;
	r->ended_ns = w->end_ns;
	for (size_t i = 0; fn && i < w->rows.len; i++)
		fn(ctx, w, &w->rows.data[i]);
	r->drained += w->samples;
	window_free(w);
}

/* Stops, and checks that every timer period on every CPU is accounted for. */
static __attribute__((unused)) void end(struct run *r, row_fn fn, void *ctx)
{
	uint64_t *c = r->totals.counters;

	sampler_stop(r->sampler);
	drain(r, fn, ctx);
	drain(r, fn, ctx); /* the other pair of maps */
	assert_int_equal(sampler_totals(r->sampler, &r->totals), 0);
	assert_int_equal(c[KILN_CTR_ticks], c[KILN_CTR_idle] + c[KILN_CTR_filtered] +
						    c[KILN_CTR_recorded] + c[KILN_CTR_map_full] +
						    c[KILN_CTR_update_failed] +
						    c[KILN_CTR_unattended]);
	assert_int_equal(c[KILN_CTR_recorded], r->drained);
	assert_int_equal(r->totals.expected, r->totals.idle + r->totals.stolen +
						     r->totals.timer_overrun + r->totals.cpu_gap +
						     c[KILN_CTR_ticks] - c[KILN_CTR_idle]);
}

static __attribute__((unused)) void release(struct run *r)
{
	drain_free(r->drain);
	sampler_free(r->sampler);
}

static __attribute__((unused)) void add_count(void *ctx, const struct window *w,
					      const struct window_row *row)
{
	(void)w;
	*(uint64_t *)ctx += row->value.count;
}

static __attribute__((unused)) void expect_about(const char *what, uint64_t got, double want,
						 double tolerance)
{
	if ((double)got < want * (1 - tolerance) || (double)got > want * (1 + tolerance))
		fail_msg("%s: %llu samples, want %.0f +- %.0f %%", what, (unsigned long long)got,
			 want, tolerance * 100);
}

#endif
