// SPDX-License-Identifier: GPL-2.0-or-later
/* Files in which something has changed: what can be read is, what cannot is said to be missing or bears
 * the name of what it was lost to, and nothing crashes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/store/list.h"
#include "profiler/store/maintain.h"
#include "profiler/store/resolve.h"
#include "profiler/store/restore.h"
#include "profiler/store/store_internal.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N 60

static const struct store_opts writing = {.access = STORE_WRITE};
static const struct store_opts reading = {.access = STORE_READ};

static const struct moment now = {T0 + 6 * HOUR, HOUR};

static struct moment stopped_clock(void)
{
	return now;
}

/* Three hours in the fixture's "store", written or compacted; nothing has it open. */
static void make_store(struct window *w, bool compacted)
{
	struct store *s = open_store("store", &writing);
	int got = 1;

	s->clock = stopped_clock;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	while (compacted && got > 0)
		got = maintain(s, now);
	store_close(s);
}

static void damage_rows(const char *sql)
{
	fixture_run("for f in store/*.kiln; do sqlite3 $f \"%s\" || exit 1; done", sql);
}

static bool has_function(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->functions.len; i++)
		if (!strcmp(profile_text(p, p->functions.data[i].name), name))
			return true;
	return false;
}

/* All values are there, whatever has become of the names. */
static struct store_result assert_no_value_lost(const struct window *w)
{
	struct store *s = open_store("store", &reading);
	struct profile *sum = merge_windows(w, N, STORE_BEGIN, STORE_END, NULL);
	struct store_result r = query_store(s, STORE_BEGIN, STORE_END, NULL);

	assert_int_equal(r.windows, N);
	assert_int_equal(total_of_type(r.profile, 0), total_of_type(sum, 0));
	assert_int_equal(total_of_type(r.profile, 1), total_of_type(sum, 1));
	profile_free(sum);
	store_close(s);
	return r;
}

static void lost_dictionary(bool compacted, const char *section, const char *frame)
{
	struct store_result r;
	struct window w[N];
	char sql[200];

	make_store(w, compacted);
	snprintf(sql, sizeof(sql),
		 "UPDATE dictionary SET data = zeroblob(length(data)) WHERE section = %s", section);
	damage_rows(sql);
	r = assert_no_value_lost(w);
	assert_true(r.pieces_damaged > 0);
	assert_true(has_function(r.profile, frame));
	store_result_release(&r);
	/* Rows that are gone altogether. */
	snprintf(sql, sizeof(sql), "DELETE FROM dictionary WHERE section = %s", section);
	damage_rows(sql);
	r = assert_no_value_lost(w);
	assert_true(has_function(r.profile, frame));
	store_result_release(&r);
	fixture_run("rm -r store");
	release_windows(w, N);
}

static void lost_names_are_frames_that_say_so(void **state)
{
	(void)state;
	for (int compacted = 0; compacted < 2; compacted++) {
		lost_dictionary(compacted, "0", FRAME_DAMAGED_NAME);
		lost_dictionary(compacted, "2", FRAME_DAMAGED_NAME);
		lost_dictionary(compacted, "3", FRAME_DAMAGED_NAME);
		lost_dictionary(compacted, "4", FRAME_DAMAGED_FRAME);
		lost_dictionary(compacted, "5", FRAME_DAMAGED_STACK);
	}
}

static void lost_labels_are_a_label_that_says_so(void **state)
{
	static const char *const sql[] = {"DELETE FROM dictionary WHERE section = 6",
					  "DELETE FROM series"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct store_result r;
		struct window w[N];
		uint32_t damaged;

		make_store(w, i & 1);
		damage_rows(sql[i / 2]);
		r = assert_no_value_lost(w);
		damaged = strtab_lookup(r.profile->strings, LABEL_DAMAGED_VALUE);
		assert_int_not_equal(damaged, UINT32_MAX);
		store_result_release(&r);
		fixture_run("rm -r store");
		release_windows(w, N);
	}
}

/* Numbers that no segment has would be room without end. */
static void numbers_of_series_are_bounded(void **state)
{
	static const char *const ids[] = {"1048577", "9223372036854775807", "'-5x'"};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct store_result r;
		struct window w[N];
		char sql[100];

		make_store(w, false);
		snprintf(sql, sizeof(sql), "INSERT INTO series VALUES(%s, 0, 'comm', 'x', '')",
			 ids[i]);
		damage_rows(sql);
		r = assert_no_value_lost(w);
		assert_int_equal(r.rows_damaged, 3); /* one in each segment */
		store_result_release(&r);
		fixture_run("rm -r store");
		release_windows(w, N);
	}
}

