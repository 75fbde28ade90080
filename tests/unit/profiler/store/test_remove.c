// SPDX-License-Identifier: GPL-2.0-or-later
/* What is removed is gone, and nothing else is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/store/remove.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N 60

static const struct store_opts writing = {.access = STORE_WRITE};
static const struct store_opts editing = {.access = STORE_EDIT};

static struct store_removal remove_from(struct store *s, int64_t since, int64_t until,
					const char *where)
{
	struct why why = {""};
	struct store_removal r;
	int err = store_remove(s, since, until, where, &r, &why);

	if (err)
		fail_msg("%d: %s", err, why.text);
	return r;
}

/* The windows outside of the range, in order; the others are released. */
static size_t cut(struct window *w, size_t n, int64_t since, int64_t until)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (w[i].begin_ns >= since && w[i].begin_ns < until)
			window_release(&w[i]);
		else
			w[kept++] = w[i];
	}
	return kept;
}

static void assert_times_go(struct store *s, struct store *remover, struct window *w)
{
	int64_t since = T0 + 50 * MINUTE, until = T0 + 2 * HOUR + 10 * MINUTE;
	struct profile *gone = merge_windows(w, N, since, until, NULL);
	struct store_removal r = remove_from(remover, since, until, NULL);
	size_t n;

	assert_int_equal(r.segments, 3);
	assert_int_equal(r.segments_left, 0);
	assert_int_equal(r.samples, total_of_type(gone, 0));
	n = cut(w, N, since, until);
	assert_in_range(n, 1, N - 20);
	assert_holds(s, w, n, STORE_BEGIN, STORE_END);
	assert_holds(s, w, n, T0 + 30 * MINUTE, T0 + 150 * MINUTE);
	profile_free(gone);
	release_windows(w, n);
}

static void a_time_goes(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	assert_times_go(s, s, w);
	store_close(s);
}

static void a_time_goes_beside_a_process_that_appends(void **state)
{
	struct store *s = open_store("store", &writing), *other;
	struct window w[N], last = random_window(3, T0 + 3 * HOUR - SECOND, SECOND);

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	other = open_store("store", &editing);
	assert_times_go(s, other, w);
	store_close(other);
	/* It goes on in the segment from which something has been taken. */
	assert_int_equal(append_window(s, &last), 0);
	assert_holds(s, &last, 1, T0 + 3 * HOUR - SECOND, STORE_END);
	store_close(s);
	window_release(&last);
}

/* By a walk of its own. */
static bool is_nginx(const struct profile *p, size_t sample)
{
	const struct profile_labelset *set = &p->labelsets.data[p->samples.data[sample].labelset];

	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *l = &p->labels.data[set->first + i];

		if (!strcmp(profile_text(p, l->key), "comm") && l->str != PROFILE_NONE &&
		    !strcmp(profile_text(p, l->str), "nginx"))
			return true;
	}
	return false;
}

static bool is_no_nginx(void *ctx, const struct profile *p, size_t sample)
{
	(void)ctx;
	return !is_nginx(p, sample);
}

/* Windows of the range without nginx, and what that says of their quality. */
static void without_nginx(struct window *w, size_t n, int64_t since, int64_t until)
{
	for (size_t i = 0; i < n; i++) {
		struct profile *kept;
		int64_t gone;

		if (w[i].begin_ns < since || w[i].begin_ns >= until)
			continue;
		MUST(profile_filter(&kept, w[i].profile, is_no_nginx, NULL));
		gone = total_of_type(w[i].profile, 0) - total_of_type(kept, 0);
		gone = gone > (int64_t)w[i].quality.recorded ? (int64_t)w[i].quality.recorded
							     : gone;
		w[i].quality.recorded -= (uint64_t)gone;
		w[i].quality.filtered += (uint64_t)gone;
		profile_free(w[i].profile);
		w[i].profile = kept;
	}
}

static void assert_label_goes(struct store *s, struct store *remover, struct window *w)
{
	int64_t since = T0 + 50 * MINUTE, until = T0 + 2 * HOUR + 10 * MINUTE;
	struct store_removal r = remove_from(remover, since, until, "comm=nginx");
	struct store_result left;

	assert_int_equal(r.segments, 3);
	assert_true(r.samples > 0);
	without_nginx(w, N, since, until);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	left = query_store(s, since, until, "comm=nginx");
	assert_int_equal(left.profile->samples.len, 0);
	assert_int_equal(quality_unaccounted(&left.quality), quality_unaccounted(&left.quality));
	store_result_release(&left);
	left = query_store(s, STORE_BEGIN, since, "comm=nginx");
	assert_true(left.profile->samples.len > 0);
	store_result_release(&left);
	assert_int_equal(remove_from(remover, since, until, "comm=nginx").samples, 0);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
}

static void a_label_goes(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	assert_label_goes(s, s, w);
	store_close(s);
	/* Its name is in no file any more, where all of its time went. */
	fixture_run(
		"for name in burn nginx; do sqlite3 store/20261128T010000Z*.kiln \"SELECT "
		"count(*) > 0 FROM series WHERE key = 'comm' AND value = '$name'\"; done >names; "
		"[ \"$(tr -d '\\n' <names)\" = 10 ]");
	release_windows(w, N);
}

