// SPDX-License-Identifier: GPL-2.0-or-later
/* Compaction changes files, never sums; retention drops whole files, the oldest first. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/store/list.h"
#include "profiler/store/maintain.h"
#include "profiler/store/retain.h"
#include "profiler/store/store_internal.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N 60

static const struct store_opts writing = {.access = STORE_WRITE};

static struct moment at(int64_t unix_ns)
{
	return (struct moment){unix_ns, unix_ns - T0 + HOUR};
}

static struct moment clock_of_tests(void)
{
	return at(T0 + 6 * HOUR);
}

/* All that is due. How many times something was. */
static unsigned maintain_all(struct store *s, int64_t unix_ns)
{
	unsigned n = 0;
	int got;

	while ((got = maintain(s, at(unix_ns))) > 0)
		assert_in_range(++n, 1, 100);
	assert_int_equal(got, 0);
	return n;
}

static unsigned count_files(struct store *s, enum store_file_state state)
{
	struct store_files files;
	unsigned n = 0;

	assert_int_equal(store_files(s, &files), 0);
	for (size_t i = 0; i < files.v.len; i++)
		n += files.v.data[i].state == state;
	store_files_release(&files);
	return n;
}

static void what_is_written_is_compacted_and_stays_the_same(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE); /* three hours, the last of them current */
	assert_int_equal(count_files(s, STORE_FILE_CLOSED), 2);
	assert_int_equal(maintain_all(s, T0 + 3 * HOUR), 2);
	assert_int_equal(count_files(s, STORE_FILE_CLOSED), 0);
	assert_int_equal(count_files(s, STORE_FILE_COMPACTED), 2);
	assert_int_equal(count_files(s, STORE_FILE_OPEN), 1);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	assert_holds(s, w, N, T0 + 33 * MINUTE, T0 + 81 * MINUTE);
	assert_int_equal(maintain_all(s, T0 + 3 * HOUR), 0);
	store_close(s);
	release_windows(w, N);
}

static void blocks_of_hours_become_one_file(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 6 * MINUTE); /* six hours: a block of four is over */
	maintain_all(s, T0 + 6 * HOUR);
	assert_int_equal(count_files(s, STORE_FILE_COMPACTED), 2); /* the block, an hour */
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	assert_holds(s, w, N, T0 + HOUR, T0 + 5 * HOUR);
	store_close(s);
	release_windows(w, N);
}

/* Of windows of a minute, ranges of whole minutes are exact. */
static void old_windows_become_coarser_with_the_same_sums(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_files files;
	struct window w[N];

	(void)state;
	for (size_t i = 0; i < N; i++) { /* 20 minutes; all with the same header */
		w[i] = random_window(i * 5, T0 + (int64_t)i * 20 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
	}
	store_end_segment(s);
	maintain_all(s, T0 + 47 * HOUR);
	assert_holds(s, w, N, T0 + 20 * SECOND, T0 + 40 * SECOND); /* nothing is coarser yet */
	maintain_all(s, T0 + 48 * HOUR);
	assert_int_equal(store_files(s, &files), 0);
	assert_int_equal(files.v.len, 1);
	assert_int_equal(files.v.data[0].windows, 20);
	assert_int_equal(files.v.data[0].window_ns, MINUTE);
	store_files_release(&files);
	for (int i = 0; i < 20; i++) {
		struct quality q = {0};
		struct profile *sum =
			merge_windows(w, N, T0 + i * MINUTE, T0 + (i + 1) * MINUTE, &q);
		struct store_result r =
			query_store(s, T0 + i * MINUTE, T0 + (i + 1) * MINUTE, NULL);

		assert_int_equal(r.windows, 1);
		assert_same_profile(r.profile, sum);
		assert_same_quality(&r.quality, &q);
		store_result_release(&r);
		profile_free(sum);
		quality_release(&q);
	}
	assert_int_equal(maintain_all(s, T0 + 48 * HOUR), 0);
	store_close(s);
	release_windows(w, N);
}

/* What does not fit into memory together stays apart, for ever. */
static void compaction_keeps_within_its_memory(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .index_bytes = 100 << 10};
	struct store *s = open_store("store", &opts);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 6 * MINUTE);
	maintain_all(s, T0 + 6 * HOUR);
	assert_true(count_files(s, STORE_FILE_COMPACTED) > 2);
	assert_int_equal(maintain_all(s, T0 + 6 * HOUR), 0);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	maintain_all(s, T0 + 72 * HOUR);
	assert_int_equal(maintain_all(s, T0 + 72 * HOUR), 0);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);
}