/* A window whose samples are lost has its sums left, by series. */
static void lost_samples_leave_their_sums(void **state)
{
	(void)state;
	for (int compacted = 0; compacted < 2; compacted++) {
		struct store_result r, burn;
		struct window w[N];
		struct store *s;

		make_store(w, compacted);
		s = open_store("store", &reading);
		burn = query_store(s, STORE_BEGIN, STORE_END, "comm=burn,pid=");
		store_close(s);
		damage_rows("UPDATE windows SET counts = x'00' WHERE id > 3");
		r = assert_no_value_lost(w);
		assert_true(r.windows_damaged > N / 2);
		assert_true(has_function(r.profile, FRAME_DAMAGED_STACK));
		store_result_release(&r);
		s = open_store("store", &reading);
		r = query_store(s, STORE_BEGIN, STORE_END, "comm=burn,pid=");
		assert_true(total_of_type(burn.profile, 0) > 0);
		assert_int_equal(total_of_type(r.profile, 0), total_of_type(burn.profile, 0));
		assert_int_equal(total_of_type(r.profile, 1), total_of_type(burn.profile, 1));
		store_result_release(&r);
		store_result_release(&burn);
		store_close(s);
		fixture_run("rm -r store");
		release_windows(w, N);
	}
}

static void a_lost_header_is_no_lost_window(void **state)
{
	struct store_result r;
	struct window w[N];

	(void)state;
	make_store(w, true);
	damage_rows("UPDATE kinds SET header = x'ff'");
	r = assert_no_value_lost(w);
	store_result_release(&r);
	damage_rows("DELETE FROM kinds");
	r = assert_no_value_lost(w);
	store_result_release(&r);
	release_windows(w, N);
}

static struct store *open_after_upkeep(struct store_stats *stats)
{
	struct store *s = open_store("store", &writing);
	int got = 1;

	s->clock = stopped_clock;
	while (got > 0)
		got = maintain(s, now);
	assert_int_equal(got, 0);
	store_stats(s, stats);
	return s;
}

/* The next segment is as good as ever, and the rest of the damaged one is kept. */
static void a_damaged_segment_is_put_aside(void **state)
{
	struct store_result r;
	struct store_stats stats;
	struct window w[N];
	struct store *s;

	(void)state;
	make_store(w, false);
	fixture_run("sqlite3 store/" T0_NAME
		    " \"UPDATE dictionary SET data = x'00' WHERE section = 0 AND id < 30\"");
	fixture_run("echo 'no database at all, but long enough to be looked at' "
		    ">store/20261128T010000Z.kiln");
	s = open_after_upkeep(&stats);
	assert_int_equal(stats.quarantined, 2);
	fixture_run("[ -f store/" T0_NAME ".damaged ] && "
		    "[ -f store/20261128T010000Z.kiln.damaged ]");
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(r.windows, 40);
	assert_int_equal(r.segments_damaged, 2);
	assert_int_equal(r.pieces_damaged, 0); /* what they were lost to is their name now */
	assert_true(has_function(r.profile, FRAME_DAMAGED_NAME));
	store_result_release(&r);
	assert_holds(s, w, N, T0 + 3 * HOUR, STORE_END);
	store_close(s);
	release_windows(w, N);
}

/* It would count for nothing, and upkeep would remove it. */
static void a_segment_that_replaces_itself_is_damaged(void **state)
{
	struct store_result r;
	struct store_stats stats;
	struct window w[N];
	struct store *s;

	(void)state;
	make_store(w, false);
	/* Nor does the next one go with it. */
	fixture_run("id=$(sqlite3 store/20261128T010000Z.kiln \"SELECT value FROM meta WHERE key = "
		    "'id'\"); "
		    "sqlite3 store/" T0_NAME " \"INSERT INTO replaced VALUES($id); "
		    "INSERT INTO replaced SELECT value FROM meta WHERE key = 'id'\"");
	s = open_store("store", &reading);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(r.segments_damaged, 1);
	assert_int_equal(r.windows, 40);
	store_result_release(&r);
	store_close(s);
	s = open_after_upkeep(&stats);
	assert_int_equal(stats.quarantined, 1);
	fixture_run("[ -f store/" T0_NAME ".damaged ]");
	store_close(s);
	release_windows(w, N);
}

