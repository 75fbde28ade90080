/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process table fed by what samples tell of mappings, and by no event of any. What a teller tells
 * after "burn" it was sampled before. Needs root, cc, and Linux 6.4.
 */
#ifndef KILN_TESTS_TOLD_WATCH_H
#define KILN_TESTS_TOLD_WATCH_H

#include <setjmp.h>
#include <signal.h>

#include "profiler/base/kernel.h"
#include "profiler/procs/rescan.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"
#include "tests/lib/tellers.h"

#define REPORTED_HZ 999

static FIXTURE_UNUSED bool reported_works(void)
{
	struct kernel_version v;

	if (!kernel_version_get(&v) && kernel_can_report_mappings(&v))
		return true;
	printf("skipped: samples tell of mappings from Linux 6.4 on\n");
	return false;
}

struct reported_watch {
	struct watch w;
	struct sampler *sampler;
	struct drain *drain;
	struct rescan *rescan;
	struct reported_mappings *told;
};

static FIXTURE_UNUSED void told_start(struct reported_watch *t)
{
	struct sampler_opts opts = {

		.freq_hz = REPORTED_HZ, .window_ns = 1000000000, .unwind = MODE_AUTO, .user = true};
	struct sideband_opts sideband = {.no_mappings = true};
	struct procs_opts procs = {0};
	const char *why = "";

	if (sampler_load(&t->sampler, &opts, &why))
		fail_msg("load: %s", why);
	assert_true(sampler_reports_mappings(t->sampler));
	assert_int_equal(drain_new(&t->drain, t->sampler), 0);
	assert_int_equal(files_new(&t->w.files, NULL), 0);
	procs.files = sideband.files = t->w.files;
	assert_int_equal(procs_new(&t->w.procs, &procs), 0);
	assert_int_equal(rescan_new(&t->rescan, t->w.procs), 0);
	assert_int_equal(
		reported_mappings_new(&t->told, t->sampler, t->w.procs, t->w.files, t->rescan), 0);
	sideband.procs = t->w.procs;
	assert_int_equal(sideband_open(&t->w.sideband, &sideband), 0);
	if (sampler_start(t->sampler, &why))
		fail_msg("start: %s", why);
}

static FIXTURE_UNUSED void reported_look(struct reported_watch *t)
{
	assert_int_equal(drain_stacks(t->drain), 0);
	assert_int_equal(sideband_poll(t->w.sideband, 0), 0);
	reported_mappings_run(t->told, t->drain);
	rescan_run(t->rescan, 100000000);
	files_settle(t->w.files, 10000);
}

static FIXTURE_UNUSED struct reported_stats told_end(struct reported_watch *t)
{
	struct reported_stats stats;
	struct drain_stats drained;

	sampler_stop(t->sampler);
	reported_mappings_stats(t->told, &stats);
	drain_stats(t->drain, &drained);
	assert_int_equal(stats.bad, 0);
	assert_int_equal(drained.bad_records, 0);
	reported_mappings_free(t->told);
	watch_end(&t->w);
	rescan_free(t->rescan);
	drain_free(t->drain);
	sampler_free(t->sampler);
	return stats;
}

/* Hears a tale and that after the burn: of the same place, and sampled in between. */
static FIXTURE_UNUSED struct tale hear_burnt(struct run *r)
{
	struct tale before = hear(r), after = hear(r);

	assert_true(before.va == after.va);
	return after;
}

#endif
