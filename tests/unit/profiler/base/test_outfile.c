// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/outfile.h"
#include "tests/lib/fixture.h"

/* --- the disk ------------------------------------------------------------------------------------- */

static unsigned syncs;	      /* of files that are not named yet */
static const char *not_there; /* until it is named */
static int sync_err;

/* Instead of the C library's. */
int fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(access(not_there ?: "/", F_OK), not_there ? -1 : 0);
	syncs++;
	errno = sync_err;
	return sync_err ? -1 : 0;
}

static int write_text(const char *path, const char *text)
{
	struct outfile *f;
	int err = outfile_open(&f, path);

	if (err)
		return err;
	outfile_write(f, text, strlen(text));
	return outfile_commit(f);
}

static void assert_holds(const char *path, const char *wanted)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	assert_int_equal(io_read_file(path, 4096, &data, &len), 0);
	assert_string_equal(data, wanted);
}

/* Nothing but these: no temporary file. */
static void assert_only(const char *names)
{
	fixture_run("[ \"$(ls -A | tr '\\n' ' ')\" = '%s ' ]", names);
}

static int clear(void **state)
{
	(void)state;
	fixture_run("rm -rf ./*");
	return 0;
}

static void a_file_appears_whole(void **state)
{
	struct outfile *f;

	(void)state;
	fixture_write("x", "before");
	assert_int_equal(outfile_open(&f, "x"), 0);
	outfile_write(f, "after", 5);
	assert_holds("x", "before");
	assert_int_equal(outfile_commit(f), 0);
	assert_holds("x", "after");
	assert_int_equal(write_text("new", "text"), 0);
	assert_holds("new", "text");
	assert_only("new x");
	assert_int_equal(outfile_open(&f, "new"), 0);
	outfile_write(f, "gone", 4);
	outfile_abort(f);
	assert_holds("new", "text");
	assert_only("new x");
}

/* Also with its temporary name beside it. */
static void a_name_may_be_as_long_as_any(void **state)
{
	char name[NAME_MAX + 2];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[NAME_MAX] = '\0';
	assert_int_equal(write_text(name, "text"), 0);
	assert_holds(name, "text");
	assert_int_equal(write_text(name, "again"), 0);
	assert_holds(name, "again");
	assert_only(name);
	name[NAME_MAX] = 'x';
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(write_text(name, "text"), -ENAMETOOLONG);
}

static void a_link_stays_and_its_target_is_replaced(void **state)
{
	(void)state;
	fixture_run("mkdir real && ln -s real dir && ln -s dir/../dir/today latest && ln -s "
		    "\"$PWD\"/latest two");
	assert_int_equal(write_text("latest", "one"), 0);
	assert_holds("real/today", "one");
	assert_int_equal(write_text("two", "2"), 0);
	assert_holds("real/today", "2");
	fixture_run("[ -L latest ] && [ -L two ] && [ $(ls -A real | wc -l) = 1 ]");
}

static void a_link_of_somebody_else_is_not_followed(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	fixture_write("victim", "root's");
	fixture_run(
		"ln -s victim l && chown -h 65534 l && mkdir d && ln -s d dl && chown -h 65534 dl");
	assert_int_equal(write_text("l", "evil"), -ELOOP);
	assert_int_equal(outfile_check("l"), -ELOOP);
	assert_int_equal(write_text("dl/x", "evil"), -ELOOP);
	assert_holds("victim", "root's");
	/* His to give, under sudo. */
	assert_int_equal(setenv("SUDO_UID", "65534", 1) | setenv("SUDO_GID", "65534", 1), 0);
	assert_int_equal(write_text("l", "his"), 0);
	assert_holds("victim", "his");
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
}

static void links_without_end_are_an_error(void **state)
{
	(void)state;
	fixture_run("ln -s a b && ln -s b a");
	assert_int_equal(write_text("a", "x"), -ELOOP);
	assert_int_equal(write_text("missing/x", "x"), -ENOENT);
	fixture_write("file", "x");
	assert_int_equal(write_text("file/x", "x"), -ENOTDIR);
	assert_int_equal(write_text(".", "x"), -EISDIR);
	assert_int_equal(write_text("", "x"), -EISDIR);
}

static void an_open_file_is_written_to_where_it_ends(void **state)
{
	_cleanup_close_ int fd = open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char path[64];

	(void)state;
	assert_int_equal(write(fd, "before ", 7), 7);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(outfile_check(path), 0);
	assert_int_equal(write_text(path, "after"), 0);
	assert_holds("out", "before after");
	fixture_run("ln -s %s std", path);
	assert_int_equal(write_text("std", "!"), 0);
	assert_holds("out", "before after!");
	snprintf(path, sizeof(path), "/proc/%d/cwd/new", getpid());
	assert_int_equal(write_text(path, "x"), 0);
	assert_holds("new", "x");
	assert_only("new out std");
}

/* A reader sees one beginning and one end. */
static void a_fifo_is_opened_once(void **state)
{
	struct pollfd p = {.events = POLLIN};
	char got[8] = "";

	(void)state;
	fixture_run("mkfifo f");
	p.fd = open("f", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(outfile_check("f"), 0);
	assert_int_equal(poll(&p, 1, 0), 0); /* no end has come */
	assert_int_equal(write_text("f", "text"), 0);
	assert_int_equal(read(p.fd, got, sizeof(got)), 4);
	assert_string_equal(got, "text");
	assert_int_equal(read(p.fd, got, sizeof(got)), 0);
	close(p.fd);
	assert_only("f");
	if (geteuid())
		return;
	fixture_run("chown 65534 f");
	assert_int_equal(outfile_check("f"), -EPERM);
	assert_int_equal(write_text("f", "text"), -EPERM); /* and does not hang */
}

/* After a power cut there is the old file or the whole new one: what it holds goes to the disk before its name
 * does. */
static void a_file_is_on_the_disk_before_it_has_its_name(void **state)
{
	(void)state;
	fixture_write("old", "before");
	not_there = "x";
	syncs = 0;
	assert_int_equal(write_text("x", "text"), 0);
	assert_int_equal(syncs, 1);
	not_there = NULL;
	sync_err = EIO;
	assert_int_equal(write_text("old", "after"), -EIO);
	assert_holds("old", "before");
	sync_err = EINVAL; /* of a file system that cannot */
	assert_int_equal(write_text("old", "after"), 0);
	sync_err = 0;
	assert_holds("old", "after");
	assert_only("old x");
}

static void devices_stay(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(write_text("/dev/null", "x"), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(write_text("/dev/full", "x"), -ENOSPC);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, clear)
	const struct CMUnitTest tests[] = {
		CASE(a_file_appears_whole),
		CASE(a_name_may_be_as_long_as_any),
		CASE(a_link_stays_and_its_target_is_replaced),
		CASE(a_link_of_somebody_else_is_not_followed),
		CASE(links_without_end_are_an_error),
		CASE(an_open_file_is_written_to_where_it_ends),
		CASE(a_fifo_is_opened_once),
		CASE(a_file_is_on_the_disk_before_it_has_its_name),
		CASE(devices_stay),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
