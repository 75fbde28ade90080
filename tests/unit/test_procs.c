// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/space.h"
#include "profiler/procs/table.h"

#define SEC   1000000000ull
#define NEVER UINT64_MAX

static struct procs *new_table(const struct procs_opts *opts)
{
	struct procs *p;

	assert_int_equal(procs_new(&p, opts), 0);
	return p;
}

static void map(struct procs *p, uint64_t t, pid_t tgid, uint64_t start, uint64_t len, uint64_t off,
		uint32_t file)
{
	struct proc_mapping m = {start, len, off, file, 0};

	procs_mmap(p, t, tgid, &m);
}

static struct place at(struct procs *p, pid_t tgid, uint64_t t, uint64_t va)
{
	struct place place;

	procs_resolve(p, tgid, t, va, &place);
	return place;
}

static void assert_file(struct procs *p, pid_t tgid, uint64_t t, uint64_t va, uint32_t file,
			uint64_t off)
{
	struct place place = at(p, tgid, t, va);

	assert_int_equal(place.kind, PLACE_FILE);
	assert_int_equal(place.file, file);
	assert_int_equal(place.file_off, off);
}

static void assert_kind(struct procs *p, pid_t tgid, uint64_t t, uint64_t va, enum place_kind kind)
{
	assert_int_equal(at(p, tgid, t, va).kind, kind);
}

static struct procs_stats stats_of(const struct procs *p)
{
	struct procs_stats s;

	procs_stats(p, &s);
	return s;
}

/* --- single stories --------------------------------------------------------------------------- */

static void test_replaced_mapping_still_resolves(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 10, 5, 5, 1);
	map(p, 20, 5, 0x1000, 0x3000, 0x500, 7);
	map(p, 30, 5, 0x2000, 0x1000, 0, 8); /* over the middle */
	assert_kind(p, 5, 15, 0x2000, PLACE_UNMAPPED);
	assert_file(p, 5, 25, 0x2010, 7, 0x1510);
	assert_file(p, 5, 30, 0x2010, 8, 0x10);
	assert_file(p, 5, 30, 0x1000, 7, 0x500);
	assert_file(p, 5, 30, 0x3fff, 7, 0x34ff);
	assert_kind(p, 5, 30, 0x4000, PLACE_UNMAPPED);
	assert_kind(p, 5, 9, 0x1000, PLACE_NO_PROCESS);
	assert_kind(p, 6, 30, 0x1000, PLACE_NO_PROCESS);
	procs_free(p);
}

static void test_kinds(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	map(p, 2, 5, 0x7000, 0x2000, 0, FILE_VDSO);
	assert_int_equal(procs_image(p, 5, 2)->exe, FILE_NONE); /* the vDSO is not a program */
	assert_false(procs_image(p, 5, 2)->has_anon_exec);
	map(p, 2, 5, 0x1000, 0x1000, 0, FILE_NONE);
	map(p, 2, 5, 0x4000, 0x1000, 0x4000, 3);
	map(p, 2, 5, 0x5000, 0x1000, 0x4000, 4);
	assert_int_equal(at(p, 5, 3, 0x8123).kind, PLACE_VDSO);
	assert_int_equal(at(p, 5, 3, 0x8123).file_off, 0x1123);
	assert_kind(p, 5, 3, 0x1fff, PLACE_ANON);
	assert_true(procs_image(p, 5, 3)->has_anon_exec);
	assert_int_equal(procs_image(p, 5, 3)->exe, 3);
	procs_free(p);
}

static void test_fork_exec_exit(void **state)
{
	struct procs *p = new_table(NULL);
	const struct proc_image *im;
	uint32_t parent_id, child_id;

	(void)state;
	procs_fork(p, 10, 5, 5, 1);
	procs_comm(p, 11, 5, 5, "make", true);
	map(p, 12, 5, 0x1000, 0x1000, 0, 1);
	procs_fork(p, 20, 6, 6, 5);
	parent_id = at(p, 5, 20, 0x1000).image;
	child_id = at(p, 6, 20, 0x1000).image;
	assert_int_not_equal(parent_id, child_id);
	assert_file(p, 6, 20, 0x1010, 1, 0x10);
	map(p, 21, 6, 0x1000, 0x1000, 0, 2); /* in the child alone */
	assert_file(p, 5, 21, 0x1010, 1, 0x10);
	assert_file(p, 6, 21, 0x1010, 2, 0x10);
	procs_comm(p, 30, 6, 6, "cc1", true);
	assert_kind(p, 6, 30, 0x1010, PLACE_UNMAPPED); /* exec clears all */
	assert_file(p, 6, 29, 0x1010, 2, 0x10);
	map(p, 31, 6, 0x9000, 0x1000, 0, 3);
	procs_exit(p, 40, 6, 6);
	assert_file(p, 6, 39, 0x9000, 3, 0);
	assert_file(p, 6, 41, 0x9000, 3, 0); /* do_exit() has to finish */
	assert_kind(p, 6, 40 + SEC, 0x9000, PLACE_NO_PROCESS);
	im = procs_image(p, 6, 25);
	assert_string_equal(im->comm, "make");
	assert_int_equal(im->parent_tgid, 5);
	assert_int_equal(im->exe, 1);
	im = procs_image(p, 6, 35);
	assert_string_equal(im->comm, "cc1");
	assert_int_equal(im->parent_tgid, 5);
	assert_int_equal(im->exe, 3);
	assert_int_equal(im->begin_ns, 30);
	assert_int_equal(im->end_ns, 40);
	assert_string_equal(procs_image(p, 5, 35)->comm, "make");
	procs_free(p);
}