/* Between the new file's appearance and the end of the old ones both are there. */
static void a_crash_between_leaves_every_window_once(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	fixture_run("mkdir aside && cp store/*.kiln aside");
	assert_int_equal(maintain(s, at(T0 + 3 * HOUR)), 1); /* the first hour */
	fixture_run("cp -n aside/" T0_NAME " store/");
	assert_int_equal(count_files(s, STORE_FILE_REPLACED), 1);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	fixture_run("touch store/20261128T000000Z-9.kiln.tmp store/20261128T000000Z-9.kiln-wal");
	store_close(s);
	s = open_store("store", &writing);
	fixture_run("! ls store/*.tmp store/*-wal 2>/dev/null");
	maintain_all(s, T0 + 3 * HOUR);
	assert_int_equal(count_files(s, STORE_FILE_REPLACED), 0);
	fixture_run("[ ! -e store/" T0_NAME " ]");
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);
}

/* --- retention ------------------------------------------------------------------------------------ */

static uint64_t bytes_of(struct store *s, int64_t *oldest)
{
	struct store_files files;
	uint64_t bytes = 0;

	assert_int_equal(store_files(s, &files), 0);
	for (size_t i = 0; i < files.v.len; i++)
		bytes += files.v.data[i].bytes;
	*oldest = files.v.len ? files.v.data[0].begin_ns : 0;
	store_files_release(&files);
	return bytes;
}

static void the_oldest_go_first_when_it_is_too_large(void **state)
{
	struct store_opts opts = {
		.access = STORE_WRITE, .segment_ns = 60 * SECOND, .max_bytes = 1 << 20};
	struct store *s = open_store("store", &opts);
	struct store_stats stats;
	struct window *w = calloc(N * 5, sizeof(*w));
	uint64_t dropped = 0;
	int64_t oldest;

	(void)state;
	for (size_t i = 0; i < N * 5; i++) {
		w[i] = random_window(i, T0 + (int64_t)i * 20 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
		assert_true(bytes_of(s, &oldest) <= (1 << 20) + (256 << 10));
		store_stats(s, &stats);
		/* more goes than has to, so that it is not the turn of the next ones at once */
		if (stats.dropped_for_size != dropped)
			assert_true(bytes_of(s, &oldest) <= (1 << 20) / 16 * 15 + (64 << 10));
		dropped = stats.dropped_for_size;
	}
	store_stats(s, &stats);
	assert_true(stats.dropped_for_size > 10);
	assert_int_equal(stats.failed, 0);
	/* A window is there from some time on, and all after it. */
	assert_true(oldest > T0 + 20 * MINUTE);
	assert_holds(s, w, N * 5, oldest, STORE_END);
	store_close(s);
	release_windows(w, N * 5);
	free(w);
}

static void what_is_too_old_goes(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .max_age_ns = 24 * HOUR};
	struct store *s = open_store("store", &opts);
	struct store_stats stats;
	struct window w[N];
	int64_t oldest;

	(void)state;
	s->clock = clock_of_tests;
	append_windows(s, w, N, 6 * MINUTE); /* six hours */
	assert_int_equal(retain(s, 0, at(T0 + 25 * HOUR - 1)), 0);
	bytes_of(s, &oldest);
	assert_int_equal(oldest, T0);
	assert_int_equal(retain(s, 0, at(T0 + 25 * HOUR)), 0); /* the first hour ended a day ago */
	bytes_of(s, &oldest);
	assert_int_equal(oldest, T0 + HOUR);
	assert_int_equal(retain(s, 0, at(T0 + 300 * HOUR)), 0);
	bytes_of(s, &oldest);
	assert_int_equal(oldest, T0 + 5 * HOUR); /* never the current one */
	store_stats(s, &stats);
	assert_int_equal(stats.dropped_for_age, 5);
	store_close(s);
	release_windows(w, N);
}

/* A clock that jumps ahead for a moment costs nothing. */
static void a_clock_that_was_set_is_not_believed_at_once(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .max_age_ns = 24 * HOUR};
	struct store *s = open_store("store", &opts);
	struct moment now = at(T0 + 6 * HOUR);
	struct window w[N];
	int64_t oldest;

	(void)state;
	s->clock = clock_of_tests;
	append_windows(s, w, N, 6 * MINUTE);
	assert_int_equal(retain(s, 0, now), 0);
	now.unix_ns += 1000 * HOUR;
	now.boot_ns += 10 * SECOND;
	assert_int_equal(retain(s, 0, now), 0);
	bytes_of(s, &oldest);
	assert_int_equal(oldest, T0);
	now.unix_ns += HOUR - 1;
	now.boot_ns += HOUR - 1;
	assert_int_equal(retain(s, 0, now), 0);
	bytes_of(s, &oldest);
	assert_int_equal(oldest, T0);
	now.unix_ns += SECOND;
	now.boot_ns += SECOND;
	assert_int_equal(retain(s, 0, now), 0); /* it has been so late for an hour */
	bytes_of(s, &oldest);
	assert_int_equal(oldest, T0 + 5 * HOUR);
	store_close(s);
	release_windows(w, N);
}

