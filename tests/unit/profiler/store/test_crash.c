// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that is killed, a disk that is full or read-only: what was acknowledged stays, and the store
 * goes on. KILN_TEST_KILLS: how many processes are killed (20).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "profiler/store/list.h"
#include "profiler/store/maintain.h"
#include "profiler/store/remove.h"
#include "profiler/store/store_internal.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

static const struct store_opts writing = {.access = STORE_WRITE, .segment_ns = MINUTE};
static const struct store_opts reading = {.access = STORE_READ};

static struct moment six_hours(void)
{
	return (struct moment){T0 + 6 * HOUR, HOUR};
}

/* Window number i of all that follow, small and the same in every process. */
static struct window nth_window(uint64_t i)
{
	return random_window(i % 50, T0 + (int64_t)i * 5 * SECOND, 5 * SECOND);
}

static int append_nth(struct store *s, uint64_t i)
{
	struct window w = nth_window(i);
	int err = append_window(s, &w);

	window_release(&w);
	return err;
}

/* Windows [0, n) are there, and nothing else but, perhaps, the n-th. */
static void assert_has(struct store *s, uint64_t n)
{
	struct window *w = calloc(n + 1, sizeof(*w));
	struct store_result r = query_store(s, STORE_BEGIN, STORE_END, NULL);

	assert_undamaged(&r);
	assert_in_range(r.windows, n, n + 1);
	for (uint64_t i = 0; i < r.windows; i++)
		w[i] = nth_window(i);
	assert_holds(s, w, r.windows, STORE_BEGIN, STORE_END);
	release_windows(w, r.windows);
	free(w);
	store_result_release(&r);
}

static uint64_t count_windows(void)
{
	struct store *s = open_store("store", &reading);
	struct store_result r = query_store(s, STORE_BEGIN, STORE_END, NULL);
	uint64_t n = r.windows;

	assert_undamaged(&r);
	store_result_release(&r);
	store_close(s);
	return n;
}

/* --- kill -9 -------------------------------------------------------------------------------------- */

/* Appends from a window on and says of each that it is acknowledged; in between, compacts. */
static void child(int fd, uint64_t i)
{
	struct store *s = open_store("store", &writing);

	s->clock = six_hours;
	for (;; i++) {
		if (append_nth(s, i) || write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
		if (i % 3 == 0 && store_maintain(s) < 0)
			_exit(2);
	}
}

/* Kills it after some time; the number of windows that were acknowledged. */
static uint64_t run_and_kill(uint64_t from, useconds_t us)
{
	uint64_t last = from, seen;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[0]);
		child(fds[1], from);
	}
	close(fds[1]);
	usleep(us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(fds[0], &seen, sizeof(seen)) == sizeof(seen))
		last = seen + 1;
	close(fds[0]);
	return last;
}

static unsigned kills(void)
{
	const char *n = getenv("KILN_TEST_KILLS");

	return n ? (unsigned)atoi(n) : 20;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
	uint64_t acknowledged = 0, r = 9;

	(void)state;
	for (unsigned i = 0; i < kills(); i++) {
		struct store *s;

		acknowledged = run_and_kill(acknowledged, 2000 + rnd_below(&r, 200000));
		s = open_store("store", &reading); /* before anybody mends it, too */
		assert_has(s, acknowledged);
		store_close(s);
		acknowledged = count_windows();
	}
	assert_true(acknowledged > kills());
}

/* --- disks ---------------------------------------------------------------------------------------- */

/* A file system of its own, of so many KB; needs root. */
static bool mount_small(unsigned kb)
{
	char opts[64];

	fixture_run("mkdir small");
	snprintf(opts, sizeof(opts), "size=%uk", kb);
	return !mount("kiln-test", "small", "tmpfs", 0, opts);
}

static int unmount_small(void **state)
{
	umount2("small", MNT_DETACH);
	return fixture_teardown(state);
}