/* Each of them is read without an error, but what would be written by it could not be told apart. */
static void a_damaged_segment_is_not_gone_on_with(void **state)
{
	static const char *const sql[] = {
		"UPDATE dictionary SET data = x'00' WHERE section = 5",
		/* the same numbers twice */
		"INSERT INTO dictionary(section, first, count, data) "
		"SELECT section, first, count, data FROM dictionary WHERE section = 5",
		/* two series with the same labels */
		"DELETE FROM series WHERE id = 1; "
		"INSERT INTO series SELECT 1, n, key, value, unit FROM series WHERE id = 2",
		"INSERT INTO kinds SELECT (SELECT max(id) + 1 FROM kinds), sample_types, period, "
		"header FROM kinds WHERE id = 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sql) / sizeof(*sql); i++) {
		struct store *s = open_store("store", &writing);
		struct store_stats stats;
		struct window w[4];

		append_windows(s, w, 3, 10 * SECOND);
		store_close(s);
		fixture_run("sqlite3 store/" T0_NAME " \"%s\"", sql[i]);
		s = open_store("store", &writing);
		/* All that it has was in the segment already: nothing is added that is refused. */
		w[3] = random_window(2, T0 + 30 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[3]), 0);
		store_stats(s, &stats);
		assert_int_equal(stats.segments_broken, 1);
		assert_int_equal(stats.segments_begun, 1);
		store_close(s);
		fixture_run("rm -r store");
		release_windows(w, 4);
	}
}

/* Numbers of windows need no successor: the next one is none that is there. */
static void a_segment_that_lacks_a_window_is_gone_on_with(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_stats stats;
	struct window w[4];

	(void)state;
	append_windows(s, w, 3, 10 * SECOND);
	store_close(s);
	damage_rows("DELETE FROM windows WHERE id = 1; DELETE FROM usage WHERE window = 1");
	s = open_store("store", &writing);
	w[3] = random_window(3, T0 + 30 * SECOND, 10 * SECOND);
	assert_int_equal(append_window(s, &w[3]), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.segments_broken, 0);
	assert_int_equal(stats.segments_begun, 0);
	assert_holds(s, w + 1, 3, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, 4);
}

/* Files that are none may be newer: some are passed by, not all that somebody has put there. */
static void a_segment_before_the_newest_is_gone_on_with(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 4; n++) {
		struct store *s = open_store("store", &writing);
		struct store_stats stats;
		struct window w[3];

		append_windows(s, w, 2, 10 * SECOND);
		store_close(s);
		fixture_run(
			"for i in $(seq %u); do echo 'no database at all, but long enough to be "
			"looked at' >store/20261128T0${i}0000Z.kiln; done",
			n);
		s = open_store("store", &writing);
		w[2] = random_window(2, T0 + 20 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[2]), 0);
		store_stats(s, &stats);
		assert_int_equal(stats.segments_broken, n);
		assert_int_equal(stats.segments_begun, n == 4);
		store_close(s);
		fixture_run("rm -r store");
		release_windows(w, 3);
	}
}

/* What was ended is somebody else's to change. */
static void an_ended_segment_is_not_gone_on_with(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_stats stats;
	struct window w[4];

	(void)state;
	append_windows(s, w, 3, 10 * SECOND);
	store_end_segment(s);
	store_close(s);
	fixture_run("cp store/" T0_NAME " before");
	s = open_store("store", &writing);
	w[3] = random_window(3, T0 + 30 * SECOND, 10 * SECOND);
	assert_int_equal(append_window(s, &w[3]), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.segments_begun, 1);
	assert_int_equal(stats.segments_broken, 0);
	assert_holds(s, w, 4, STORE_BEGIN, STORE_END);
	store_close(s);
	fixture_run("cmp store/" T0_NAME " before");
	release_windows(w, 4);
}

/* Times with which nobody can reckon. */
static void a_segment_of_no_time_is_damaged(void **state)
{
	static const char *const sql[] = {
		"UPDATE meta SET value = -9223372036854775808 WHERE key = 'begin_unix_ns'",
		"UPDATE meta SET value = 9223372036854775807 WHERE key = 'begin_unix_ns'",
		"UPDATE meta SET value = 9223372036854775807 WHERE key = 'span_ns'",
		"UPDATE meta SET value = 9223372036854775807 WHERE key = 'window_ns'",
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct store_result r;
		struct window w[N];
		struct store *s;

		make_store(w, true);
		fixture_run("sqlite3 store/" T0_NAME " \"%s\"", sql[i]);
		s = open_store("store", &reading);
		r = query_store(s, STORE_BEGIN, STORE_END, NULL);
		assert_int_equal(r.windows, 0);
		assert_int_equal(r.segments_damaged, 1);
		store_result_release(&r);
		store_close(s);
		s = open_store("store", &writing);
		s->clock = stopped_clock;
		assert_int_equal(maintain(s, now), 1);
		store_close(s);
		fixture_run("[ -f store/" T0_NAME ".damaged ] && rm -r store");
		release_windows(w, N);
	}
}

/* They are in no range that anybody asks for: not to be passed over in silence. */
static void windows_of_no_time_are_damaged(void **state)
{
	static const char *const sql[] = {"begin_unix_ns = -9223372036854775808",
					  "begin_unix_ns = 9223372036854775807",
					  "duration_ns = -1"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct store_result r;
		struct window w[N];
		struct store *s;

		make_store(w, false);
		fixture_run("sqlite3 store/" T0_NAME " 'UPDATE windows SET %s WHERE id < 3'",
			    sql[i]);
		s = open_store("store", &reading);
		r = query_store(s, STORE_BEGIN, STORE_END, NULL);
		assert_int_equal(r.windows, N - 2);
		assert_int_equal(r.rows_damaged, 2);
		store_result_release(&r);
		store_close(s);
		fixture_run("rm -r store");
		release_windows(w, N);
	}
}

