// SPDX-License-Identifier: GPL-2.0-or-later
/* All that a process has mapped, as a sample of it tells, meets what was known before. */
#include "profiler/procs/space.h"
#include "profiler/procs/table.h"
#include "tests/lib/proc_table.h"

#define A   0x1000
#define B   0x3000
#define C   0x5000
#define LEN 0x1000

static void snap_as(struct procs *p, uint64_t t, pid_t tgid, uint32_t version,
		    const struct proc_mapping *m, size_t n)
{
	struct proc_snapshot s = {
		.tgid = tgid,
		.t_ns = t,
		.version = version,
		.mappings = m,
		.n = n,
		.exe = FILE_NONE,
		.jitdump = FILE_NONE,
	};

	procs_snapshot(p, &s);
}

#define snap(p, t, tgid, version, ...)                                                             \
	do {                                                                                       \
		const struct proc_mapping m_[] = {__VA_ARGS__};                                    \
		snap_as(p, t, tgid, version, m_, sizeof(m_) / sizeof(m_[0]));                      \
	} while (0)

/* One page of a file, or of anonymous memory, at its start. */
#define PAGE_OF(va, file)                                                                          \
	{                                                                                          \
		(va), LEN, 0, (file), 12345                                                        \
	}
#define BYTES_OF(va, len, file)                                                                    \
	{                                                                                          \
		(va), (len), 0, (file), 0                                                          \
	}

static uint32_t version_of(struct procs *p, pid_t tgid)
{
	uint32_t version = 4711;
	size_t n;

	procs_live(p, tgid, &n, &version);
	return version;
}

static void assert_live(struct procs *p, pid_t tgid, size_t i, uint64_t start, uint64_t since_ns)
{
	size_t n;
	const struct proc_mapping *live = procs_live(p, tgid, &n, NULL);

	assert_true(i < n);
	assert_int_equal(live[i].start, start);
	assert_int_equal(live[i].since_ns, since_ns);
}

static size_t n_live(struct procs *p, pid_t tgid)
{
	size_t n;

	procs_live(p, tgid, &n, NULL);
	return n;
}

/* What a child got is as of its fork, and the parent may have been known badly. */
static void test_first_of_a_child(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	map(p, 11, 5, A, LEN, 0, 1);
	map(p, 12, 5, B, LEN, 0, 2);
	map(p, 13, 5, C, LEN, 0, 3);
	procs_fork(p, 20, 6, 6, 5);
	snap(p, 30, 6, 1, PAGE_OF(A, 1), PAGE_OF(B, 7), PAGE_OF(0x9000, 8));
	for (uint64_t t = 20; t <= 40; t += 5) {
		assert_file(p, 6, t, A, 1, 0);
		assert_file(p, 6, t, B, 7, 0);
		assert_kind(p, 6, t, C, PLACE_UNMAPPED);
		assert_file(p, 6, t, 0x9000, 8, 0);
	}
	assert_live(p, 6, 0, A, 11);
	assert_live(p, 6, 1, B, 20);
	assert_live(p, 6, 2, 0x9000, 20);
	/* not the parent's business */
	assert_file(p, 5, 40, B, 2, 0);
	assert_file(p, 5, 40, C, 3, 0);
	assert_kind(p, 5, 40, 0x9000, PLACE_UNMAPPED);
	procs_free(p);
}

/* Guesses of after its beginning go too; what is the same has been there since it was made. */
static void test_first_corrects_guesses(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	map(p, 15, 5, A, LEN, 0, 1);
	map(p, 16, 5, B, LEN, 0, 2);
	map(p, 17, 5, C, LEN, 0, 3);
	snap(p, 30, 5, 1, PAGE_OF(A, 1), PAGE_OF(B, 7));
	assert_live(p, 5, 0, A, 15);
	assert_live(p, 5, 1, B, 10);
	assert_file(p, 5, 12, B, 7, 0);
	assert_file(p, 5, 20, B, 7, 0);
	assert_kind(p, 5, 20, C, PLACE_UNMAPPED);
	assert_int_equal(stats_of(p).mappings, 2); /* and leave no trace */
	procs_free(p);
}