/* A file system of tests: what its segments take and others leave is free. */
static struct {
	uint64_t total, taken_by_others;
} disk;

static int space_of_tests(const struct dir *d, struct dir_space *out)
{
	struct dir_list l;
	uint64_t taken = disk.taken_by_others;

	assert_int_equal(dir_list(d, &l), 0);
	for (size_t i = 0; i < l.v.len; i++)
		taken += l.v.data[i].bytes;
	dir_list_release(&l);
	*out = (struct dir_space){taken < disk.total ? disk.total - taken : 0, disk.total};
	return 0;
}

static struct store *open_on_disk(uint64_t min_free_bytes)
{
	struct store *s =
		open_store("store", &(struct store_opts){.access = STORE_WRITE,
							 .min_free_bytes = min_free_bytes});

	s->space = space_of_tests;
	return s;
}

/* Six hours in as many segments: their bytes, the last of which is that of the current one. */
static uint64_t fill_store(struct window *w, uint64_t bytes[6])
{
	struct store *s = open_store("store", &writing);
	uint64_t total = 0;
	struct dir_list l;

	append_windows(s, w, N, 6 * MINUTE);
	store_close(s);
	s = open_store("store", &writing);
	assert_int_equal(dir_list(&s->dir, &l), 0);
	assert_int_equal(l.v.len, 6);
	for (size_t i = 0; i < 6; i++)
		total += bytes[i] = l.v.data[i].bytes;
	dir_list_release(&l);
	store_close(s);
	return total;
}

#define DISK	 (1ull << 30)
#define MIN_FREE (64ull << 20)

/* Others want the space: so many of the oldest segments go as it takes, and no more. */
static void space_is_left_to_others(void **state)
{
	struct store_state look;
	struct store_stats stats;
	struct window w[N];
	uint64_t bytes[6], total = fill_store(w, bytes);
	struct store *s = open_on_disk(MIN_FREE);

	(void)state;
	disk.total = DISK;
	disk.taken_by_others = DISK - total - MIN_FREE + bytes[0] + 1;
	assert_int_equal(append_window(s, &w[N - 1]), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.dropped_for_space, 2);
	assert_int_equal(store_look(s, &look), 0);
	assert_int_equal(look.oldest_unix_ns, T0 + 2 * HOUR);
	assert_int_equal(look.min_free_bytes, MIN_FREE);
	assert_int_equal(look.total_bytes, DISK);
	assert_int_equal(look.old_bytes, bytes[2] + bytes[3] + bytes[4]);
	assert_in_range(look.bytes, look.old_bytes + 1, total * 2);
	store_close(s);
	release_windows(w, N);
}

/* Others want more than all segments together: those stay, and nothing is stored until there is space again. */
static void what_cannot_make_room_stays(void **state)
{
	struct store_stats stats;
	struct window w[N];
	uint64_t bytes[6], total = fill_store(w, bytes);
	struct store *s = open_on_disk(MIN_FREE);

	(void)state;
	disk.total = DISK;
	disk.taken_by_others = DISK - MIN_FREE + 1 - bytes[5];
	assert_int_equal(append_window(s, &w[N - 1]), -ENOSPC);
	assert_int_equal(maintain(s, at(T0 + 6 * HOUR)) < 0, 0);
	store_stats(s, &stats);
	assert_int_equal(stats.failed, 1);
	assert_int_equal(stats.dropped_for_space, 0);
	disk.taken_by_others = DISK - total - MIN_FREE - (1 << 20);
	assert_int_equal(append_window(s, &w[N - 1]), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.dropped_for_space, 0);
	store_close(s);
	release_windows(w, N);
}