/* Of the windows [0, end) those that were acknowledged are there, each once and none else, but for at
 * most so many whose segments had to go. */
static void assert_subset(struct store *s, const bool *acknowledged, uint64_t end, uint64_t gone)
{
	for (uint64_t i = 0; i < end; i++) {
		int64_t at = T0 + (int64_t)i * 5 * SECOND;
		struct store_result r = query_store(s, at, at + 1, NULL);

		assert_undamaged(&r);
		assert_true(r.windows <= (acknowledged[i] ? 1u : 0u));
		if (r.windows) {
			struct window w = nth_window(i);

			assert_same_profile(r.profile, w.profile);
			window_release(&w);
		} else if (acknowledged[i]) {
			assert_true(gone-- > 0);
		}
		store_result_release(&r);
	}
}

/* Every size of a disk has another write that fails. */
static void a_full_disk_damages_nothing(void **state)
{
	enum { END = 100 };

	(void)state;
	if (geteuid())
		skip();
	for (unsigned kb = 60; kb < 700; kb += 52) {
		bool acknowledged[END] = {0};
		struct store_stats stats;
		struct store *s;
		unsigned good = 0;

		if (!mount_small(kb))
			skip();
		s = open_store("small/store", &writing);
		s->clock = six_hours;
		for (uint64_t i = 0; i < END; i++) {
			int err = append_nth(s, i);

			assert_true(!err || err == -ENOSPC);
			acknowledged[i] = !err;
			good += !err;
			if (i % 10 == 9)
				store_maintain(s); /* has no room, or has */
		}
		store_stats(s, &stats);
		assert_int_equal(stats.windows, good);
		assert_int_equal(stats.windows + stats.failed, END);
		assert_true(kb < 150 || good > END / 2);
		assert_subset(s, acknowledged, END, END);
		store_close(s);
		s = open_store("small/store", &writing);
		s->clock = six_hours;
		assert_subset(s, acknowledged, END, END);
		store_close(s);
		assert_int_equal(umount2("small", MNT_DETACH), 0);
		fixture_run("rmdir small");
	}
}

static void it_goes_on_when_there_is_space_again(void **state)
{
	struct store *s;

	(void)state;
	if (geteuid() || !mount_small(600))
		skip();
	s = open_store("small/store", &writing);
	assert_int_equal(append_nth(s, 0), 0);
	fixture_run("dd if=/dev/zero of=small/other bs=1k count=10000 2>/dev/null || true");
	for (uint64_t i = 1; i < 5; i++)
		assert_int_equal(append_nth(s, i), -ENOSPC);
	fixture_run("rm small/other");
	for (uint64_t i = 1; i < 5; i++)
		assert_int_equal(append_nth(s, i), 0);
	assert_has(s, 5);
	store_close(s);
}