static void test_second_ends_at_its_time(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	snap(p, 20, 5, 1, PAGE_OF(A, 1), PAGE_OF(B, 2), BYTES_OF(C, 0x3000, 3));
	/* A goes, B is replaced, of C goes the middle, something new comes */
	snap(p, 30, 5, 2, PAGE_OF(B, 7), PAGE_OF(C, 3), {C + 0x2000, LEN, 0x2000, 3, 0},
	     PAGE_OF(0x9000, 8));
	assert_file(p, 5, 29, A, 1, 0);
	assert_kind(p, 5, 30, A, PLACE_UNMAPPED);
	assert_file(p, 5, 29, B, 2, 0);
	assert_file(p, 5, 30, B, 7, 0);
	assert_file(p, 5, 29, C + 0x1000, 3, 0x1000);
	assert_kind(p, 5, 30, C + 0x1000, PLACE_UNMAPPED);
	assert_file(p, 5, 30, C + 0xfff, 3, 0xfff);
	assert_file(p, 5, 30, C + 0x2000, 3, 0x2000);
	assert_kind(p, 5, 29, 0x9000, PLACE_UNMAPPED);
	assert_file(p, 5, 30, 0x9000, 8, 0);
	assert_live(p, 5, 0, B, 30);
	assert_live(p, 5, 1, C, 10); /* the same keeps its time */
	assert_live(p, 5, 2, C + 0x2000, 10);
	assert_live(p, 5, 3, 0x9000, 30);
	/* the same file at another offset is something else */
	snap(p, 40, 5, 3, {B, LEN, 0x4000, 7, 0});
	assert_file(p, 5, 39, B, 7, 0);
	assert_file(p, 5, 40, B, 7, 0x4000);
	/* and nothing at all is an answer, too */
	snap_as(p, 50, 5, 4, NULL, 0);
	assert_int_equal(n_live(p, 5), 0);
	assert_int_equal(version_of(p, 5), 4);
	assert_file(p, 5, 49, B, 7, 0x4000);
	assert_kind(p, 5, 50, B, PLACE_UNMAPPED);
	procs_free(p);
}

/* What a JIT adds to its memory joins it, unless that hid what was there before. */
static void test_anonymous_memory_grows(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	snap(p, 20, 5, 1, PAGE_OF(A, FILE_NONE), PAGE_OF(B, 2));
	assert_true(procs_image(p, 5, 20)->has_anon_exec);
	for (uint64_t i = 0; i < 5; i++)
		snap(p, 30 + i, 5, 2, BYTES_OF(A, LEN + i * 0x100, FILE_NONE), PAGE_OF(B, 2));
	assert_int_equal(n_live(p, 5), 2);
	snap(p, 40, 5, 3, PAGE_OF(A, FILE_NONE));
	snap(p, 50, 5, 4, BYTES_OF(A, 0x4000, FILE_NONE));
	assert_kind(p, 5, 50, B, PLACE_ANON);
	assert_kind(p, 5, 45, B, PLACE_UNMAPPED);
	assert_file(p, 5, 35, B, 2, 0);
	procs_free(p);
}

static void test_image_that_is_over(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "one", true);
	map(p, 11, 5, A, LEN, 0, 1);
	procs_comm(p, 30, 5, 5, "two", true);
	map(p, 31, 5, A, LEN, 0, 2);
	snap(p, 35, 5, 7, PAGE_OF(A, 2));
	procs_exit(p, 40, 5, 5);
	/* of the first program, while the second is dead already */
	snap(p, 25, 5, 3, PAGE_OF(B, 3));
	assert_file(p, 5, 20, B, 3, 0);
	assert_file(p, 5, 29, B, 3, 0);
	assert_kind(p, 5, 20, A, PLACE_UNMAPPED);
	assert_file(p, 5, 30 + 1, A, 2, 0);
	assert_kind(p, 5, 30, B, PLACE_UNMAPPED);
	assert_int_equal(procs_image(p, 5, 20)->exe, 1); /* has been told by its first mapping */
	/* and of the dead one */
	snap(p, 39, 5, 8, PAGE_OF(A, 2), PAGE_OF(C, 4));
	assert_kind(p, 5, 38, C, PLACE_UNMAPPED);
	assert_file(p, 5, 41, C, 4, 0);
	assert_int_equal(stats_of(p).images, 2);
	assert_int_equal(stats_of(p).images_alive, 0);
	assert_int_equal(version_of(p, 5), 0);
	/* its pid's next owner */
	procs_fork(p, 50, 5, 5, 1);
	snap(p, 39, 5, 9, PAGE_OF(A, 2));
	assert_kind(p, 5, 41, C, PLACE_UNMAPPED);
	assert_int_equal(version_of(p, 5), 0);
	assert_int_equal(n_live(p, 5), 0);
	procs_free(p);
}