static void test_main_thread_exits_first(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 10, 5, 5, 1);
	map(p, 11, 5, 0x1000, 0x1000, 0, 1);
	procs_fork(p, 12, 5, 6, 5);
	procs_fork(p, 12, 5, 7, 5);
	procs_comm(p, 13, 5, 5, "main", false);
	procs_comm(p, 13, 5, 6, "worker", false); /* a thread's name is not the process's */
	procs_exit(p, 20, 5, 5);
	procs_exit(p, 21, 5, 7);
	assert_int_equal(stats_of(p).images_alive, 1);
	map(p, 30 * SEC, 5, 0x5000, 0x1000, 0, 2);
	assert_file(p, 5, 31 * SEC, 0x1000, 1, 0);
	assert_file(p, 5, 31 * SEC, 0x5000, 2, 0);
	assert_string_equal(procs_image(p, 5, 31 * SEC)->comm, "main");
	procs_exit(p, 40 * SEC, 5, 6);
	assert_int_equal(stats_of(p).images_alive, 0);
	assert_int_equal(procs_image(p, 5, 40 * SEC)->end_ns, 40 * SEC);
	procs_free(p);
}

static void test_exec_ends_other_threads(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 10, 5, 5, 1);
	procs_fork(p, 12, 5, 6, 5);
	procs_fork(p, 12, 5, 7, 5);
	/* thread 6 calls exec(2): 7 and the old leader end, 6 becomes 5 and never exits as 6 */
	procs_exit(p, 14, 5, 7);
	procs_exit(p, 15, 5, 5);
	procs_comm(p, 16, 5, 5, "new", true);
	procs_exit(p, 20, 5, 5);
	assert_int_equal(stats_of(p).images_alive, 0);
	assert_string_equal(procs_image(p, 5, 18)->comm, "new");
	procs_free(p);
}

static void test_pid_reuse(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	for (int i = 0; i < 100; i++) {
		procs_fork(p, 100 * i, 5, 5, 1);
		map(p, 100 * i + 1, 5, 0x1000, 0x1000, 0, (uint32_t)i);
		if (i % 3) /* else the exit was lost */
			procs_exit(p, 100 * i + 50, 5, 5);
	}
	for (int i = 0; i < 100; i++) {
		assert_file(p, 5, 100 * i + 30, 0x1000, (uint32_t)i, 0);
		assert_file(p, 5, 100 * i + 99, 0x1000, (uint32_t)i, 0);
		assert_kind(p, 5, 100 * i, 0x1000, PLACE_UNMAPPED);
	}
	procs_free(p);
}

static void test_unknown_processes_become_known(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_exit(p, 1, 9, 9); /* what has ended is no news */
	assert_int_equal(stats_of(p).images, 0);
	map(p, 10, 5, 0x1000, 0x1000, 0, 1);
	assert_file(p, 5, 10, 0x1000, 1, 0);
	procs_comm(p, 10, 6, 6, "six", false);
	assert_string_equal(procs_image(p, 6, 10)->comm, "six");
	procs_fork(p, 10, 7, 70, 7);
	procs_exit(p, 11, 7, 7);
	assert_int_equal(procs_image(p, 7, 11)->end_ns, NEVER); /* thread 70 runs */
	procs_fork(p, 20, 8, 8, 4); /* of an unknown parent */
	assert_kind(p, 8, 20, 0x1000, PLACE_UNMAPPED);
	/* after an end, an event without a fork is of a stranger: nothing is carried over */
	procs_exit(p, 30, 5, 5);
	map(p, 31, 5, 0x8000, 0x1000, 0, 2);
	assert_kind(p, 5, 31, 0x1000, PLACE_UNMAPPED);
	assert_file(p, 5, 29, 0x1000, 1, 0);
	procs_free(p);
}

static void test_late_mapping_goes_behind(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	map(p, 30, 5, 0x2000, 0x1000, 0, 2);
	map(p, 10, 5, 0x1000, 0x3000, 0, 1); /* comes late */
	assert_file(p, 5, 20, 0x2000, 1, 0x1000);
	assert_file(p, 5, 30, 0x2000, 2, 0);
	assert_file(p, 5, 30, 0x1000, 1, 0);
	assert_file(p, 5, 30, 0x3000, 1, 0x2000);
	assert_kind(p, 5, 9, 0x2000, PLACE_UNMAPPED);
	procs_free(p);
}

