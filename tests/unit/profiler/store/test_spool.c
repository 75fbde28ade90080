// SPDX-License-Identifier: GPL-2.0-or-later
/* Every window once and in the order of writing, whatever becomes of the segments meanwhile. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/lib/follower.h"

#define N 60

static void assert_waiting(struct follower *f, uint64_t n, int64_t oldest_ns)
{
	uint64_t windows, bytes;
	int64_t oldest;

	assert_int_equal(spool_waiting(f->spool, &f->place, &windows, &bytes, &oldest), 0);
	assert_int_equal(windows, n);
	assert_int_equal(oldest, oldest_ns);
	assert_true(!bytes == !n);
}

/* --- a store that is written ------------------------------------------------------------------------ */

static void windows_are_given_as_they_come(void **state)
{
	struct follower early = {0}, late = {0};
	struct store *s = open_writer();
	struct window w[N];

	(void)state;
	follow(&early);
	follow(&late);
	assert_nothing(&early);
	assert_waiting(&early, 0, 0);
	for (size_t i = 0; i < N; i++) { /* three hours */
		w[i] = random_window(i, T0 + (int64_t)i * 3 * MINUTE, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
		assert_waiting(&early, 1, w[i].begin_ns);
		assert_given(&early, &w[i]);
		assert_nothing(&early);
		assert_waiting(&early, 0, 0);
		if (i % 7 == 3)
			follow_again(&early);
	}
	assert_waiting(&late, N, T0);
	for (size_t i = 0; i < N; i++)
		assert_given(&late, &w[i]);
	assert_nothing(&late);
	assert_int_equal(early.gone + late.gone + early.too_old + late.too_old, 0);
	leave(&early);
	leave(&late);
	store_close(s);
	release_windows(w, N);
}

/* Two of one host have different ids, and a window has the same one each time. */
static void ids_tell_windows_apart(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct spool_window a, b, c;
	struct window w[2];

	(void)state;
	append_windows(s, w, 2, MINUTE);
	follow(&f);
	assert_int_equal(take(&f, &a), 1);
	assert_int_equal(take(&f, &b), 1);
	f.place = (struct spool_place){0};
	follow_again(&f);
	assert_int_equal(take(&f, &c), 1);
	assert_memory_not_equal(a.id, b.id, sizeof(a.id));
	assert_memory_equal(a.id, c.id, sizeof(a.id));
	spool_window_release(&a);
	spool_window_release(&b);
	spool_window_release(&c);
	leave(&f);
	store_close(s);
	release_windows(w, 2);
}

/* What is held is read as it was; the last window says that it is the last. */
static void who_holds_sees_one_moment(void **state)
{
	struct follower f = {0};
	struct store *s = open_writer();
	struct window w[3];
	struct spool_window got;

	(void)state;
	follow(&f);
	for (size_t i = 0; i < 2; i++) {
		w[i] = random_window(i, T0 + (int64_t)i * 10 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
	}
	spool_hold(f.spool);
	assert_waiting(&f, 2, w[0].begin_ns);
	w[2] = random_window(2, T0 + 20 * SECOND, 10 * SECOND);
	assert_int_equal(append_window(s, &w[2]), 0);
	assert_int_equal(take(&f, &got), 1);
	assert_false(got.is_last);
	spool_window_release(&got);
	assert_int_equal(take(&f, &got), 1);
	assert_int_equal(got.begin_ns, w[1].begin_ns);
	assert_true(got.is_last);
	spool_window_release(&got);
	assert_nothing(&f);
	spool_rest(f.spool);
	assert_given(&f, &w[2]);
	assert_nothing(&f);
	leave(&f);
	store_close(s);
	release_windows(w, 3);
}

static void who_begins_now_gets_what_comes(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[3];

	(void)state;
	append_windows(s, w, 2, MINUTE);
	follow(&f);
	assert_int_equal(spool_end(f.spool, &f.place), 0);
	assert_nothing(&f);
	w[2] = random_window(2, T0 + 2 * MINUTE, 10 * SECOND);
	assert_int_equal(append_window(s, &w[2]), 0);
	assert_given(&f, &w[2]);
	leave(&f);
	store_close(s);
	release_windows(w, 3);
}

static void what_is_too_old_is_passed_and_counted_once(void **state)
{
	struct store *s = open_writer();
	struct follower f = {.since_ns = T0 + 100 * MINUTE};
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	follow(&f);
	for (size_t i = 34; i < N; i++)
		assert_given(&f, &w[i]);
	assert_int_equal(f.too_old, 34);
	f.place = (struct spool_place){0};
	f.since_ns = T0 + 24 * HOUR;
	f.too_old = 0;
	assert_nothing(&f);
	assert_nothing(&f);
	assert_int_equal(f.too_old, N);
	assert_int_equal(f.gone, 0);
	leave(&f);
	store_close(s);
	release_windows(w, N);
}

/* The clock goes back by hours: those windows are new all the same. */
static void the_order_is_that_of_writing(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0}, late = {0};
	struct window w[30];

	(void)state;
	follow(&f);
	for (size_t i = 0; i < 30; i++) {
		int64_t back = i < 10 ? 0 : i < 20 ? 5 * HOUR : 9 * HOUR;

		w[i] = random_window(i, T0 + 12 * HOUR + (int64_t)i * 10 * MINUTE - back,
				     10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
		assert_given(&f, &w[i]);
		if (i % 4 == 0)
			follow_again(&f);
		if (i == 14) { /* another writer goes on above what is there */
			store_close(s);
			s = open_writer();
		}
	}
	assert_nothing(&f);
	follow(&late);
	for (size_t i = 0; i < 30; i++)
		assert_given(&late, &w[i]);
	assert_int_equal(f.gone + late.gone, 0);
	leave(&f);
	leave(&late);
	store_close(s);
	release_windows(w, 30);
}

/* --- compaction, retention, damage ------------------------------------------------------------------ */

/* Wherever somebody is when hours become a block: he goes on there. */
static void compaction_is_not_noticed(void **state)
{
	struct follower f[N] = {0};
	struct store *s = open_writer();
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 5 * MINUTE); /* five hours */
	for (size_t i = 0; i < N; i++) {
		follow(&f[i]);
		for (size_t j = 0; j < i; j++)
			assert_given(&f[i], &w[j]);
		if (i % 2) {
			leave(&f[i]);
			f[i].spool = NULL;
		}
	}
	maintain_all(s, T0 + 6 * HOUR);
	for (size_t i = 0; i < N; i++) {
		if (!f[i].spool)
			follow(&f[i]);
		assert_waiting(&f[i], N - i, w[i].begin_ns);
		for (size_t j = i; j < N; j++)
			assert_given(&f[i], &w[j]);
		assert_nothing(&f[i]);
		assert_int_equal(f[i].gone + f[i].too_old, 0);
		leave(&f[i]);
	}
	store_close(s);
	release_windows(w, N);
}

static void coarser_windows_count_as_gone(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[N];

	(void)state;
	for (size_t i = 0; i < N; i++) { /* 20 minutes */
		w[i] = random_window(i * 5, T0 + (int64_t)i * 20 * SECOND, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
	}
	follow(&f);
	for (size_t i = 0; i < 10; i++)
		assert_given(&f, &w[i]);
	store_end_segment(s);
	maintain_all(s, T0 + 49 * HOUR);
	assert_nothing(&f);
	assert_nothing(&f);
	assert_int_equal(f.gone, 20 - 4);
	assert_waiting(&f, 0, 0);
	leave(&f);
	store_close(s);
	release_windows(w, N);
}

static void what_was_dropped_is_gone(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0}, caught_up = {0};
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	follow(&f);
	follow(&caught_up);
	assert_given(&f, &w[0]);
	for (size_t i = 0; i < N; i++)
		assert_given(&caught_up, &w[i]);
	fixture_run("rm store/20261128T000000Z.kiln");
	for (size_t i = 20; i < N; i++)
		assert_given(&f, &w[i]);
	assert_int_equal(f.gone, 1);
	assert_nothing(&f);
	assert_nothing(&caught_up);
	assert_int_equal(caught_up.gone, 0);
	leave(&f);
	leave(&caught_up);
	store_close(s);
	release_windows(w, N);
}

/* Somebody has removed all files: what is written from then on is new. */
static void another_store_in_its_place(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	follow(&f);
	for (size_t i = 0; i < N; i++)
		assert_given(&f, &w[i]);
	store_close(s);
	fixture_run("rm store/*.kiln");
	assert_nothing(&f);
	release_windows(w, N);
	s = open_writer();
	for (size_t i = 0; i < N; i++) {
		w[i] = random_window(i, T0 + 5 * HOUR + (int64_t)i * MINUTE, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
		assert_given(&f, &w[i]);
	}
	leave(&f);
	store_close(s);
	release_windows(w, N);
}

static void a_damaged_segment_is_passed(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	store_close(s);
	fixture_run(
		"dd if=/dev/urandom of=store/20261128T010000Z.kiln bs=4096 count=2 conv=notrunc "
		"2>/dev/null");
	follow(&f);
	for (size_t i = 0; i < 20; i++)
		assert_given(&f, &w[i]);
	for (size_t i = 40; i < N; i++)
		assert_given(&f, &w[i]);
	assert_int_equal(f.gone, 1);
	assert_nothing(&f);
	leave(&f);
	release_windows(w, N);
}

/* Sums stay where stacks cannot be read. */
static void damaged_windows_keep_their_sums(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct spool_window got;
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	store_close(s);
	fixture_run("sqlite3 store/20261128T010000Z.kiln "
		    "'UPDATE windows SET counts = zeroblob(40) WHERE id = 3'");
	follow(&f);
	for (size_t i = 0; i < N; i++) {
		if (i != 22) {
			assert_given(&f, &w[i]);
			continue;
		}
		assert_int_equal(take(&f, &got), 1);
		assert_int_equal(total_of_type(got.profile, 1), total_of_type(w[i].profile, 1));
		spool_window_release(&got);
	}
	assert_nothing(&f);
	leave(&f);
	release_windows(w, N);
}

/* Any bytes may be wrong: it comes to an end. */
static void any_damage_comes_to_an_end(void **state)
{
	struct store *s = open_writer();
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	store_close(s);
	fixture_run("mkdir copy && cp store/*.kiln copy");
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct follower f = {0};
		struct spool_window got;
		int r, n = 0;

		fixture_run("cp copy/* store; for i in 1 2 3 4 5 6 7 8; do "
			    "f=$(ls store/*.kiln | sed -n $((i %% 3 + 1))p); "
			    "printf '\\%%o' $(((%u * i * 37) %% 256)) | dd of=$f bs=1 conv=notrunc "
			    "seek=$((%u * i * 7919 %% $(stat -c %%s $f))) 2>/dev/null; done",
			    seed, seed);
		follow(&f);
		while ((r = take(&f, &got)) == 1 || r == -EBADMSG) {
			assert_in_range(++n, 1, 2 * N);
			spool_window_release(&got);
		}
		assert_true(r == 0 || r == -EAGAIN);
		leave(&f);
	}
	release_windows(w, N);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(windows_are_given_as_they_come),
		CASE(ids_tell_windows_apart),
		CASE(who_holds_sees_one_moment),
		CASE(who_begins_now_gets_what_comes),
		CASE(what_is_too_old_is_passed_and_counted_once),
		CASE(the_order_is_that_of_writing),
		CASE(compaction_is_not_noticed),
		CASE(coarser_windows_count_as_gone),
		CASE(what_was_dropped_is_gone),
		CASE(another_store_in_its_place),
		CASE(a_damaged_segment_is_passed),
		CASE(damaged_windows_keep_their_sums),
		CASE(any_damage_comes_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