static void test_unknown_process(void **state)
{
	struct procs *p = new_table(NULL);
	struct proc_mapping m = PAGE_OF(A, 1);
	struct proc_snapshot s = {
		.tgid = 5,
		.t_ns = 30,
		.version = 3,
		.mappings = &m,
		.n = 1,
		.exe = 8,
		.jitdump = 9,
		.monotonic_ns = -7,
		.uid = 1000,
		.ns_tgid = 1,
	};

	(void)state;
	procs_snapshot(p, &s);
	assert_file(p, 5, 30, A, 1, 0);
	assert_kind(p, 5, 29, A, PLACE_NO_PROCESS);
	assert_int_equal(procs_image(p, 5, 30)->begin_ns, 30);
	assert_int_equal(procs_image(p, 5, 30)->exe, 8);
	assert_int_equal(procs_image(p, 5, 30)->jitdump, 9);
	assert_int_equal(procs_image(p, 5, 30)->uid, 1000);
	assert_int_equal(procs_image(p, 5, 30)->ns_tgid, 1);
	assert_false(procs_image(p, 5, 30)->has_anon_exec);
	assert_int_equal(version_of(p, 5), 3);
	s.t_ns = 29; /* older than all that is known */
	s.version = 4;
	s.n = 0;
	procs_snapshot(p, &s);
	assert_int_equal(stats_of(p).images, 1);
	assert_int_equal(version_of(p, 5), 3);
	/* what it does not tell stays */
	s.t_ns = 31;
	s.exe = s.jitdump = FILE_NONE;
	s.monotonic_ns = 0;
	s.uid = UINT32_MAX;
	s.ns_tgid = 0;
	procs_snapshot(p, &s);
	assert_int_equal(procs_image(p, 5, 31)->exe, 8);
	assert_int_equal(procs_image(p, 5, 31)->jitdump, 9);
	assert_int_equal(procs_image(p, 5, 31)->monotonic_ns, -7);
	assert_int_equal(procs_image(p, 5, 31)->uid, 1000);
	assert_int_equal(procs_image(p, 5, 31)->ns_tgid, 1);
	procs_free(p);
}

/* Its program has moved its code away: a library is no program. */
static void test_no_program_is_guessed(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	snap(p, 30, 5, 3, PAGE_OF(A, 1), PAGE_OF(B, FILE_NONE));
	assert_file(p, 5, 30, A, 1, 0);
	assert_int_equal(procs_image(p, 5, 30)->exe, FILE_NONE);
	map(p, 31, 5, C, LEN, 0, 2); /* nor is one that is loaded later */
	assert_int_equal(procs_image(p, 5, 31)->exe, FILE_NONE);
	procs_fork(p, 32, 6, 6, 5);
	map(p, 33, 6, C, LEN, 0, 4);
	assert_int_equal(procs_image(p, 6, 33)->exe, FILE_NONE);
	procs_comm(p, 40, 6, 6, "next", true);
	map(p, 41, 6, A, LEN, 0, 3);
	assert_int_equal(procs_image(p, 6, 41)->exe, 3);
	procs_free(p);
}

static void test_late_one_is_ignored(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	snap(p, 30, 5, 2, PAGE_OF(A, 1));
	snap(p, 29, 5, 1, PAGE_OF(B, 2));
	assert_int_equal(version_of(p, 5), 2);
	assert_file(p, 5, 29, A, 1, 0);
	assert_file(p, 5, 30, A, 1, 0);
	assert_kind(p, 5, 29, B, PLACE_UNMAPPED);
	snap(p, 30, 5, 3, PAGE_OF(B, 2)); /* as old is not older */
	assert_int_equal(version_of(p, 5), 3);
	assert_file(p, 5, 30, B, 2, 0);
	procs_free(p);
}

