// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "profiler/base/clock.h"
#include "profiler/store/list.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N 60

static const struct store_opts writing = {.access = STORE_WRITE};
static const struct store_opts reading = {.access = STORE_READ};

static void what_goes_in_comes_out(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	assert_holds(s, w, N, T0 + 1, T0 + 90 * MINUTE);
	store_close(s);
	s = open_store("store", &reading);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);
}

static void a_window_belongs_to_the_range_with_its_beginning(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[3];

	(void)state;
	append_windows(s, w, 3, 10 * SECOND);
	assert_holds(s, w, 3, T0 + 10 * SECOND, T0 + 10 * SECOND + 1);
	assert_holds(s, w, 3, T0 + 10 * SECOND + 1, T0 + 20 * SECOND);
	assert_holds(s, w, 3, T0, T0 + 10 * SECOND);
	assert_holds(s, w, 3, T0 + 5 * SECOND, T0 + 5 * SECOND);
	store_close(s);
	release_windows(w, 3);
}

/* Adjacent ranges, cut anywhere, add up to the whole. */
static void parts_add_up(void **state)
{
	struct store *s = open_store("store", &writing);
	struct quality parts_quality = {0}, whole_quality = {0};
	struct profile *parts = profile_new(), *whole;
	int64_t at = T0 - HOUR, end = T0 + N * 3 * MINUTE + HOUR;
	struct window w[N];
	uint64_t r = 77;
	const char *why;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	while (at < end) {
		int64_t next = at + 1 + (int64_t)(rnd(&r) % (40 * MINUTE));
		struct store_result part = query_store(s, at, next, NULL);

		if (part.windows)
			MUST(profile_merge(parts, part.profile, &why));
		MUST(quality_merge(&parts_quality, &part.quality));
		store_result_release(&part);
		at = next;
	}
	whole = merge_windows(w, N, STORE_BEGIN, STORE_END, &whole_quality);
	assert_same_profile(parts, whole);
	assert_same_quality(&parts_quality, &whole_quality);
	profile_free(parts);
	profile_free(whole);
	quality_release(&parts_quality);
	quality_release(&whole_quality);
	store_close(s);
	release_windows(w, N);
}

/* comm=burn and no unit, as the condition says it below; by a walk of its own. */
static bool is_burn_without_unit(void *ctx, const struct profile *p, size_t sample)
{
	const struct profile_labelset *set = &p->labelsets.data[p->samples.data[sample].labelset];
	bool burn = false;

	(void)ctx;
	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *l = &p->labels.data[set->first + i];

		if (!strcmp(profile_text(p, l->key), "unit"))
			return false;
		if (!strcmp(profile_text(p, l->key), "comm") && l->str != PROFILE_NONE)
			burn |= !strcmp(profile_text(p, l->str), "burn");
	}
	return burn;
}

static void conditions_pick_samples(void **state)
{
	struct store *s = open_store("store", &writing);
	struct profile *whole, *some;
	struct store_result r;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	whole = merge_windows(w, N, STORE_BEGIN, STORE_END, NULL);
	MUST(profile_filter(&some, whole, is_burn_without_unit, NULL));
	assert_int_not_equal(some->samples.len, 0);
	assert_in_range(some->samples.len, 1, whole->samples.len - 1);
	MUST(quality_set_where(some, "comm=burn,unit=")); /* it says so */
	r = query_store(s, STORE_BEGIN, STORE_END, "comm=burn,unit=");
	assert_same_profile(r.profile, some);
	assert_int_equal(r.windows, N);
	store_result_release(&r);
	profile_free(some);
	profile_free(whole);
	store_close(s);
	release_windows(w, N);
}

static void labels_can_be_left_out(void **state)
{
	const char *const without[] = {"pid", "thread_id", NULL};
	const struct store_query q = {.until_ns = STORE_END, .without_labels = without};
	struct store *s = open_store("store", &writing);
	struct profile *whole, *no_pid, *neither;
	struct why why;
	struct store_result r;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	whole = merge_windows(w, N, STORE_BEGIN, STORE_END, NULL);
	MUST(profile_without_label(&no_pid, whole, "pid"));
	MUST(profile_without_label(&neither, no_pid, "thread_id"));
	assert_int_equal(store_query(s, &q, &r, &why), 0);
	assert_same_profile(r.profile, neither);
	store_result_release(&r);
	profile_free(whole);
	profile_free(no_pid);
	profile_free(neither);
	store_close(s);
	release_windows(w, N);
}

