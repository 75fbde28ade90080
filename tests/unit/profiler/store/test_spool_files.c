// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files a spool reads, in which order, and when it looks at the directory again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/follower.h"

#define N 60

/* Each has a part of its file, and the last one of all says so. */
static void windows_share_their_files(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[N];
	struct dir_list l;
	uint64_t given = 0, files = 0;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_close(s);
	follow(&f);
	for (size_t i = 0; i < N; i++) {
		struct spool_window got;

		assert_int_equal(take(&f, &got), 1);
		assert_int_equal(got.is_last, i == N - 1);
		given += got.bytes;
		spool_window_release(&got);
	}
	assert_int_equal(dir_list(&f.store->dir, &l), 0);
	for (size_t i = 0; i < l.v.len; i++)
		files += l.v.data[i].bytes;
	assert_int_equal(l.v.len, 3);
	assert_in_range(given, files - N, files); /* but for what is rounded */
	dir_list_release(&l);
	leave(&f);
	release_windows(w, N);
}

/* Of an older kiln's segments, which have no sequence, the names tell: T, T-2, ... T-10. */
static void names_tell_the_order_of_old_segments(void **state)
{
	struct follower f = {0};
	struct window w[12];

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		struct store *s = open_writer();

		w[i] = random_window(i, T0 + (int64_t)i * MINUTE, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
		store_end_segment(s);
		store_close(s);
	}
	fixture_run("[ -f store/20261128T000000Z-12.kiln ] && for f in store/*.kiln; do "
		    "sqlite3 $f \"UPDATE meta SET value = 0 WHERE key = 'sequence'\"; done");
	follow(&f);
	for (size_t i = 0; i < 12; i++)
		assert_given(&f, &w[i]);
	assert_int_equal(f.gone, 0);
	leave(&f);
	release_windows(w, 12);
}

/* --- when the directory is looked at ---------------------------------------------------------------- */

/* A file that is made is empty at first, and its directory says nothing when that changes. */
static void an_empty_segment_is_looked_at_again(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[N];

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	store_close(s);
	fixture_run("f=store/20261128T020000Z.kiln; mv $f full && : >$f && touch -d @1700000000 "
		    "store");
	follow(&f);
	for (size_t i = 0; i < 40; i++)
		assert_given(&f, &w[i]);
	assert_nothing(&f);
	fixture_run("cat full >store/20261128T020000Z.kiln && touch -d @1700000000 store");
	for (size_t i = 40; i < N; i++)
		assert_given(&f, &w[i]);
	leave(&f);
	release_windows(w, N);
}

/* Times of directories have a grain: one that has just changed may change again within it. */
static void a_directory_that_has_just_changed_is_looked_at_again(void **state)
{
	struct store *s = open_writer();
	struct window w[N];
	bool in_time = false;

	(void)state;
	append_windows(s, w, N, 3 * MINUTE);
	store_end_segment(s);
	store_close(s);
	fixture_run("mv store/20261128T020000Z.kiln full");
	while (!in_time) { /* but for a machine that is too busy */
		struct follower f = {0};
		struct stat st;

		fixture_run("rm -f store/20261128T020000Z.kiln && touch store && touch -r store "
			    "stamp");
		follow(&f);
		for (size_t i = 0; i < 40; i++)
			assert_given(&f, &w[i]);
		assert_nothing(&f);
		assert_int_equal(stat("stamp", &st), 0);
		in_time = time(NULL) <= st.st_mtim.tv_sec;
		fixture_run("cp full store/20261128T020000Z.kiln && touch -r stamp store");
		for (size_t i = 40; i < N && in_time; i++)
			assert_given(&f, &w[i]);
		leave(&f);
	}
	release_windows(w, N);
}

static unsigned deleted_files_held(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		char path[64], to[4096];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, to, sizeof(to) - 1);
		to[len > 0 ? len : 0] = '\0';
		n += strstr(to, ".kiln") && strstr(to, " (deleted)");
	}
	return n;
}

/* Not even by who holds what he reads: it would take the room that was to be made. */
static void what_was_dropped_is_not_held(void **state)
{
	struct store *s = open_writer();
	struct follower f = {0};
	struct window w[2];

	(void)state;
	append_windows(s, w, 2, 10 * SECOND);
	store_close(s);
	follow(&f);
	spool_hold(f.spool);
	assert_given(&f, &w[0]);
	fixture_run("rm store/*.kiln");
	assert_int_equal(deleted_files_held(), 1);
	assert_nothing(&f);
	assert_int_equal(deleted_files_held(), 0);
	leave(&f);
	release_windows(w, 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(windows_share_their_files),
		CASE(names_tell_the_order_of_old_segments),
		CASE(an_empty_segment_is_looked_at_again),
		CASE(a_directory_that_has_just_changed_is_looked_at_again),
		CASE(what_was_dropped_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