/* Events of after the sample have been applied before it was read. */
static void test_after_later_events(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	snap(p, 20, 5, 1, PAGE_OF(A, 1), PAGE_OF(B, 2), PAGE_OF(0x7000, 3));
	map(p, 40, 5, A, LEN, 0, 7);
	map(p, 41, 5, B, LEN, 0, 8);
	map(p, 42, 5, C, LEN, 0, 9);
	map(p, 43, 5, C, LEN, 0, 10);
	/* A had been unmapped then, B was something else, C there before, and the fourth is gone */
	snap(p, 30, 5, 2, PAGE_OF(B, 5), PAGE_OF(C, 6));
	assert_file(p, 5, 29, A, 1, 0);
	assert_kind(p, 5, 30, A, PLACE_UNMAPPED);
	assert_file(p, 5, 40, A, 7, 0);
	assert_file(p, 5, 29, B, 2, 0);
	assert_file(p, 5, 30, B, 5, 0);
	assert_file(p, 5, 40, B, 5, 0);
	assert_file(p, 5, 41, B, 8, 0);
	assert_kind(p, 5, 29, C, PLACE_UNMAPPED);
	assert_file(p, 5, 41, C, 6, 0);
	assert_file(p, 5, 42, C, 9, 0);
	assert_file(p, 5, 43, C, 10, 0);
	assert_file(p, 5, 29, 0x7000, 3, 0);
	assert_kind(p, 5, 30, 0x7000, PLACE_UNMAPPED);
	assert_int_equal(n_live(p, 5), 3);
	assert_int_equal(version_of(p, 5), 0); /* this is not what it named */
	procs_free(p);
}

static int rescan(struct procs *p, uint64_t t, const struct proc_mapping *m, size_t n)
{
	struct scanned s = {
		.tgid = 5,
		.now_ns = t,
		.from_ns = t,
		.to_ns = t,
		.mappings = m,
		.n_mappings = n,
		.exe = FILE_NONE,
		.jitdump = FILE_NONE,
	};

	return procs_update_scanned(p, &s);
}

static void test_version(void **state)
{
	static const struct proc_mapping two[] = {PAGE_OF(A, 1), PAGE_OF(B, 2)};
	struct procs *p = new_table(NULL);
	size_t n;

	(void)state;
	assert_int_equal(version_of(p, 5), 0); /* nobody */
	procs_comm(p, 10, 5, 5, "p", true);
	assert_int_equal(version_of(p, 5), 0);
	snap_as(p, 20, 5, 6, two, 2);
	assert_int_equal(version_of(p, 5), 6);
	assert_non_null(procs_live(p, 5, &n, NULL));
	/* nothing new */
	map(p, 21, 5, A, LEN, 0, 1);
	assert_int_equal(rescan(p, 22, two, 2), 0);
	assert_int_equal(version_of(p, 5), 6);
	snap_as(p, 23, 5, 7, two, 2);
	assert_int_equal(version_of(p, 5), 7);
	procs_fork(p, 24, 6, 6, 5);
	assert_int_equal(version_of(p, 6), 0);
	snap_as(p, 25, 6, 9, two, 2);
	assert_int_equal(version_of(p, 6), 9);
	assert_int_equal(version_of(p, 5), 7);
	procs_comm(p, 26, 6, 6, "q", true);
	assert_int_equal(version_of(p, 6), 0);
	/* changes that no snapshot has told of */
	map(p, 30, 5, C, LEN, 0, 1);
	assert_int_equal(version_of(p, 5), 0);
	snap_as(p, 31, 5, 8, two, 2);
	assert_int_equal(version_of(p, 5), 8);
	map(p, 32, 5, A, LEN, 0x1000, 1);
	assert_int_equal(version_of(p, 5), 0);
	snap_as(p, 33, 5, 9, two, 2);
	assert_int_equal(rescan(p, 34, two, 1), 1);
	assert_int_equal(version_of(p, 5), 0);
	snap_as(p, 35, 5, 10, two, 2);
	map(p, 36, 5, 0x8000, 0, 0, 1); /* nothing */
	assert_int_equal(version_of(p, 5), 10);
	procs_exit(p, 40, 5, 5);
	assert_int_equal(version_of(p, 5), 0);
	procs_free(p);
}

static void count(void *ctx, pid_t tgid)
{
	assert_int_equal(tgid, 5);
	++*(int *)ctx;
}

static void test_changes_are_told(void **state)
{
	int n = 0;
	struct procs_opts opts = {.changed = count, .changed_ctx = &n};
	struct procs *p = new_table(&opts);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	n = 0;
	snap(p, 20, 5, 1, PAGE_OF(A, 1));
	assert_int_equal(n, 1);
	snap(p, 21, 5, 1, PAGE_OF(A, 1));
	assert_int_equal(n, 1);
	snap(p, 22, 5, 2, PAGE_OF(A, 1)); /* another version */
	assert_int_equal(n, 2);
	snap(p, 23, 5, 2, PAGE_OF(A, 2)); /* another mapping */
	assert_int_equal(n, 3);
	snap_as(p, 24, 5, 2, NULL, 0);
	assert_int_equal(n, 4);
	snap(p, 15, 5, 3, PAGE_OF(A, 1)); /* ignored */
	assert_int_equal(n, 4);
	procs_free(p);
}

