// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files of the cache of libdebuginfod are removed: partial ones, and only those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiler/debuginfod/partial.h"
#include "tests/lib/fixture.h"

static void assert_there(const char *path, bool wanted)
{
	if ((access(path, F_OK) == 0) != wanted)
		fail_msg("%s is %sthere", path, wanted ? "not " : "");
}

static void make_cache(void)
{
	fixture_run("rm -rf cache link; mkdir -p cache/aa cache/bb; "
		    "for d in aa bb; do for f in debuginfo debuginfo.abcdef debuginfo.abcdefg; do "
		    "echo x >cache/$d/$f; done; done; ln -s cache link");
}

static void test_own(void **state)
{
	int partial, whole;

	(void)state;
	make_cache();
	partial = open("cache/aa/debuginfo.abcdef", O_RDONLY | O_CLOEXEC);
	whole = open("cache/aa/debuginfo", O_RDONLY | O_CLOEXEC);
	partial_remove_own("link");
	assert_there("cache/aa/debuginfo.abcdef", false);
	assert_there("cache/aa/debuginfo", true);
	assert_there("cache/bb/debuginfo.abcdef", true);
	close(partial);
	close(whole);
}

static void test_of_another_directory(void **state)
{
	int fd;

	(void)state;
	make_cache();
	fixture_run("mv cache cache2; mkdir cache");
	fd = open("cache2/aa/debuginfo.abcdef", O_RDONLY | O_CLOEXEC);
	partial_remove_own("cache");
	assert_there("cache2/aa/debuginfo.abcdef", true);
	close(fd);
	fixture_run("rm -rf cache2");
}

static void test_stale(void **state)
{
	(void)state;
	make_cache();
	fixture_run("touch -d '2 days ago' cache/aa/*; mkdir other; touch -d '2 days ago' "
		    "other/debuginfo.abcdef; "
		    "ln -s ../other cache/cc; ln -s ../../other/debuginfo.abcdef "
		    "cache/bb/debuginfo.linked");
	partial_remove_stale("cache");
	assert_there("cache/aa/debuginfo.abcdef", false);
	assert_there("cache/aa/debuginfo.abcdefg", true);
	assert_there("cache/aa/debuginfo", true);
	assert_there("cache/bb/debuginfo.abcdef", true);
	assert_there("other/debuginfo.abcdef", true);
	assert_there("cache/bb/debuginfo.linked", true);
	partial_remove_stale("nowhere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_of_another_directory),
		cmocka_unit_test(test_stale),
	};

	return cmocka_run_group_tests_name("partial", tests, fixture_setup, fixture_teardown);
}
