// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of shares in few columns: what is of least weight goes first. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include "profiler/cli/share_list.h"

#define LIBRARIES " (liblzma.so.5.4.1 27.1 %, libpython3.11.so.1.0 24.0 %)"
#define ENTRIES	  " (getdents64 7.4 %, newfstatat 5.6 %, read 5.6 %)"

static void assert_list(size_t columns, const char *expected)
{
	const struct share_scale scale = {1000, 0};
	const struct term t = {.columns = columns};
	struct buf b = {0};
	struct share_list list;

	share_list_begin(&list, &b, &scale, &t, "By kind");
	share_list_add(&list, "libraries", 584, LIBRARIES);
	share_list_add(&list, "nothing", 0, "");
	share_list_add(&list, "kernel", 356, ENTRIES);
	share_list_add(&list, "grep", 39, "");
	share_list_add(&list, "perf", 21, "");
	share_list_end(&list);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
}

static void test_notes_lose_their_last_parts(void **state)
{
	(void)state;
	assert_list(100, "By kind  libraries 58.4 %" LIBRARIES ",\n"
			 "         kernel 35.6 %" ENTRIES ", grep 3.9 %, others 2.1 %\n");
	assert_list(80,
		    "By kind  libraries 58.4 % (liblzma.so.5.4.1 27.1 %),\n"
		    "         kernel 35.6 % (getdents64 7.4 %, newfstatat 5.6 %), others 6.0 %\n");
	assert_list(60, "By kind  libraries 58.4 %, kernel 35.6 % (getdents64 7.4 %),\n"
			"         grep 3.9 %, perf 2.1 %\n");
	assert_list(40, "By kind  libraries 58.4 %,\n"
			"         kernel 35.6 %, others 6.0 %\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_notes_lose_their_last_parts)};

	return cmocka_run_group_tests_name("share_list", tests, NULL, NULL);
}