static void test_comm_is_cleaned(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 1, 5, 5, "a\033[31mb\n", false);
	assert_string_equal(procs_image(p, 5, 1)->comm, "a?[31mb?");
	procs_comm(p, 1, 5, 5, "0123456789012345678", false);
	assert_string_equal(procs_image(p, 5, 1)->comm, "012345678901234");
	procs_comm(p, 1, 5, 5, "gr\xc3\xbc\xc3\x9f", false);
	assert_string_equal(procs_image(p, 5, 1)->comm, "gr\xc3\xbc\xc3\x9f");
	procs_comm(p, 1, 5, 5, "0123456789abcd\xc3", false); /* cut by the kernel */
	assert_string_equal(procs_image(p, 5, 1)->comm, "0123456789abcd?");
	procs_free(p);
}

/* A JIT makes its pages writable and executable again, and its region larger, many times. */
static void test_jit_region_stays_one_mapping(void **state)
{
	struct procs *p = new_table(NULL);
	const uint64_t base = 0x10000000;

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	for (uint64_t i = 1; i <= 1000; i++) {
		map(p, 10 * i, 5, base, 0x1000 * i, 0, FILE_NONE);
		map(p, 10 * i + 1, 5, base + 0x1000 * (i / 2), 0x1000, 0, FILE_NONE);
		map(p, 10 * i + 2, 5, base - 0x1000 * i, 0x1000, 0, FILE_NONE);
	}
	assert_int_equal(stats_of(p).mappings, 1);
	assert_kind(p, 5, 20000, base + 999 * 0x1000, PLACE_ANON);
	assert_kind(p, 5, 20000, base + 1000 * 0x1000, PLACE_UNMAPPED);
	assert_kind(p, 5, 20000, base - 1000 * 0x1000, PLACE_ANON);
	procs_free(p);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void test_expiry_returns_to_baseline(void **state)
{
	struct procs_opts opts = {.linger_ns = 10 * SEC};
	struct procs *p = new_table(&opts);
	struct procs_stats before, after;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 5000; i++) {
			uint64_t t = (100 * round + 1) * SEC + i;

			procs_fork(p, t, (pid_t)(10 + i), (pid_t)(10 + i), 1);
			procs_comm(p, t + 1, (pid_t)(10 + i), (pid_t)(10 + i), "x", true);
			map(p, t + 2, (pid_t)(10 + i), 0x1000 * i, 0x1000, 0, 1);
			map(p, t + 3, (pid_t)(10 + i), 0x1000 * i, 0x1000, 0, 2);
			procs_exit(p, t + 4, (pid_t)(10 + i), (pid_t)(10 + i));
		}
		before = stats_of(p);
		assert_int_equal(before.images, 2 * 5000);
		assert_int_equal(before.mappings, 2 * 5000);
		procs_expire(p, (100 * round + 11) * SEC); /* not yet */
		assert_int_equal(stats_of(p).images, 2 * 5000);
		procs_expire(p, (100 * round + 20) * SEC);
		assert_int_equal(stats_of(p).images, 0);
		assert_int_equal(stats_of(p).mappings, 0);
		if (round)
			assert_int_equal(stats_of(p).bytes, after.bytes);
		after = stats_of(p);
		assert_true(after.bytes < before.bytes / 5);
		assert_int_equal(after.evicted, 0);
	}
	procs_free(p);
}

static void test_expiry_drops_replaced_mappings(void **state)
{
	struct procs_opts opts = {.linger_ns = 10 * SEC};
	struct procs *p = new_table(&opts);

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	for (uint64_t i = 0; i < 100; i++)
		map(p, SEC * (1 + i), 5, 0x1000, 0x1000, 0, (uint32_t)i);
	procs_expire(p, SEC * 101);
	assert_file(p, 5, SEC * 95, 0x1000, 94, 0);
	assert_file(p, 5, SEC * 101, 0x1000, 99, 0);
	assert_kind(p, 5, SEC * 50, 0x1000, PLACE_UNMAPPED);
	assert_in_range(stats_of(p).mappings, 1, 12);
	procs_free(p);
}

static void test_eviction_takes_the_oldest_dead(void **state)
{
	struct procs_opts opts = {.max_bytes = 1 << 20};
	struct procs *p = new_table(&opts);

	(void)state;
	procs_fork(p, 1, 9, 9, 1);
	map(p, 2, 9, 0x1000, 0x1000, 0, 77);
	for (uint64_t i = 0; i < 20000; i++) {
		pid_t tgid = (pid_t)(10 + i);

		procs_fork(p, 10 * i, tgid, tgid, 1);
		map(p, 10 * i + 1, tgid, 0x1000, 0x1000, 0, 3);
		procs_exit(p, 10 * i + 2, tgid, tgid);
		assert_true(stats_of(p).bytes < (1 << 20) + 8192);
	}
	assert_true(stats_of(p).evicted > 10000);
	assert_int_equal(stats_of(p).images + stats_of(p).evicted, 20001);
	assert_file(p, 9, 3, 0x1000, 77, 0); /* the living stay */
	assert_file(p, 10 + 19999, 199991, 0x1000, 3, 0);
	assert_kind(p, 10, 1, 0x1000, PLACE_NO_PROCESS);
	procs_free(p);
}

