// SPDX-License-Identifier: GPL-2.0-or-later
/* Roots of more containers than are kept. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/files/files_opener.c" /* NOLINT(bugprone-suspicious-include) */

static struct files *f;

static int begin(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	for (size_t i = 0; f && i < MAX_ROOTS; i++)
		f->roots[i].fd = -1;
	return f ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < MAX_ROOTS; i++)
		cleanup_close_fd(&f->roots[i].fd);
	free(f);
	return 0;
}

/* A file whose root has this number. */
static struct file remember(uint64_t number)
{
	struct open_result r = {.fd = -1, .handle = -1, .root_fd = open("/", O_PATH | O_CLOEXEC)};
	struct held_file held = {0};
	struct file file = {.fd = -1};

	memset(&r.root, 0, sizeof(r.root));
	memcpy(&r.root, &number, sizeof(number));
	remember_root(f, &file, &r, &held);
	assert_int_equal(r.root_fd, -1); /* taken or closed */
	return file;
}

static void equal_roots_are_one(void **state)
{
	struct file a = remember(7), b = remember(7);

	(void)state;
	assert_non_null(files_root_of(f, &a));
	assert_ptr_equal(files_root_of(f, &a), files_root_of(f, &b));
	assert_int_equal(f->stats.roots_full, 0);
}

static void the_oldest_goes(void **state)
{
	struct file files[MAX_ROOTS], one_more;

	(void)state;
	for (uint64_t i = 0; i < MAX_ROOTS; i++) {
		files[i] = remember(1 + i);
		files_root_of(f, &files[i])->used_ns = 1000 + i;
	}
	assert_int_equal(f->stats.roots_full, 0);
	files_root_of(f, &files[0])->borrowed = 1; /* older, but in use */
	one_more = remember(1000);
	assert_int_equal(f->stats.roots_full, 1);
	assert_non_null(files_root_of(f, &one_more));
	assert_non_null(files_root_of(f, &files[0]));
	assert_null(files_root_of(f, &files[1])); /* its place has another generation */
	assert_non_null(files_root_of(f, &files[2]));
}

static void borrowed_ones_stay(void **state)
{
	struct file files[MAX_ROOTS], one_more;

	(void)state;
	for (uint64_t i = 0; i < MAX_ROOTS; i++) {
		files[i] = remember(1 + i);
		files_root_of(f, &files[i])->borrowed = 1;
	}
	one_more = remember(1000);
	assert_null(files_root_of(f, &one_more));
	assert_int_equal(f->stats.roots_full, 1);
	for (uint64_t i = 0; i < MAX_ROOTS; i++)
		assert_non_null(files_root_of(f, &files[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(equal_roots_are_one, begin, end),
		cmocka_unit_test_setup_teardown(the_oldest_goes, begin, end),
		cmocka_unit_test_setup_teardown(borrowed_ones_stay, begin, end),
	};

	return cmocka_run_group_tests_name("files_roots", tests, NULL, NULL);
}