/* Whoever reads says how long it may take. */
static void reading_ends_when_its_time_is_over(void **state)
{
	const struct store_query q = {.until_ns = STORE_END};
	struct store_opts opts = {.access = STORE_READ, .read_until_ns = monotonic_ns() + HOUR};
	struct store *s = open_store("store", &writing);
	struct why why;
	struct store_result r;
	struct store_times times;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_close(s);
	s = open_store("store", &opts);
	assert_int_equal(store_query(s, &q, &r, &why), 0);
	store_result_release(&r);
	store_close(s);
	opts.read_until_ns = monotonic_ns();
	s = open_store("store", &opts);
	assert_int_equal(store_query(s, &q, &r, &why), -ETIME);
	assert_non_null(strstr(why.text, "a shorter range takes less"));
	assert_int_equal(store_times(s, &q, MINUTE, &times, &why), -ETIME);
	store_close(s);
	release_windows(w, N);
}

static void sums_by_label_need_no_stacks(void **state)
{
	const struct store_query q = {.until_ns = STORE_END, .without_stacks = true};
	struct store *s = open_store("store", &writing);
	struct profile *whole;
	struct why why;
	struct store_result r;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	whole = merge_windows(w, N, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(store_query(s, &q, &r, &why), 0);
	assert_int_equal(r.profile->frames.len, 0);
	assert_int_equal(total_of_type(r.profile, 0), total_of_type(whole, 0));
	assert_int_equal(total_of_type(r.profile, 1), total_of_type(whole, 1));
	assert_int_equal(r.profile->samples.len, r.profile->labelsets.len);
	store_result_release(&r);
	profile_free(whole);
	store_close(s);
	release_windows(w, N);
}

static void a_restart_goes_on_with_the_segment(void **state)
{
	struct window w[N];
	struct store_stats stats;
	struct store *s = NULL;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		if (i % 7 == 0) {
			store_close(s);
			s = open_store("store", &writing);
		}
		w[i] = random_window(i, T0 + (int64_t)i * 10 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
		store_stats(s, &stats);
		assert_int_equal(stats.segments_begun, i < 7);
	}
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	fixture_run("[ $(ls store/*.kiln | wc -l) = 1 ] && [ -f store/" T0_NAME " ]");
	/* Those who may only read need nothing beside the file. */
	fixture_run("! ls store/*-wal store/*-shm 2>/dev/null");
	release_windows(w, N);
}

static void segments_end_by_the_clock_and_by_memory(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .segment_ns = 60 * SECOND};
	struct store *s = open_store("store", &opts);
	struct store_stats stats;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 10 * SECOND);
	store_stats(s, &stats);
	assert_int_equal(stats.segments_begun, N / 6);
	assert_int_equal(stats.windows, N);
	assert_int_equal(stats.index_full, 0);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);

	opts = (struct store_opts){.access = STORE_WRITE, .index_bytes = 150 << 10};
	s = open_store("small", &opts);
	append_windows(s, w, N, 10 * SECOND);
	store_stats(s, &stats);
	assert_true(stats.index_full > 0);
	assert_int_equal(stats.segments_begun, stats.index_full + 1);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);
}

/* A window that begins where a segment's time ends is the first of the next one. */
static void a_segment_ends_before_the_next_begins(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .segment_ns = 60 * SECOND};
	static const int64_t at_s[] = {0, 59, 60, 119, 120};
	struct store *s = open_store("store", &opts);
	struct store_stats stats;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct window w = random_window(i, T0 + at_s[i] * SECOND, SECOND);

		assert_int_equal(append_window(s, &w), 0);
		store_stats(s, &stats);
		assert_int_equal(stats.segments_begun, at_s[i] / 60 + 1);
		window_release(&w);
	}
	store_close(s);
}