static void test_the_living_are_bounded_too(void **state)
{
	struct procs_opts opts = {.max_bytes = 1 << 20};
	struct procs *p = new_table(&opts);

	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		procs_fork(p, i, (pid_t)(10 + i), (pid_t)(10 + i), 1);
		map(p, i, (pid_t)(10 + i), 0x1000, 0x1000, 0, 3);
	}
	assert_true(stats_of(p).bytes < (1 << 20) + 200000); /* a table may have doubled */
	assert_true(stats_of(p).evicted > 0);
	assert_file(p, 10, 20000, 0x1000, 3, 0);
	procs_free(p);
}

static void test_mappings_are_capped(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	for (uint64_t i = 0; i < 70000; i++) /* descending, as mmap(2) does */
		map(p, 2, 5, (100000 - 2 * i) * 0x1000 + 0x10000000, 0x1000, 0, (uint32_t)i);
	assert_int_equal(stats_of(p).mappings, SPACE_MAX_MAPPINGS);
	assert_int_equal(stats_of(p).mappings_capped, 70000 - SPACE_MAX_MAPPINGS);
	for (uint64_t i = 0; i < SPACE_MAX_MAPPINGS; i += 101)
		assert_file(p, 5, 3, (100000 - 2 * i) * 0x1000 + 0x10000000, (uint32_t)i, 0);
	procs_free(p);
}

/* dlopen() and dlclose() in turn: there is no event for the latter. */
static void test_replacing_for_ever_is_bounded(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	for (uint64_t i = 0; i < 100000; i++)
		map(p, 10 + i, 5, 0x1000, 0x1000, 0, (uint32_t)(i % 2));
	assert_true(stats_of(p).mappings <= SPACE_MAX_PAST + 1);
	for (uint64_t i = 100000 - SPACE_MAX_PAST / 2; i < 100000; i++)
		assert_file(p, 5, 10 + i, 0x1000, (uint32_t)(i % 2), 0);
	procs_free(p);
}

static void test_odd_ranges(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	map(p, 2, 5, 0x1000, 0, 0, 1);
	map(p, 2, 5, UINT64_MAX - 10, 100, 0, 1); /* wraps around */
	assert_int_equal(stats_of(p).mappings, 0);
	map(p, 2, 5, 0, UINT64_MAX, 0, 1);
	map(p, 3, 5, UINT64_MAX - 10, 10, 0, 2);
	assert_file(p, 5, 3, 0, 1, 0);
	assert_file(p, 5, 3, UINT64_MAX - 1, 2, 9);
	assert_file(p, 5, 2, UINT64_MAX - 1, 1, UINT64_MAX - 1);
	assert_kind(p, 5, 3, UINT64_MAX, PLACE_UNMAPPED);
	procs_free(p);
}

/* --- the scan and the events around it -------------------------------------------------------- */

#define TICK 10000000ull

static void scan(struct procs *p, pid_t tgid, uint64_t start_ns, uint64_t now_ns, uint64_t from_ns,
		 uint64_t to_ns, uint32_t file)
{
	static const pid_t tids[] = {501, 502};
	struct proc_mapping m = {0x1000, 0x1000, 0, file, 0};
	struct scanned s = {
		.tgid = tgid, .parent_tgid = 1, .ns_tgid = 2, .uid = 1000,
		.start_ns = start_ns - start_ns % TICK, .now_ns = now_ns,
		.from_ns = from_ns, .to_ns = to_ns, .comm = "scanned",
		.tids = tids, .n_tids = tgid == 500 ? 2 : 0,
		.mappings = &m, .n_mappings = file != FILE_NONE, .exe = file,
	};

	assert_int_equal(procs_add_scanned(p, &s), 0);
}

