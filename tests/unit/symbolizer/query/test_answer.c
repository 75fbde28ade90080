// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files count as the same. */
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/query/answer.h"
#include "tests/lib/fixture.h"

static struct file_identity identity_of(const char *path, const char *root)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int root_fd = root ? open(root, O_PATH | O_CLOEXEC) : -1;
	struct sym_file file = {.fd = fd, .root_fd = root_fd};
	struct file_identity id;

	assert_true(fd >= 0);
	assert_true(sym_file_identity(&file, &id));
	return id;
}

static bool is_same(const char *a, const char *b)
{
	struct file_identity x = identity_of(a, NULL), y = identity_of(b, NULL);

	return file_identity_equal(&x, &y);
}

static void test_what_tells_files_apart(void **state)
{
	struct file_identity before, after, root;

	(void)state;
	fixture_run("echo x >a && cp -p a copy && mkdir root && ln a root/hard");
	assert_true(is_same("a", "a"));
	assert_true(is_same("a", "root/hard"));
	assert_false(is_same("a", "copy"));
	/* whose debug files count */
	before = identity_of("a", NULL);
	root = identity_of("a", "root");
	assert_false(file_identity_equal(&before, &root));
	root = identity_of("a", "root");
	after = identity_of("a", "root");
	assert_true(file_identity_equal(&root, &after));
	usleep(20000); /* the clock of file times ticks slowly */
	/* other bytes of the same length, and the old time */
	fixture_run("touch -r a old && echo y >a && touch -r old a");
	after = identity_of("a", NULL);
	assert_false(file_identity_equal(&before, &after));
}

static void test_a_file_that_is_held_elsewhere(void **state)
{
	struct file_identity here, there;
	struct held_file held = {0};
	struct sym_file file = {.fd = -1, .root_fd = -1, .held = &held};
	_cleanup_close_ int fd = -1;

	(void)state;
	fixture_run("echo x >held");
	fd = open("held", O_PATH | O_CLOEXEC);
	assert_true(sym_file_key(fd, &held.key));
	assert_true(sym_file_identity(&file, &there));
	here = identity_of("held", NULL);
	assert_true(file_identity_equal(&here, &there));
	held.root_ino = 7;
	assert_true(sym_file_identity(&file, &there));
	assert_false(file_identity_equal(&here, &there));
}

static void test_what_is_not_known(void **state)
{
	static const struct file_identity zero;
	struct sym_file file = {.fd = -1, .root_fd = -1};
	struct file_identity id, known = {{1}};

	(void)state;
	assert_false(sym_file_identity(&file, &id));
	assert_memory_equal(&id, &zero, sizeof(id));
	assert_false(file_identity_equal(&id, &zero));
	file.identity = &known;
	assert_true(sym_file_identity(&file, &id));
	assert_true(file_identity_equal(&id, &known));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_tells_files_apart),
		cmocka_unit_test(test_a_file_that_is_held_elsewhere),
		cmocka_unit_test(test_what_is_not_known),
	};

	return cmocka_run_group_tests_name("answer", tests, fixture_setup, fixture_teardown);
}