static void empty_and_odd_files_are_nothing(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_result r;
	struct window w[2];

	(void)state;
	append_windows(s, w, 2, 10 * SECOND);
	store_close(s);
	fixture_run("cd store && touch 20261128T020000Z.kiln 20261128T020000Z-x.kiln x.kiln && "
		    "mkdir 20261128T030000Z.kiln && ln -s /etc/passwd 20261128T040000Z.kiln && "
		    "mkfifo 20261128T050000Z.kiln && "
		    "cp " T0_NAME " 99991231T235959Z.kiln"); /* later than nanoseconds can say */
	s = open_store("store", &reading);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(r.windows, 2);
	store_result_release(&r);
	store_close(s);
	fixture_run("rm -r store");
	release_windows(w, 2);
}

/* --- any byte ------------------------------------------------------------------------------------- */

static void query_everything(void)
{
	static const struct store_query all = {.until_ns = STORE_END},
					some = {.until_ns = STORE_END, .where = "comm=~b.*"};
	struct store *s = open_store("store", &reading);
	struct store_times times;
	struct store_files files;
	struct store_result r;
	struct why why;

	if (!store_query(s, &all, &r, &why))
		store_result_release(&r);
	if (!store_query(s, &some, &r, &why))
		store_result_release(&r);
	if (!store_times(s, &some, HOUR, &times, &why))
		store_times_release(&times);
	if (!store_files(s, &files))
		store_files_release(&files);
	store_close(s);
}

static void overwrite(const char *path, uint64_t *r, size_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t bytes[64];
	uint32_t n = 1 + rnd_below(r, sizeof(bytes));
	off_t at = rnd_below(r, 4) ? rnd_below(r, (uint32_t)size) : rnd_below(r, 200);

	assert_true(fd >= 0);
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(rnd_below(r, 3) ? rnd(r) : 0);
	if (rnd_below(r, 10))
		assert_int_equal(pwrite(fd, bytes, n, at), n);
	else
		assert_int_equal(ftruncate(fd, at), 0);
	close(fd);
}

static void mutate(bool compacted, uint64_t seed, unsigned mutants)
{
	struct window w[N];
	uint64_t r = seed;
	size_t size;

	make_store(w, compacted);
	fixture_run("mv $(ls store/*.kiln | head -n 1) good");
	free(fixture_read("good", &size));
	for (unsigned i = 0; i < mutants; i++) {
		struct store *s;

		fixture_run("rm -rf store && mkdir -m 750 store && cp good store/" T0_NAME);
		for (uint32_t k = 1 + rnd_below(&r, 3); k > 0; k--)
			overwrite("store/" T0_NAME, &r, size);
		query_everything();
		if (i % 4)
			continue;
		s = open_store("store", &writing);
		s->clock = stopped_clock;
		for (int k = 0; k < 4 && maintain(s, now) > 0; k++)
			;
		assert_int_equal(append_window(s, &w[0]), 0);
		store_close(s);
		query_everything();
	}
	release_windows(w, N);
}

static unsigned mutants(void)
{
	const char *n = getenv("MUTANTS");

	return n ? (unsigned)atoi(n) : 150;
}

static void changed_bytes_of_written_segments_hurt_nobody(void **state)
{
	(void)state;
	mutate(false, 3, mutants());
}

static void changed_bytes_of_compacted_segments_hurt_nobody(void **state)
{
	(void)state;
	mutate(true, 4, mutants());
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lost_names_are_frames_that_say_so),
		CASE(lost_labels_are_a_label_that_says_so),
		CASE(numbers_of_series_are_bounded),
		CASE(lost_samples_leave_their_sums),
		CASE(a_lost_header_is_no_lost_window),
		CASE(a_damaged_segment_is_put_aside),
		CASE(a_segment_that_replaces_itself_is_damaged),
		CASE(a_damaged_segment_is_not_gone_on_with),
		CASE(a_segment_that_lacks_a_window_is_gone_on_with),
		CASE(a_segment_before_the_newest_is_gone_on_with),
		CASE(an_ended_segment_is_not_gone_on_with),
		CASE(a_segment_of_no_time_is_damaged),
		CASE(windows_of_no_time_are_damaged),
		CASE(empty_and_odd_files_are_nothing),
		CASE(changed_bytes_of_written_segments_hurt_nobody),
		CASE(changed_bytes_of_compacted_segments_hurt_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