static void test_scan(void **state)
{
	struct procs *p = new_table(NULL);
	const struct proc_image *im;

	(void)state;
	scan(p, 500, 3 * SEC, 100 * SEC, 100 * SEC + 5, 100 * SEC + 9, 7);
	assert_file(p, 500, 100 * SEC, 0x1000, 7, 0);
	im = procs_image(p, 500, 50 * SEC);
	assert_int_equal(im->begin_ns, 3 * SEC);
	assert_int_equal(im->uid, 1000);
	assert_int_equal(im->ns_tgid, 2);
	assert_string_equal(im->comm, "scanned");
	procs_exit(p, 101 * SEC, 500, 500);
	procs_exit(p, 101 * SEC, 500, 501);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_exit(p, 102 * SEC, 500, 502);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* Events that the scan has seen the outcome of come after it, and must not change it. */
static void test_events_before_the_scan(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	scan(p, 50, 3 * SEC, 100 * SEC, 100 * SEC + 5, 100 * SEC + 9, 7);
	map(p, 99 * SEC, 50, 0x1000, 0x1000, 0, 6); /* what was there before */
	map(p, 99 * SEC + 1, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, 100 * SEC, 0x1000, 7, 0);
	assert_file(p, 50, 99 * SEC, 0x1000, 6, 0);
	assert_file(p, 50, 99 * SEC + 1, 0x1000, 7, 0);
	/* the pid's owner before it ended: not this one, it was read after that */
	procs_exit(p, 100 * SEC + 4, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_exit(p, 100 * SEC + 5, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* fork and exec while /proc is read: the events say all, what was read is of any of these times. */
static void test_born_during_the_scan(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	scan(p, 40, 3 * SEC, t, t + 1, t + 2, 9);
	scan(p, 50, t + 3 * TICK + 5, t, t + 5 * TICK, t + 6 * TICK, 7);
	assert_file(p, 50, t + 4 * TICK, 0x1000, 7, 0);
	procs_fork(p, t + 3 * TICK + 7, 50, 50, 40);
	assert_int_equal(stats_of(p).images, 2); /* not doubled */
	assert_file(p, 50, t + 3 * TICK + 8, 0x1000, 9, 0);
	procs_comm(p, t + 3 * TICK + 100, 50, 50, "seven", true);
	map(p, t + 3 * TICK + 200, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, t + 3 * TICK + 99, 0x1000, 9, 0);
	assert_kind(p, 50, t + 3 * TICK + 100, 0x1000, PLACE_UNMAPPED);
	assert_file(p, 50, t + 3 * TICK + 200, 0x1000, 7, 0);
	assert_int_equal(procs_image(p, 50, t + 4 * TICK)->uid, 1000);
	assert_int_equal(procs_image(p, 50, t + 4 * TICK)->ns_tgid, 2);
	procs_exit(p, t + 5 * TICK + 1, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_free(p);
}

/* The scan found the second owner of a pid; the events of the first come later. */
static void test_pid_reused_during_the_scan(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	scan(p, 50, t + 50 * TICK, t, t + 60 * TICK, t + 61 * TICK, 7);
	procs_fork(p, t + TICK, 50, 50, 40);
	procs_comm(p, t + TICK + 1, 50, 50, "first", true);
	map(p, t + TICK + 2, 50, 0x1000, 0x1000, 0, 6);
	procs_exit(p, t + 20 * TICK, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_fork(p, t + 50 * TICK + 3, 50, 50, 40);
	procs_comm(p, t + 50 * TICK + 4, 50, 50, "second", true);
	map(p, t + 50 * TICK + 5, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, t + 10 * TICK, 0x1000, 6, 0);
	assert_string_equal(procs_image(p, 50, t + 10 * TICK)->comm, "first");
	assert_file(p, 50, t + 70 * TICK, 0x1000, 7, 0);
	assert_string_equal(procs_image(p, 50, t + 70 * TICK)->comm, "second");
	procs_exit(p, t + 80 * TICK, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* exec in place while its maps are read: they may be of either program, so they count for none. */
static void test_exec_during_the_scan(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	scan(p, 50, 3 * SEC, t, t + 10, t + 90, 7);
	procs_comm(p, t + 50, 50, 50, "new", true);
	assert_kind(p, 50, t + 20, 0x1000, PLACE_UNMAPPED);
	assert_kind(p, 50, t + 50, 0x1000, PLACE_UNMAPPED);
	map(p, t + 60, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, t + 60, 0x1000, 7, 0);
	/* a later one leaves what was read to the old program */
	scan(p, 51, 3 * SEC, t, t + 10, t + 90, 7);
	procs_comm(p, t + 91, 51, 51, "new", true);
	assert_file(p, 51, t + 20, 0x1000, 7, 0);
	procs_free(p);
}

/* Reading one process again adds what events did not tell, and takes nothing away. */
static void test_scan_of_a_known_process(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	procs_fork(p, t, 50, 50, 40);
	procs_comm(p, t + 10, 50, 50, "fifty", true);
	map(p, t + 20, 50, 0x8000, 0x1000, 0, 3);
	scan(p, 50, t, t + 30, t + 31, t + 32, 7);
	assert_int_equal(stats_of(p).images, 2);
	assert_file(p, 50, t + 40, 0x8000, 3, 0);
	assert_file(p, 50, t + 40, 0x1000, 7, 0);
	assert_int_equal(procs_image(p, 50, t + 40)->begin_ns, t + 10);
	/* a process known by a later mapping only gets its true beginning */
	map(p, t + 50, 60, 0x8000, 0x1000, 0, 3);
	scan(p, 60, 5 * SEC, t + 60, t + 61, t + 62, 7);
	assert_int_equal(procs_image(p, 60, t)->begin_ns, 5 * SEC);
	assert_int_equal(stats_of(p).images_alive, 2);
	/* a process known to have ended is not brought back by what was read before its end */
	procs_exit(p, t + 70, 60, 60);
	scan(p, 60, 5 * SEC, t + 65, t + 66, t + 67, 7);
	assert_int_equal(stats_of(p).images_alive, 1);
	/* but another owner of its pid is new */
	scan(p, 60, t + 20 * TICK, t + 21 * TICK, t + 21 * TICK, t + 22 * TICK, 8);
	assert_file(p, 60, t + 21 * TICK, 0x1000, 8, 0);
	procs_free(p);
}

static void test_leader_gone_at_scan(void **state)
{
	struct procs *p = new_table(NULL);
	static const pid_t tids[] = {91};
	struct scanned s = {
		.tgid = 90, .start_ns = SEC, .now_ns = 5 * SEC, .from_ns = 5 * SEC,
		.to_ns = 5 * SEC, .leader_gone = true, .tids = tids, .n_tids = 1,
		.exe = FILE_NONE,
	};

	(void)state;
	assert_int_equal(procs_add_scanned(p, &s), 0);
	procs_exit(p, 6 * SEC, 90, 91);
	assert_int_equal(procs_image(p, 90, 6 * SEC)->end_ns, 6 * SEC);
	procs_free(p);
}

/* --- against a naive model -------------------------------------------------------------------- */

#define N_TGIDS 6
#define PAGES	40
#define PAGE	0x1000ull
#define STEP	(SEC / 5) /* so that the grace after an exit matters */

struct model_map {
	uint64_t since;
	struct proc_mapping m;
};

struct model_image {
	pid_t tgid, parent;
	uint64_t begin, end;
	bool gone; /* lived no time */
	bool anon;
	uint32_t exe;
	char comm[16];
	VEC(struct model_map) maps; /* in the order they were made */
};

/* Everything that ever was, in the order of its beginning; nothing is ever removed. */
struct model {
	VEC(struct model_image) images;
	bool leader_gone[N_TGIDS + 1];
	VEC(pid_t) threads[N_TGIDS + 1];
};

static struct model_image *m_newest(struct model *m, pid_t tgid)
{
	for (size_t i = m->images.len; i-- > 0;)
		if (m->images.data[i].tgid == tgid && !m->images.data[i].gone)
			return &m->images.data[i];
	return NULL;
}

static struct model_image *m_at(struct model *m, pid_t tgid, uint64_t t)
{
	for (size_t i = m->images.len; i-- > 0;) {
		struct model_image *im = &m->images.data[i];

		if (im->tgid != tgid || im->gone || im->begin > t)
			continue;
		return im->end == NEVER || t < im->end || t - im->end < SEC ? im : NULL;
	}
	return NULL;
}

static void m_end(struct model *m, pid_t tgid, uint64_t t)
{
	struct model_image *im = m_newest(m, tgid);

	if (im && im->end == NEVER) {
		im->end = t;
		im->gone = im->begin == t;
	} else if (im && im->begin == t) {
		im->gone = true;
	}
}

static struct model_image *m_begin(struct model *m, pid_t tgid, uint64_t t)
{
	struct model_image im = {.tgid = tgid, .begin = t, .end = NEVER, .exe = FILE_NONE};

	m_end(m, tgid, t);
	m->leader_gone[tgid] = false;
	m->threads[tgid].len = 0;
	assert_int_equal(vec_push(&m->images, im), 0);
	return &vec_last(&m->images);
}

static struct model_image *m_known(struct model *m, pid_t tgid, uint64_t t)
{
	struct model_image *im = m_newest(m, tgid);

	return im && im->end == NEVER ? im : m_begin(m, tgid, t);
}

static void m_fork(struct model *m, uint64_t t, pid_t tgid, pid_t parent)
{
	struct model_image *im = m_begin(m, tgid, t), *from = m_at(m, parent, t);

	im->parent = parent;
	if (!from || parent == tgid)
		return;
	im->anon = from->anon;
	im->exe = from->exe;
	memcpy(im->comm, from->comm, sizeof(im->comm));
	for (size_t i = 0; i < from->maps.len; i++)
		assert_int_equal(vec_push(&im->maps, from->maps.data[i]), 0);
}

static void m_exec(struct model *m, uint64_t t, pid_t tgid, const char *comm)
{
	struct model_image *old = m_at(m, tgid, t), *im;
	pid_t parent = old ? old->parent : 0;

	im = m_begin(m, tgid, t);
	im->parent = parent;
	snprintf(im->comm, sizeof(im->comm), "%s", comm);
}

static void m_map(struct model *m, uint64_t t, pid_t tgid, const struct proc_mapping *map)
{
	struct model_image *im = m_known(m, tgid, t);

	assert_int_equal(vec_push(&im->maps, (struct model_map){t, *map}), 0);
	if (map->file == FILE_NONE)
		im->anon = true;
	else if (im->exe == FILE_NONE && map->file != FILE_VDSO)
		im->exe = map->file;
}

static void m_thread(struct model *m, uint64_t t, pid_t tgid, pid_t tid)
{
	m_known(m, tgid, t);
	for (size_t i = 0; i < m->threads[tgid].len; i++)
		if (m->threads[tgid].data[i] == tid)
			return;
	assert_int_equal(vec_push(&m->threads[tgid], tid), 0);
}

static void m_exit(struct model *m, uint64_t t, pid_t tgid, pid_t tid)
{
	struct model_image *im = m_newest(m, tgid);

	if (!im || im->end != NEVER)
		return;
	m->leader_gone[tgid] |= tid == tgid;
	for (size_t i = 0; i < m->threads[tgid].len; i++)
		if (m->threads[tgid].data[i] == tid)
			m->threads[tgid].data[i--] = m->threads[tgid].data[--m->threads[tgid].len];
	if (m->leader_gone[tgid] && !m->threads[tgid].len)
		m_end(m, tgid, t);
}

static const struct model_map *m_lookup(const struct model_image *im, uint64_t t, uint64_t va)
{
	const struct model_map *best = NULL;

	for (size_t i = 0; i < im->maps.len; i++) {
		const struct model_map *mm = &im->maps.data[i];

		if (va - mm->m.start < mm->m.len && mm->since <= t &&
		    (!best || mm->since >= best->since))
			best = mm;
	}
	return best;
}

/* Anonymous memory grows backwards in time where nothing else ever was. */
static bool m_becomes_anon(const struct model_image *im, uint64_t va)
{
	const struct model_map *first = NULL;

	for (size_t i = 0; i < im->maps.len; i++) {
		const struct model_map *mm = &im->maps.data[i];

		if (va - mm->m.start < mm->m.len && (!first || mm->since < first->since))
			first = mm;
	}
	return first && first->m.file == FILE_NONE;
}

static void compare_place(struct model *m, struct procs *p, pid_t tgid, uint64_t t, uint64_t va)
{
	const struct model_image *im = m_at(m, tgid, t);
	const struct model_map *mm = im ? m_lookup(im, t, va) : NULL;
	struct place got = at(p, tgid, t, va);

	if (!im) {
		assert_int_equal(got.kind, PLACE_NO_PROCESS);
	} else if (!mm) {
		if (got.kind != PLACE_ANON || !m_becomes_anon(im, va))
			assert_int_equal(got.kind, PLACE_UNMAPPED);
	} else if (mm->m.file == FILE_NONE) {
		assert_int_equal(got.kind, PLACE_ANON);
	} else {
		assert_int_equal(got.kind, mm->m.file == FILE_VDSO ? PLACE_VDSO : PLACE_FILE);
		if (got.kind == PLACE_FILE)
			assert_int_equal(got.file, mm->m.file);
		assert_int_equal(got.file_off, mm->m.file_off + (va - mm->m.start));
	}
}

static void compare_image(struct model *m, struct procs *p, pid_t tgid, uint64_t t)
{
	const struct model_image *want = m_at(m, tgid, t);
	const struct proc_image *got = procs_image(p, tgid, t);

	assert_int_equal(!got, !want);
	if (!want)
		return;
	assert_int_equal(got->begin_ns, want->begin);
	assert_true(got->end_ns == want->end);
	assert_int_equal(got->parent_tgid, want->parent);
	assert_int_equal(got->exe, want->exe);
	assert_int_equal(got->has_anon_exec, want->anon);
	assert_string_equal(got->comm, want->comm);
}

struct chance {
	uint64_t seed;
};

static uint64_t any(struct chance *c, uint64_t below)
{
	c->seed = hash_u64(c->seed + 0x9e3779b97f4a7c15ull);
	return c->seed % below;
}

static struct proc_mapping any_mapping(struct chance *c)
{
	struct proc_mapping m = {
		.start = (1 + any(c, PAGES - 2)) * PAGE,
		.len = (1 + any(c, any(c, 5) ? 6 : PAGES)) * PAGE,
	};
	uint64_t kind = any(c, 10);

	m.file = kind < 4 ? FILE_NONE : kind == 4 ? FILE_VDSO : (uint32_t)any(c, 4);
	/* half of the time such that mapping it again says the same */
	m.file_off = any(c, 2) ? m.start : any(c, 8) * PAGE;
	return m;
}

static void any_event(struct chance *c, struct model *m, struct procs *p, uint64_t t)
{
	static const char *const comms[] = {"sh", "cc1", "as", "java"};
	pid_t tgid = (pid_t)(1 + any(c, N_TGIDS)), other = (pid_t)(1 + any(c, N_TGIDS));
	pid_t tid = (pid_t)(100 + any(c, 3));
	const char *comm = comms[any(c, 4)];
	struct proc_mapping map;
	struct model_image *im;

	switch (any(c, 16)) {
	case 0:
	case 1:
		if (other == tgid)
			break;
		m_fork(m, t, tgid, other);
		procs_fork(p, t, tgid, tgid, other);
		break;
	case 2:
		m_exec(m, t, tgid, comm);
		procs_comm(p, t, tgid, tgid, comm, true);
		break;
	case 3:
		im = m_known(m, tgid, t);
		snprintf(im->comm, sizeof(im->comm), "%s", comm);
		procs_comm(p, t, tgid, tgid, comm, false);
		break;
	case 4:
		m_known(m, tgid, t);
		procs_comm(p, t, tgid, tid, comm, false);
		break;
	case 5:
		m_thread(m, t, tgid, tid);
		procs_fork(p, t, tgid, tid, tgid);
		break;
	case 6:
		m_exit(m, t, tgid, tid);
		procs_exit(p, t, tgid, tid);
		break;
	case 7:
		m_exit(m, t, tgid, tgid);
		procs_exit(p, t, tgid, tgid);
		break;
	default:
		map = any_mapping(c);
		m_map(m, t, tgid, &map);
		procs_mmap(p, t, tgid, &map);
	}
}

static void compare_counts(const struct model *m, struct procs *p)
{
	uint64_t images = 0, alive = 0;

	for (size_t i = 0; i < m->images.len; i++) {
		images += !m->images.data[i].gone;
		alive += !m->images.data[i].gone && m->images.data[i].end == NEVER;
	}
	assert_int_equal(stats_of(p).images, images);
	assert_int_equal(stats_of(p).images_alive, alive);
}

static void model_release(struct model *m)
{
	for (size_t i = 0; i < m->images.len; i++)
		vec_release(&m->images.data[i].maps);
	vec_release(&m->images);
	for (int i = 0; i <= N_TGIDS; i++)
		vec_release(&m->threads[i]);
}

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct chance c = {seed};
		struct procs *p = new_table(NULL);
		struct model m = {0};
		uint64_t t = 100 * SEC, step = any(&c, 2) ? STEP : 1;

		for (int i = 0; i < 300; i++) {
			t += any(&c, 3) * step;
			any_event(&c, &m, p, t);
		}
		for (int i = 0; i < 4000; i++) {
			pid_t tgid = (pid_t)(1 + any(&c, N_TGIDS));
			uint64_t when = 100 * SEC + any(&c, t - 100 * SEC + 3 * step);

			compare_place(&m, p, tgid, when, any(&c, (PAGES + 8) * PAGE));
			compare_image(&m, p, tgid, when);
		}
		compare_counts(&m, p);
		procs_expire(p, NEVER);
		assert_int_equal(stats_of(p).images, stats_of(p).images_alive);
		for (pid_t tgid = 1; tgid <= N_TGIDS; tgid++)
			procs_fork(p, t + SEC, tgid, tgid, 99);
		procs_expire(p, NEVER);
		assert_int_equal(stats_of(p).mappings, 0);
		procs_free(p);
		model_release(&m);
	}
}

/*
 * Mappings of one process in any order: the newest at a time wins, however late it came. All differ
 * and have times of their own: mapping the same again leaves no trace for a latecomer to lose to.
 */
static void test_any_order_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct chance c = {seed};
		struct procs *p = new_table(NULL);
		struct model m = {0};

		m_fork(&m, 1, 1, 2);
		procs_fork(p, 1, 1, 1, 2);
		for (uint32_t i = 0; i < 60; i++) {
			struct proc_mapping map = any_mapping(&c);
			uint64_t t = 2 + i * 37 % 60; /* 37 and 60 have no common factor */

			map.file = i;
			m_map(&m, t, 1, &map);
			procs_mmap(p, t, 1, &map);
		}
		for (int i = 0; i < 5000; i++)
			compare_place(&m, p, 1, 1 + any(&c, 70), any(&c, (PAGES + 8) * PAGE));
		procs_free(p);
		model_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced_mapping_still_resolves),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_fork_exec_exit),
		cmocka_unit_test(test_main_thread_exits_first),
		cmocka_unit_test(test_exec_ends_other_threads),
		cmocka_unit_test(test_pid_reuse),
		cmocka_unit_test(test_unknown_processes_become_known),
		cmocka_unit_test(test_late_mapping_goes_behind),
		cmocka_unit_test(test_comm_is_cleaned),
		cmocka_unit_test(test_jit_region_stays_one_mapping),
		cmocka_unit_test(test_expiry_returns_to_baseline),
		cmocka_unit_test(test_expiry_drops_replaced_mappings),
		cmocka_unit_test(test_eviction_takes_the_oldest_dead),
		cmocka_unit_test(test_the_living_are_bounded_too),
		cmocka_unit_test(test_mappings_are_capped),
		cmocka_unit_test(test_replacing_for_ever_is_bounded),
		cmocka_unit_test(test_odd_ranges),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_events_before_the_scan),
		cmocka_unit_test(test_born_during_the_scan),
		cmocka_unit_test(test_pid_reused_during_the_scan),
		cmocka_unit_test(test_exec_during_the_scan),
		cmocka_unit_test(test_scan_of_a_known_process),
		cmocka_unit_test(test_leader_gone_at_scan),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_any_order_against_model),
	};

	return cmocka_run_group_tests_name("procs", tests, NULL, NULL);
}
