// SPDX-License-Identifier: GPL-2.0-or-later
/* What became of walks: in numbers of the profile's quality, and in the log. Whoever counts is made here. */
#include "tests/lib/fixture.h"

#include "profiler/base/log.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/collect/walk_report.h"
#include "profiler/procs/rescan.h"
#include "profiler/profile/quality.h"
#include "profiler/sampler/sampler.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct raw_walk_stats walked;
static struct unwind_tables_stats tables;
static struct unwind_maps_stats maps;
static struct rescan_stats again;
static struct reported_stats told;

void raw_walk_stats(const struct raw_walk *s, struct raw_walk_stats *out)
{
	(void)s;
	*out = walked;
}

void unwind_feed_stats(struct unwind_feed *f, struct unwind_tables_stats *t,
		       struct unwind_maps_stats *m)
{
	(void)f;
	*t = tables;
	*m = maps;
}

void rescan_stats(const struct rescan *r, struct rescan_stats *out)
{
	(void)r;
	*out = again;
}

void reported_mappings_stats(const struct reported_mappings *t, struct reported_stats *out)
{
	(void)t;
	*out = told;
}

#define ANY(type) ((struct type *)&walked)

/* 100 walks in the kernel, of which 30 went on in user space and 10 by frame pointers. */
static struct sampler_totals counted(void)
{
	struct sampler_totals t = {0};

	t.walk_end[UNWIND_END_ROOT] = 60;
	t.walk_end[UNWIND_END_NO_TABLE] = 25;
	t.walk_end[UNWIND_END_SLOW] = 15;
	t.counters[KILN_CTR_raw] = 30;
	t.counters[KILN_CTR_raw_full] = 4;
	t.counters[KILN_CTR_walk_fp] = 10;
	t.counters[KILN_CTR_mappings_reported] = 77;
	walked = (struct raw_walk_stats){
		.by_tables = 22, .by_libunwind = 8, .late = 3, .crowded = 2};
	again.read = 9;
	return t;
}

TEST(test_numbers)
{
	struct sampler_totals t = counted();
	struct quality q = {0};

	walk_count(&q, &t, ANY(unwind_feed), ANY(raw_walk), ANY(rescan));
	assert_int_equal(q.walked_kernel, 60);
	assert_int_equal(q.walked_fp, 10);
	assert_int_equal(q.walked_user, 22);
	assert_int_equal(q.walked_libunwind, 8);
	assert_int_equal(q.raw_full, 4);
	assert_int_equal(q.tables_late, 5);
	assert_int_equal(q.rescanned, 9);
	assert_int_equal(q.tables_failed, 0);
	/* a file may have failed here and there: it is one */
	tables.failed = 3;
	walked.files_failed = 2;
	walk_count(&q, &t, ANY(unwind_feed), ANY(raw_walk), ANY(rescan));
	assert_int_equal(q.tables_failed, 3);
	walked.files_failed = 4;
	walk_count(&q, &t, ANY(unwind_feed), ANY(raw_walk), ANY(rescan));
	assert_int_equal(q.tables_failed, 4);
	tables.failed = walked.files_failed = 0;
}

/* There are no tables: the window counts its frame-pointer walks itself. */
TEST(test_frame_pointers_only)
{
	struct sampler_totals t = counted();
	struct quality q = {0};

	walk_count(&q, &t, NULL, NULL, ANY(rescan));
	assert_int_equal(q.rescanned, 9);
	assert_int_equal(q.walked_kernel + q.walked_fp + q.walked_user + q.walked_libunwind, 0);
	assert_int_equal(q.raw_full, 0);
}

static void report(struct unwind_feed *feed, struct reported_mappings *reported)
{
	int saved = dup(2), fd = open("log", O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	struct sampler_totals t = counted();
	struct quality q = {0};

	assert_true(saved >= 0 && fd >= 0);
	walk_count(&q, &t, feed, ANY(raw_walk), ANY(rescan));
	dup2(fd, 2);
	log_set_level(LOG_VERBOSE);
	walk_report(&q, &t, feed, ANY(raw_walk), ANY(rescan), reported);
	log_set_level(LOG_NORMAL);
	dup2(saved, 2);
	close(saved);
	close(fd);
}

TEST(test_the_log)
{
	told.sets = 55;
	report(ANY(unwind_feed), ANY(reported_mappings));
	fixture_run(
		"grep -q '60.00 %% walked in the kernel by tables, 10.00 %% with frame pointers, "
		"22.00 %% in user space by tables, 8.00 %% by libunwind' log");
	fixture_run(
		"grep -q ' root=60' log && grep -q ' no_table=25' log && grep -q ' slow=15' log");
	fixture_run(
		"grep -q ' by_tables=22' log && grep -q ' late=3' log && grep -q ' read=9' log");
	fixture_run("grep -q ' reported=77' log && grep -q ' sets=55' log");
	report(NULL, NULL);
	fixture_run("! grep -q . log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_frame_pointers_only),
		cmocka_unit_test(test_the_log),
	};

	return cmocka_run_group_tests_name("walk_report", tests, fixture_setup, fixture_teardown);
}
