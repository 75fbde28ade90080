// SPDX-License-Identifier: GPL-2.0-or-later
/* Which directories are trusted with files that decide how foreign memory is read, and what a cap leaves there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "tests/lib/fixture.h"

static int try_open(const char *path)
{
	int fd = cache_dir_open(path);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void test_made(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(try_open("a/b/cache"), 0);
	assert_int_equal(stat("a/b/cache", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(try_open("a/b/cache"), 0);
}

static void test_others_may_write(void **state)
{
	(void)state;
	fixture_run("mkdir group all readable && chmod 770 group && chmod 707 all && chmod 755 "
		    "readable");
	assert_int_equal(try_open("group"), -EPERM);
	assert_int_equal(try_open("all"), -EPERM);
	assert_int_equal(try_open("readable"), 0);
}

static void test_another_user_s(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("SKIP: only root can give a directory to another user\n");
		skip();
	}
	fixture_run("mkdir -m 700 foreign root_s && chown 65534 foreign && chmod 755 .");
	assert_int_equal(try_open("foreign"), -EPERM);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(try_open("foreign"), 0);
	assert_int_equal(try_open("root_s"), -EACCES);
	assert_int_equal(seteuid(0), 0);
}

static void test_links(void **state)
{
	(void)state;
	fixture_run("mkdir -m 700 real && ln -s real link && touch file");
	assert_int_equal(try_open("link"), -ENOTDIR);
	assert_int_equal(try_open("file"), -ENOTDIR);
}

/* The files used longest ago go, of those with a suffix only. */
static void test_room(void **state)
{
	static const char *const suffixes[] = {".a", ".b", NULL};
	_cleanup_close_ int dir = -1;
	uint64_t left = 0;

	(void)state;
	dir = cache_dir_open("room");
	assert_true(dir >= 0);
	fixture_run("cd room && for i in 1 2 3 4 5 6; do head -c 8192 /dev/zero >$i.a; "
		    "touch -a -d \"2020-01-0$i\" $i.a; done && head -c 99999 /dev/zero >other && "
		    "touch -a -d 2019-01-01 other");
	assert_int_equal(cache_dir_make_room(dir, suffixes, 8192, 5 * 8192, &left), 3);
	fixture_run("test \"$(cd room && echo *)\" = '4.a 5.a 6.a other'");
	assert_int_equal(
		left, 5 * 8192 / 16); /* so that a full directory is not looked at for each file */
	assert_int_equal(cache_dir_make_room(dir, suffixes, 8192, 10 * 8192, &left), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),	       cmocka_unit_test(test_others_may_write),
		cmocka_unit_test(test_another_user_s), cmocka_unit_test(test_links),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("cache_dir", tests, fixture_setup, fixture_teardown);
}