static void the_clock_may_go_back_and_forth(void **state)
{
	static const int64_t at[] = {0, 10, 20, -86400, -86390, 30, 15, 40, 86400, 50};
	struct store *s = open_store("store", &writing);
	struct window w[10];
	struct store_stats stats;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		w[i] = random_window(i, T0 + at[i] * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
	}
	store_stats(s, &stats);
	assert_int_equal(stats.clock_back, 2);
	assert_holds(s, w, 10, STORE_BEGIN, STORE_END);
	assert_holds(s, w, 10, T0 - 86400 * SECOND, T0);
	assert_holds(s, w, 10, T0 + 10 * SECOND, T0 + 20 * SECOND);
	w[0].begin_ns = -1;
	assert_int_equal(append_window(s, &w[0]), -EINVAL);
	store_close(s);
	release_windows(w, 10);
}

static void one_process_appends(void **state)
{
	struct store *s = open_store("store", &writing), *other = NULL;
	struct why why;
	char pid[32];

	(void)state;
	snprintf(pid, sizeof(pid), "process %d", getpid());
	assert_int_equal(store_open(&other, "store", &writing, &why), -EBUSY);
	assert_null(other);
	assert_non_null(strstr(why.text, pid));
	/* Reading is for everybody, meanwhile. */
	other = open_store("store", &reading);
	store_close(other);
	store_close(s);
	s = open_store("store", &writing);
	store_close(s);
}

static void directory_and_files_are_for_the_group(void **state)
{
	struct store *s;
	struct window w = random_window(1, T0, SECOND);

	(void)state;
	umask(0);
	s = open_store("new/deep/store", &writing);
	assert_int_equal(append_window(s, &w), 0);
	fixture_run("[ $(stat -c %%a new/deep/store) = 750 ] && "
		    "for f in new/deep/store/*; do [ $(stat -c %%a $f) = 640 ] || exit 1; done");
	store_close(s);
	umask(022);
	window_release(&w);
}

static void refusals_say_why(void **state)
{
	struct why why;
	struct store *s = NULL;

	(void)state;
	assert_int_equal(store_open(&s, "nowhere", &reading, &why), -ENOENT);
	assert_non_null(strstr(why.text, "nowhere: there is no store"));
	fixture_run("mkdir open && chmod 777 open && touch file");
	assert_int_equal(store_open(&s, "open", &writing, &why), -EPERM);
	assert_non_null(strstr(why.text, "chmod o-w"));
	assert_int_equal(store_open(&s, "file", &writing, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, "file is no directory"));
	assert_null(s);
}

/* Whoever is not in the group, and back. */
static void become_nobody(bool nobody)
{
	if (!nobody)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(nobody ? 65534 : 0), 0);
	if (nobody)
		assert_int_equal(seteuid(65534), 0);
}

static void readers_without_permission_learn_the_cure(void **state)
{
	struct why why;
	struct store *s = open_store("store", &writing);
	int err;

	(void)state;
	store_close(s);
	if (geteuid())
		skip();
	assert_int_equal(chmod(fixture_dir, 0755), 0);
	become_nobody(true);
	err = store_open(&s, "store", &reading, &why);
	become_nobody(false);
	assert_int_equal(err, -EACCES);
	assert_non_null(strstr(why.text, "usermod -aG kiln"));
}

/* Whoever may read but not write reads what is being written and what was. */
static void readers_need_no_write_access(void **state)
{
	struct store *s = open_store("store", &writing), *reader;
	struct window w[4];

	(void)state;
	if (geteuid())
		skip();
	append_windows(s, w, 4, 40 * MINUTE);
	fixture_run("chmod 755 . store && chmod 644 store/*");
	become_nobody(true);
	reader = open_store("store", &reading);
	assert_holds(reader, w, 4, STORE_BEGIN, STORE_END);
	store_close(reader);
	become_nobody(false);
	store_close(s);
	become_nobody(true);
	reader = open_store("store", &reading);
	assert_holds(reader, w, 4, STORE_BEGIN, STORE_END);
	store_close(reader);
	become_nobody(false);
	release_windows(w, 4);
}

