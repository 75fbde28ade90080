// SPDX-License-Identifier: GPL-2.0-or-later
/* What was refused for lack of room reaches the profile's counters. */
#include "profiler/collect/bounds.h"

#include "profiler/cgroups/cgroups.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/rescan.h"
#include "profiler/profile/quality.h"
#include "tests/lib/fixture.h"
#include "tests/lib/proc_table.h"

static void fill_files(struct files *f)
{
	struct file_key key = {.path = "/nowhere", .inode = 1};

	for (key.inode = 1; key.inode <= 10; key.inode++)
		files_intern(f, &key, 0, 0, 0, 0);
}

static void fill_procs(struct procs *p)
{
	for (int i = 0; i < 20000; i++) {
		procs_fork(p, 1, 10 + i, 10 + i, 1);
		procs_exit(p, 2, 10 + i, 10 + i);
	}
	for (uint64_t i = 0; i < 20000; i++)
		map(p, 10 + i, 9, 0x1000, 0x1000, 0, (uint32_t)(i % 2));
}

static void fill_rescan(struct rescan *r)
{
	for (int i = 0; i < 16384 + 3; i++)
		rescan_want(r, 5000000 + i, 1);
}

static void fill_ksyms(struct ksyms *k)
{
	for (uint64_t i = 0; i < 16384 + 5; i++)
		ksyms_begin(k, 1, 0x1000 * (i + 1), 16, "x");
}

static void test_all_are_counted(void **state)
{
	struct files_opts files = {.max_files = 8};
	struct procs_opts procs = {.max_bytes = 1 << 20};
	struct bounded b = {0};
	struct quality q = {0};

	(void)state;
	bounds_count(&q, &b); /* nothing is there */
	assert_int_equal(q.full_files + q.full_stacks + q.full_tables, 0);
	assert_int_equal(files_new(&b.files, &files), 0);
	assert_int_equal(procs_new(&b.procs, &procs), 0);
	assert_int_equal(rescan_new(&b.rescan, b.procs), 0);
	assert_int_equal(ksyms_new(&b.ksyms), 0);
	fill_files(b.files);
	fill_procs(b.procs);
	fill_rescan(b.rescan);
	fill_ksyms(b.ksyms);
	bounds_count(&q, &b);
	assert_int_equal(q.full_files, 2);
	assert_int_equal(q.full_processes, stats_of(b.procs).evicted);
	assert_true(q.full_processes > 1000);
	assert_int_equal(q.full_mappings,
			 stats_of(b.procs).past_dropped + stats_of(b.procs).mappings_capped);
	assert_true(q.full_mappings > 1000);
	assert_int_equal(q.full_rescans, 3);
	assert_int_equal(q.full_ksyms, 5);
	assert_int_equal(q.full_cgroups, 0);
	rescan_free(b.rescan);
	procs_free(b.procs);
	files_free(b.files);
	ksyms_free(b.ksyms);
}

static void test_cgroups(void **state)
{
	struct cgroups_opts opts = {
		.mount = fixture_dir, .max_known = 4, .walk_every_ns = 1, .walk_ppm = 1000000};
	struct bounded b = {0};
	struct quality q = {0};
	struct cgroup_names n;

	(void)state;
	fixture_run("mkdir 0 1 2 3 4 5 6 7");
	assert_int_equal(cgroups_new_with(&b.cgroups, &opts), 0);
	for (int i = 0; i < 8; i++) {
		char name[] = {(char)('0' + i), 0}, *path;
		uint64_t id;

		assert_int_equal(cgroups_by_path(b.cgroups, name, &path, &id), 0);
		cgroups_names(b.cgroups, id, &n);
		free(path);
	}
	bounds_count(&q, &b);
	assert_int_equal(q.full_cgroups, 4);
	cgroups_free(b.cgroups);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_counted),
		cmocka_unit_test(test_cgroups),
	};

	return cmocka_run_group_tests_name("bounds", tests, fixture_setup, fixture_teardown);
}
