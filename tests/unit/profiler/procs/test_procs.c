// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/procs/table.h"
#include "tests/lib/proc_table.h"

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

/* What the feed says: 0x8000 bytes of each file are code, mapped from its beginning. */
static bool is_code_of(void *ctx, const struct proc_mapping *m, uint64_t va, uint64_t *file_off)
{
	(*(unsigned *)ctx)++;
	*file_off = va - (m->start - m->file_off);
	return *file_off < 0x8000;
}

static void test_code_copied_to_anonymous_memory(void **state)
{
	unsigned asked = 0;
	struct procs_opts opts = {.is_code_of = is_code_of, .is_code_of_ctx = &asked};
	struct procs *p = new_table(&opts);

	(void)state;
	map(p, 10, 1, 0x10000, 0x1000, 0x1000, 7);
	map(p, 10, 1, 0x11000, 0x2000, 0, FILE_NONE); /* between two pieces of the file */
	map(p, 10, 1, 0x13000, 0x1000, 0x4000, 7);
	map(p, 10, 1, 0x20000, 0x1000, 0, FILE_NONE);
	map(p, 10, 1, 0x2f000, 0x1000, 0, FILE_NONE); /* below the piece that is left */
	map(p, 10, 1, 0x30000, 0x1000, 0x1000, 8);
	assert_file(p, 1, 10, 0x10010, 7, 0x1010);
	assert_int_equal(asked, 0);
	assert_file(p, 1, 10, 0x11010, 7, 0x2010);
	assert_file(p, 1, 10, 0x2f010, 8, 0x10);
	assert_kind(p, 1, 10, 0x20010, PLACE_ANON);
	assert_int_equal(at(p, 1, 10, 0x20010).file, 8); /* one of those asked */
	for (uint64_t i = 0; i < 20; i++)
		map(p, 20 + i, 1, 0x100000 + i * 0x2000, 0x1000, 0, FILE_NONE);
	asked = 0;
	assert_kind(p, 1, 100, 0x100000 + 18 * 0x2000, PLACE_ANON);
	assert_int_equal(asked, 0); /* too far from any file */
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

/* Code that was made before a fork is described by who made it. */
static void test_forebears(void **state)
{
	struct procs *p = new_table(NULL);
	const struct proc_forebear *f;

	(void)state;
	procs_comm(p, 10, 5, 5, "made", true);
	procs_owner(p, 10, 5, 1000, 7);
	for (pid_t tgid = 6; tgid < 10; tgid++)
		procs_fork(p, 10 + (uint64_t)tgid, tgid, tgid, tgid - 1);
	f = procs_image(p, 6, 20)->forebears;
	assert_int_equal(f[0].image, procs_image(p, 5, 20)->id);
	assert_int_equal(f[0].tgid, 5);
	assert_int_equal(f[0].ns_tgid, 7);
	assert_int_equal(f[0].uid, 1000);
	assert_int_equal(f[0].begin_ns, 10);
	assert_int_equal(f[1].tgid, 0);
	f = procs_image(p, 9, 20)->forebears;
	for (int i = 0; i < PROC_FOREBEARS_MAX; i++)
		assert_int_equal(f[i].tgid, 8 - i);
	procs_comm(p, 30, 9, 9, "other", true);
	assert_int_equal(procs_image(p, 9, 30)->forebears[0].tgid, 0);
	procs_fork(p, 40, 20, 20, 19); /* by nobody who is known */
	assert_int_equal(procs_image(p, 20, 40)->forebears[0].tgid, 0);
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
	procs_fork(p, 20, 8, 8, 4);				/* of an unknown parent */
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
	assert_int_equal(stats_of(p).mappings + stats_of(p).past_dropped, 100000);
	for (uint64_t i = 100000 - SPACE_MAX_PAST / 2; i < 100000; i++)
		assert_file(p, 5, 10 + i, 0x1000, (uint32_t)(i % 2), 0);
	procs_free(p);
}

/* Threads count, too. Those there is no room for are not known. */
static void test_threads_are_bounded(void **state)
{
	struct procs_opts opts = {.max_bytes = 1 << 20};
	struct procs *p = new_table(&opts);

	(void)state;
	procs_fork(p, 1, 9, 9, 1);
	procs_exit(p, 2, 9, 9);
	procs_fork(p, 3, 5, 5, 1);
	for (int i = 0; i < 200000; i++)
		procs_fork(p, 10, 5, 1000 + i, 5);
	assert_in_range(stats_of(p).threads_refused, 1, 200000 - 10000);
	assert_int_equal(stats_of(p).evicted, 1);	   /* the dead made room */
	assert_true(stats_of(p).bytes < (2 << 20) + 8192); /* the table has doubled once more */
	for (int i = 0; i < 200000; i++)
		procs_exit(p, 20, 5, 1000 + i);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_exit(p, 30, 5, 5);
	assert_int_equal(stats_of(p).images_alive, 0);
	assert_true(stats_of(p).bytes < 8192);
	procs_free(p);
}

/* A run without end begins more images than 32 bits count: none is taken for another. */
static void test_ids_of_images_do_not_come_back(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t last = 0;

	(void)state;
	procs_fork(p, 1, 5, 5, 1);
	assert_true(procs_image(p, 5, 2)->id == 0);
	p->next_image_id = UINT32_MAX - 2;
	for (int i = 0; i < 6; i++) {
		procs_fork(p, 1, 10 + i, 10 + i, 1);
		assert_true(procs_image(p, 10 + i, 2)->id > last);
		assert_true(at(p, 10 + i, 2, 0x1000).image == procs_image(p, 10 + i, 2)->id);
		last = procs_image(p, 10 + i, 2)->id;
	}
	assert_true(at(p, 99, 2, 0x1000).image == IMAGE_NONE);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced_mapping_still_resolves),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_code_copied_to_anonymous_memory),
		cmocka_unit_test(test_fork_exec_exit),
		cmocka_unit_test(test_forebears),
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
		cmocka_unit_test(test_threads_are_bounded),
		cmocka_unit_test(test_ids_of_images_do_not_come_back),
		cmocka_unit_test(test_odd_ranges),
	};

	return cmocka_run_group_tests_name("procs", tests, NULL, NULL);
}