static void a_newer_segment_is_left_alone(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_result r;
	struct store_stats stats;
	struct window w[2];

	(void)state;
	append_windows(s, w, 2, 10 * SECOND);
	store_close(s);
	fixture_run("sqlite3 store/" T0_NAME " 'PRAGMA user_version = 99' && "
		    "cp store/" T0_NAME " before");
	s = open_store("store", &writing);
	assert_int_equal(append_window(s, &w[1]), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.segments_begun, 1);
	assert_int_equal(stats.segments_newer, 1);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(r.windows, 1);
	assert_int_equal(r.segments_newer, 1);
	store_result_release(&r);
	store_close(s);
	fixture_run("cmp store/" T0_NAME " before");
	release_windows(w, 2);
}

static void a_segment_that_is_gone_is_begun_again(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_stats stats;
	struct window w[3];

	(void)state;
	append_windows(s, w, 2, 10 * SECOND);
	fixture_run("rm store/*.kiln*");
	w[2] = random_window(2, T0 + 20 * SECOND, 10 * SECOND);
	assert_int_equal(append_window(s, &w[2]), 0);
	store_stats(s, &stats);
	assert_int_equal(stats.segments_gone, 1);
	assert_holds(s, w + 2, 1, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, 3);
}

/* What people search by can be read without kiln. */
static void plain_columns_say_the_same(void **state)
{
	struct store *s = open_store("store", &writing);
	struct profile *whole;
	struct window w[N];
	char sql[512];
	struct quality q = {0};

	(void)state;
	append_windows(s, w, N, 10 * SECOND);
	whole = merge_windows(w, N, STORE_BEGIN, STORE_END, &q);
	snprintf(sql, sizeof(sql),
		 "test \"$(sqlite3 store/" T0_NAME " 'SELECT count(*), sum(samples), sum(cpu_ns), "
		 "sum(expected), sum(recorded), sum(lost), sum(lost_map_full), min(begin_unix_ns) "
		 "FROM "
		 "windows')\" = '%d|%lld|%lld|%llu|%llu|%llu|%llu|%lld'",
		 N, (long long)total_of_type(whole, 0), (long long)total_of_type(whole, 1),
		 (unsigned long long)q.expected, (unsigned long long)q.recorded,
		 (unsigned long long)quality_lost(&q), (unsigned long long)q.lost[LOSS_map_full],
		 (long long)T0);
	fixture_run("%s", sql);
	fixture_run("test \"$(sqlite3 store/" T0_NAME " 'SELECT sum(samples) FROM usage')\" = "
		    "\"$(sqlite3 store/" T0_NAME " 'SELECT sum(samples) FROM windows')\"");
	fixture_run(
		"sqlite3 store/" T0_NAME " \"SELECT sum(samples) FROM usage JOIN series ON "
		"series.id = usage.series WHERE key = 'comm' AND value = 'nginx'\" | grep -q .");
	store_close(s);
	profile_free(whole);
	quality_release(&q);
	release_windows(w, N);
}

static void windows_of_other_types_are_not_mixed(void **state)
{
	const struct store_query q = {.until_ns = STORE_END};
	struct store *s = open_store("store", &writing);
	struct profile *heap = profile_new();
	struct quality none = {0};
	struct store_result r;
	struct why why;
	struct window w = random_window(1, T0, SECOND);

	(void)state;
	MUST(profile_add_sample_type(heap, "alloc", "bytes"));
	assert_int_equal(append_window(s, &w), 0);
	assert_int_equal(store_append(s, heap, &none, T0 + MINUTE, SECOND), 0);
	assert_int_equal(store_query(s, &q, &r, &why), -EINVAL);
	assert_non_null(strstr(why.text, "different sample types"));
	r = query_store(s, T0, T0 + 1, NULL);
	assert_int_equal(r.windows, 1);
	store_result_release(&r);
	r = query_store(s, T0 + 1, STORE_END, NULL);
	assert_int_equal(r.windows, 1);
	store_result_release(&r);
	profile_free(heap);
	window_release(&w);
	store_close(s);
}