/* Mappings of the startup scan are a guess like any other. */
static void test_after_the_scan(void **state)
{
	static const struct proc_mapping m[] = {PAGE_OF(A, 1), PAGE_OF(B, 2)};
	struct procs *p = new_table(NULL);
	struct scanned s = {
		.tgid = 5,
		.start_ns = 10,
		.now_ns = 100,
		.from_ns = 101,
		.to_ns = 102,
		.mappings = m,
		.n_mappings = 2,
		.exe = 1,
		.jitdump = FILE_NONE,
	};

	(void)state;
	assert_int_equal(procs_add_scanned(p, &s), 0);
	snap(p, 200, 5, 1, PAGE_OF(A, 1), PAGE_OF(C, 3));
	assert_file(p, 5, 199, A, 1, 0);
	assert_kind(p, 5, 199, B, PLACE_UNMAPPED);
	assert_file(p, 5, 199, C, 3, 0);
	assert_file(p, 5, 11, C, 3, 0);
	assert_live(p, 5, 0, A, 100);
	assert_int_equal(version_of(p, 5), 1);
	/* one that comes after a snapshot and knows more */
	s.now_ns = s.from_ns = s.to_ns = 300;
	assert_int_equal(procs_add_scanned(p, &s), 0);
	assert_int_equal(version_of(p, 5), 0);
	procs_free(p);
}

/* The caps hold for snapshots; what goes, goes all the same. */
static void test_caps(void **state)
{
	static struct proc_mapping many[SPACE_MAX_MAPPINGS + 10];
	struct procs_opts opts = {.max_bytes = 8000};
	size_t n = sizeof(many) / sizeof(many[0]);
	struct procs *p = new_table(NULL);

	(void)state;
	for (size_t i = 0; i < n; i++)
		many[i] = (struct proc_mapping){(2 * i + 2) * LEN, LEN, 0, 1, 0};
	snap_as(p, 10, 5, 1, many, n);
	assert_int_equal(n_live(p, 5), SPACE_MAX_MAPPINGS);
	assert_int_equal(stats_of(p).mappings_capped, 10);
	assert_int_equal(version_of(p, 5), 0); /* not all of it is known */
	snap_as(p, 11, 5, 2, many, 2);
	assert_int_equal(n_live(p, 5), 2);
	assert_int_equal(version_of(p, 5), 2);
	assert_true(stats_of(p).mappings <= 2 + SPACE_MAX_PAST); /* the others linger */
	procs_free(p);

	p = new_table(&opts);
	snap_as(p, 10, 5, 1, many, 1000); /* is let in, and fills the table */
	assert_true(stats_of(p).bytes > 8000);
	snap_as(p, 11, 5, 2, many + 999, 3);
	assert_int_equal(n_live(p, 5), 1);
	assert_int_equal(stats_of(p).mappings_capped, 2);
	assert_int_equal(version_of(p, 5), 0);
	procs_free(p);
}

/* Parents share what they have mapped with their children; snapshots that say so leave it at that. */
static void test_sharing(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 10, 5, 5, "p", true);
	snap(p, 20, 5, 1, PAGE_OF(A, 1), PAGE_OF(B, 2));
	procs_fork(p, 30, 6, 6, 5);
	snap(p, 31, 6, 1, PAGE_OF(A, 1), PAGE_OF(B, 2));
	assert_int_equal(stats_of(p).mappings, 2);
	snap(p, 32, 6, 2, PAGE_OF(A, 1));
	assert_int_equal(n_live(p, 5), 2);
	assert_int_equal(n_live(p, 6), 1);
	assert_file(p, 6, 31, B, 2, 0);
	assert_kind(p, 6, 32, B, PLACE_UNMAPPED);
	assert_file(p, 5, 32, B, 2, 0);
	procs_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_of_a_child),
		cmocka_unit_test(test_first_corrects_guesses),
		cmocka_unit_test(test_second_ends_at_its_time),
		cmocka_unit_test(test_anonymous_memory_grows),
		cmocka_unit_test(test_image_that_is_over),
		cmocka_unit_test(test_unknown_process),
		cmocka_unit_test(test_no_program_is_guessed),
		cmocka_unit_test(test_late_one_is_ignored),
		cmocka_unit_test(test_after_later_events),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_changes_are_told),
		cmocka_unit_test(test_after_the_scan),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_sharing),
	};

	return cmocka_run_group_tests_name("procs_snapshot", tests, NULL, NULL);
}