static void a_read_only_disk_is_said_to_be_one(void **state)
{
	struct why why;
	struct store *s, *reader;

	(void)state;
	if (geteuid() || !mount_small(2000))
		skip();
	s = open_store("small/store", &writing);
	assert_int_equal(append_nth(s, 0), 0);
	store_close(s);
	s = NULL;
	assert_int_equal(mount("kiln-test", "small", "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
	assert_int_equal(store_open(&s, "small/store", &writing, &why), -EROFS);
	assert_non_null(strstr(why.text, "Read-only file system"));
	reader = open_store("small/store", &reading);
	assert_has(reader, 1);
	store_close(reader);
	assert_int_equal(mount("kiln-test", "small", "tmpfs", MS_REMOUNT, "size=2000k"), 0);
	s = open_store("small/store", &writing);
	assert_int_equal(append_nth(s, 1), 0);
	assert_has(s, 2);
	store_close(s);
}

/* Files may not grow: every write beyond fails, at every place in turn. */
static void writes_that_fail_are_errors(void **state)
{
	enum { END = 8 };
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	unsigned failed = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t size = 0; size < 64 << 10; size += 1500) {
		struct rlimit limit = {size, RLIM_INFINITY};
		bool acknowledged[END] = {0};
		struct store_stats stats = {0};
		struct why why;
		struct store *s = NULL;

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		if (!store_open(&s, "store", &writing, &why)) {
			for (uint64_t i = 0; i < END; i++) {
				acknowledged[i] = !append_nth(s, i);
				failed += !acknowledged[i];
			}
			store_stats(s, &stats);
			store_close(s);
		}
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
		if (s) {
			s = open_store("store", &writing);
			assert_subset(s, acknowledged, END, stats.dropped_for_space ? END : 0);
			store_close(s);
			fixture_run("rm -r store");
		}
	}
	assert_true(failed > 20);
	signal(SIGXFSZ, SIG_DFL);
}

/* --- memory --------------------------------------------------------------------------------------- */

#if FAIL_ALLOC
/* Each allocation fails in turn, later ones more seldom: that window is not there, and the next one is. */
static void memory_that_runs_out_costs_one_window(void **state)
{
	struct store *s = open_store("store", &writing);
	unsigned failed = 0;
	uint64_t n = 0;
	bool more = true;

	(void)state;
	s->clock = six_hours;
	for (long at = 0; more; at += 1 + at / 8) {
		struct window w = nth_window(n);
		int err;

		allocs_begin(at);
		err = append_window(s, &w);
		more = allocs_end();
		assert_true(!err || err == -ENOMEM);
		failed += err != 0;
		n += !err;
		window_release(&w);
		assert_int_equal(append_nth(s, n), 0);
		n++;
	}
	assert_has(s, n);
	assert_true(failed > 10);
	store_close(s);
}
#endif

/* --- others at work ------------------------------------------------------------------------------- */

/* Reads all while another process appends, compacts and removes. */
static void readers_see_every_window_once_meanwhile(void **state)
{
	int fds[2], status;
	pid_t pid;

	(void)state;
	store_close(open_store("store", &writing));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		child(fds[1], 0);
	}
	close(fds[1]);
	for (int i = 0; i < 40; i++) {
		struct store *s = open_store("store", &reading);
		struct store_result r = query_store(s, STORE_BEGIN, STORE_END, NULL);
		uint64_t n = r.windows;

		assert_undamaged(&r);
		store_result_release(&r);
		r = query_store(s, T0, T0 + (int64_t)n * 5 * SECOND, NULL);
		assert_int_equal(r.windows, n);
		store_result_release(&r);
		store_close(s);
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(fds[0]);
	assert_true(count_windows() > 10);
}

static void it_is_where_it_was_opened_until_something_else_is(void **state)
{
	struct store *s = open_store("store", &writing);

	(void)state;
	assert_true(store_is_at(s, "store"));
	fixture_run("ln -s store link");
	assert_true(store_is_at(s, "link"));
	fixture_run("mv store moved");
	assert_false(store_is_at(s, "store"));
	fixture_run("mkdir store");
	assert_false(store_is_at(s, "store"));
	fixture_run("rmdir store; mv moved store");
	assert_true(store_is_at(s, "store"));
	fixture_run("rm -r store; touch store");
	assert_false(store_is_at(s, "store"));
	assert_false(store_is_at(s, "store/in/a/file"));
	store_close(s);
}

#define CASE(f, teardown) cmocka_unit_test_setup_teardown(f, fixture_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_was_acknowledged_survives_kill_9, fixture_teardown),
		CASE(a_full_disk_damages_nothing, unmount_small),
		CASE(it_goes_on_when_there_is_space_again, unmount_small),
		CASE(a_read_only_disk_is_said_to_be_one, unmount_small),
		CASE(writes_that_fail_are_errors, fixture_teardown),
#if FAIL_ALLOC
		CASE(memory_that_runs_out_costs_one_window, fixture_teardown),
#endif
		CASE(readers_see_every_window_once_meanwhile, fixture_teardown),
		CASE(it_is_where_it_was_opened_until_something_else_is, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