static void values_of_any_size_and_sign_survive(void **state)
{
	static const int64_t values[][3] = {{1, INT64_MAX, INT64_MIN},
					    {-5, 0, 7},
					    {INT64_MIN, INT64_MIN, INT64_MIN},
					    {0, 0, -1},
					    {INT64_MAX, 3, 0}};
	struct store *s = open_store("store", &writing);
	struct profile *p = profile_new();
	struct window w = {.profile = p, .begin_ns = T0, .duration_ns = SECOND};
	uint32_t set;

	(void)state;
	MUST(profile_add_sample_type(p, "a", "count"));
	MUST(profile_add_sample_type(p, "b", "bytes"));
	MUST(profile_add_sample_type(p, "c", "nanoseconds"));
	p->time_ns = T0;
	p->duration_ns = SECOND;
	MUST(profile_labelset(p, NULL, 0, &set));
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t frame = location_id(p, PROFILE_NONE, i, NULL), stack;

		MUST(profile_stack(p, &frame, i != 3, &stack)); /* one without frames, too */
		MUST(profile_add(p, stack, set, values[i]));
	}
	assert_int_equal(append_window(s, &w), 0);
	assert_holds(s, &w, 1, STORE_BEGIN, STORE_END);
	store_close(s);
	window_release(&w);
}

/* Labels that look like something else. */
static void odd_labels_survive(void **state)
{
	struct store *s = open_store("store", &writing);
	struct profile *p = profile_new();
	struct window w = {.profile = p, .begin_ns = T0, .duration_ns = SECOND};
	char *big = calloc(1, 10241);
	struct profile_label l[4] = {{0}};
	uint32_t set, stack, frame;

	(void)state;
	memset(big, 'x', 10240);
	MUST(profile_init_cpu(p, 1000));
	p->time_ns = T0;
	p->duration_ns = SECOND;
	frame = location_id(p, PROFILE_NONE, 1, "f");
	MUST(profile_stack(p, &frame, 1, &stack));
	l[0] = (struct profile_label){str_id(p, "a\nb=\"c\",'"), str_id(p, "v\"\n\x01,=~"), 0, 0};
	l[1] = (struct profile_label){str_id(p, "big"), str_id(p, big), 0, 0};
	l[2] = (struct profile_label){str_id(p, "pid"), PROFILE_NONE, INT64_MIN, 0};
	l[3] = (struct profile_label){str_id(p, "pid"), PROFILE_NONE, 7, str_id(p, "unit")};
	MUST(profile_labelset(p, l, 4, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 1000}));
	assert_int_equal(append_window(s, &w), 0);
	assert_holds(s, &w, 1, STORE_BEGIN, STORE_END);
	store_close(s);
	s = open_store("store", &writing); /* and goes on with them */
	assert_int_equal(append_window(s, &w), 0);
	store_close(s);
	window_release(&w);
	free(big);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_goes_in_comes_out),
		CASE(a_window_belongs_to_the_range_with_its_beginning),
		CASE(parts_add_up),
		CASE(conditions_pick_samples),
		CASE(labels_can_be_left_out),
		CASE(reading_ends_when_its_time_is_over),
		CASE(sums_by_label_need_no_stacks),
		CASE(a_restart_goes_on_with_the_segment),
		CASE(segments_end_by_the_clock_and_by_memory),
		CASE(a_segment_ends_before_the_next_begins),
		CASE(the_clock_may_go_back_and_forth),
		CASE(one_process_appends),
		CASE(directory_and_files_are_for_the_group),
		CASE(refusals_say_why),
		CASE(readers_without_permission_learn_the_cure),
		CASE(readers_need_no_write_access),
		CASE(a_newer_segment_is_left_alone),
		CASE(a_segment_that_is_gone_is_begun_again),
		CASE(plain_columns_say_the_same),
		CASE(windows_of_other_types_are_not_mixed),
		CASE(values_of_any_size_and_sign_survive),
		CASE(odd_labels_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