/* The segment whose hour is over is not the current one any more, and can make room. */
static void a_segment_whose_time_is_over_makes_room(void **state)
{
	struct store_stats stats;
	struct window w = random_window(1, T0, 10 * SECOND);
	struct store *s = open_on_disk(MIN_FREE);

	(void)state;
	disk.total = DISK;
	disk.taken_by_others = 0;
	assert_int_equal(append_window(s, &w), 0);
	disk.taken_by_others = DISK - MIN_FREE - 1;
	w.begin_ns = T0 + MINUTE;
	assert_int_equal(append_window(s, &w), -ENOSPC);
	w.begin_ns = T0 + HOUR;
	assert_int_equal(append_window(s, &w), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.dropped_for_space, 1);
	store_close(s);
	release_windows(&w, 1);
}

/* Of a small file system a tenth is left free, whatever the configuration says. */
static void a_small_file_system_keeps_profiles(void **state)
{
	struct window w = random_window(1, T0, 10 * SECOND);
	struct store *s = open_on_disk(1ull << 30);
	struct store_state look;

	(void)state;
	disk.total = 600ull << 20;
	disk.taken_by_others = 500ull << 20;
	assert_int_equal(append_window(s, &w), 0);
	assert_int_equal(store_look(s, &look), 0);
	assert_int_equal(look.min_free_bytes, 60ull << 20);
	disk.taken_by_others = 541ull << 20;
	assert_int_equal(append_window(s, &w), -ENOSPC);
	store_close(s);
	release_windows(&w, 1);
}

static void damaged_files_are_dropped_in_their_turn(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .max_age_ns = 24 * HOUR};
	struct store *s = open_store("store", &opts);
	struct window w[N];

	(void)state;
	s->clock = clock_of_tests;
	append_windows(s, w, N, 6 * MINUTE);
	fixture_run("mv store/" T0_NAME " store/" T0_NAME ".damaged");
	assert_int_equal(count_files(s, STORE_FILE_DAMAGED), 1);
	assert_int_equal(retain(s, 0, at(T0 + 25 * HOUR)), 0);
	assert_int_equal(count_files(s, STORE_FILE_DAMAGED), 0);
	store_close(s);
	release_windows(w, N);
}

/* --- listing -------------------------------------------------------------------------------------- */

static void times_add_up(void **state)
{
	const struct store_query all = {.until_ns = STORE_END},
				 nginx = {.until_ns = STORE_END, .where = "comm=nginx"};
	struct store *s = open_store("store", &writing);
	struct store_times times;
	struct store_result r;
	struct why why;
	struct window w[N];
	int64_t samples = 0, cpu_ns = 0;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	assert_int_equal(store_times(s, &all, 30 * MINUTE, &times, &why), 0);
	assert_int_equal(times.v.len, 6);
	for (size_t i = 0; i < times.v.len; i++) {
		struct profile *sum = merge_windows(w, N, T0 + (int64_t)i * 30 * MINUTE,
						    T0 + (int64_t)(i + 1) * 30 * MINUTE, NULL);

		assert_int_equal(times.v.data[i].begin_ns, T0 + (int64_t)i * 30 * MINUTE);
		assert_int_equal(times.v.data[i].windows, 10);
		assert_int_equal(times.v.data[i].samples, total_of_type(sum, 0));
		assert_int_equal(times.v.data[i].cpu_ns, total_of_type(sum, 1));
		assert_int_equal(times.v.data[i].lost, 100);
		profile_free(sum);
	}
	store_times_release(&times);
	assert_int_equal(store_times(s, &nginx, HOUR, &times, &why), 0);
	for (size_t i = 0; i < times.v.len; i++) {
		samples += times.v.data[i].samples;
		cpu_ns += times.v.data[i].cpu_ns;
	}
	r = query_store(s, STORE_BEGIN, STORE_END, "comm=nginx");
	assert_true(samples > 0);
	assert_int_equal(samples, total_of_type(r.profile, 0));
	assert_int_equal(cpu_ns, total_of_type(r.profile, 1));
	store_result_release(&r);
	store_times_release(&times);
	assert_int_equal(store_times(s, &all, 1, &times, &why), -EINVAL);
	store_close(s);
	release_windows(w, N);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_written_is_compacted_and_stays_the_same),
		CASE(blocks_of_hours_become_one_file),
		CASE(old_windows_become_coarser_with_the_same_sums),
		CASE(compaction_keeps_within_its_memory),
		CASE(a_crash_between_leaves_every_window_once),
		CASE(the_oldest_go_first_when_it_is_too_large),
		CASE(what_is_too_old_goes),
		CASE(a_clock_that_was_set_is_not_believed_at_once),
		CASE(space_is_left_to_others),
		CASE(what_cannot_make_room_stays),
		CASE(a_segment_whose_time_is_over_makes_room),
		CASE(a_small_file_system_keeps_profiles),
		CASE(damaged_files_are_dropped_in_their_turn),
		CASE(times_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