static void a_label_goes_beside_a_process_that_appends(void **state)
{
	struct store *s = open_store("store", &writing), *other;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	other = open_store("store", &editing);
	assert_label_goes(s, other, w);
	store_close(other);
	fixture_run(
		"for f in store/*.kiln; do test \"$(sqlite3 $f 'SELECT sum(samples) FROM "
		"usage')\" = \"$(sqlite3 $f 'SELECT sum(samples) FROM windows')\" || exit 1; done");
	store_close(s);
	release_windows(w, N);
}

/* Of what others wrote the counters need not fit. */
static void no_more_is_filtered_than_was_recorded(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		w[i] = random_window(i, T0 + (int64_t)i * MINUTE, MINUTE);
		w[i].quality.recorded = 1;
		assert_int_equal(append_window(s, &w[i]), 0);
	}
	assert_true(remove_from(s, STORE_BEGIN, STORE_END, "comm=nginx").samples > 0);
	without_nginx(w, N, STORE_BEGIN, STORE_END);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);
}

/* Of windows whose samples cannot be read their sums go by series, also where a series may be one of these. */
static void a_label_goes_from_damaged_windows(void **state)
{
	struct store *s = open_store("store", &writing);
	struct store_result r;
	struct window w[N];
	int64_t all, nginx, gone;

	(void)state;
	append_windows(s, w, N, MINUTE);
	store_close(s);
	s = open_store("store", &editing);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	all = total_of_type(r.profile, 0);
	store_result_release(&r);
	r = query_store(s, STORE_BEGIN, STORE_END, "comm=nginx");
	nginx = total_of_type(r.profile, 0);
	store_result_release(&r);
	fixture_run("sqlite3 store/" T0_NAME " \"UPDATE windows SET counts = x'00'\"");
	gone = (int64_t)remove_from(s, STORE_BEGIN, STORE_END, "comm=nginx").samples;
	assert_true(gone >= nginx && nginx > 0);
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_int_equal(total_of_type(r.profile, 0), all - gone);
	assert_int_equal(r.quality.filtered, gone);
	store_result_release(&r);
	store_close(s);
	release_windows(w, N);
}

static void losses_stay(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w = random_window(1, T0, SECOND);
	uint32_t set, frame, stack;
	struct store_result r;

	(void)state;
	MUST(profile_labelset(w.profile, NULL, 0, &set));
	MUST(profile_plain_location(w.profile, MAPPING_KILN, FRAME_LOST, &frame));
	MUST(profile_stack(w.profile, &frame, 1, &stack));
	MUST(profile_add(w.profile, stack, set, (int64_t[]){7, 7000}));
	assert_int_equal(append_window(s, &w), 0);
	remove_from(s, STORE_BEGIN, STORE_END, "comm!=nothing");
	r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	assert_true(total_of_type(r.profile, 0) >= 7);
	for (size_t i = 0; i < r.profile->samples.len; i++)
		assert_int_equal(r.profile->labelsets.data[r.profile->samples.data[i].labelset].len,
				 0);
	store_result_release(&r);
	store_close(s);
	window_release(&w);
}

static void all_of_it_goes(void **state)
{
	struct store *s = open_store("store", &writing);
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	fixture_run("echo damaged >store/20261128T003000Z.kiln.damaged");
	remove_from(s, STORE_BEGIN, STORE_END, NULL);
	fixture_run("! ls store/*.kiln* 2>/dev/null");
	assert_holds(s, w, 0, STORE_BEGIN, STORE_END);
	assert_int_equal(append_window(s, &w[0]), 0);
	assert_holds(s, w, 1, STORE_BEGIN, STORE_END);
	store_close(s);
	release_windows(w, N);
}

static void nothing_goes_by_mistake(void **state)
{
	static const struct store_opts reading = {.access = STORE_READ};
	struct store *s = open_store("store", &writing), *reader = open_store("store", &reading);
	struct store_removal r;
	struct why why;
	struct window w[2];

	(void)state;
	append_windows(s, w, 2, MINUTE);
	assert_int_equal(store_remove(reader, STORE_BEGIN, STORE_END, NULL, &r, &why), -EINVAL);
	assert_int_equal(store_remove(s, STORE_BEGIN, STORE_END, "comm~", &r, &why), -EINVAL);
	assert_int_equal(remove_from(s, T0 + 2 * MINUTE, STORE_END, NULL).samples, 0);
	assert_int_equal(remove_from(s, STORE_BEGIN, T0, NULL).samples, 0);
	assert_int_equal(remove_from(s, STORE_BEGIN, STORE_END, "comm=nobody").samples, 0);
	assert_holds(s, w, 2, STORE_BEGIN, STORE_END);
	store_close(reader);
	store_close(s);
	release_windows(w, 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_time_goes),
		CASE(a_time_goes_beside_a_process_that_appends),
		CASE(a_label_goes),
		CASE(a_label_goes_beside_a_process_that_appends),
		CASE(no_more_is_filtered_than_was_recorded),
		CASE(a_label_goes_from_damaged_windows),
		CASE(losses_stay),
		CASE(all_of_it_goes),
		CASE(nothing_goes_by_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
