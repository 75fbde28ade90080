// SPDX-License-Identifier: GPL-2.0-or-later
/* How a table's rows are called: by labels, and of code without names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/table.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void add_labelled(struct profile *p, const char *comm, int64_t pid, int64_t tid,
			 const char *group_key, const char *group, int64_t count)
{
	struct profile_label labels[4] = {
		{.key = str_id(p, LABEL_COMM), .str = str_id(p, comm)},
		{.key = str_id(p, LABEL_PID), .str = PROFILE_NONE, .num = pid},
		{.key = str_id(p, LABEL_TID), .str = PROFILE_NONE, .num = tid},
	};
	uint32_t stack, labelset, location;
	struct profile_line line = {function_id(p, "main", ""), 1};

	if (group_key)
		labels[3] = (struct profile_label){.key = str_id(p, group_key),
						   .str = str_id(p, group)};
	assert_int_equal(
		profile_location(p, mapping_id(p, "/bin/x", "", true), 1, &line, 1, &location), 0);
	assert_int_equal(profile_stack(p, &location, 1, &stack), 0);
	assert_int_equal(profile_labelset(p, labels, group_key ? 4 : 3, &labelset), 0);
	assert_int_equal(profile_add(p, stack, labelset, (int64_t[]){count, count * 10}), 0);
}

static void assert_rows(const struct profile *p, enum table_by by, const char *want)
{
	struct table_opts opts = {.by = by, .value = 1, .label = LABEL_UNIT};
	struct buf got = {0};
	struct table *t;

	assert_int_equal(table_build(&t, p, &opts), 0);
	for (size_t i = 0; i < t->rows.len; i++) {
		const struct table_row *row = &t->rows.data[i];

		assert_int_equal(row->self, row->total);
		buf_printf(&got, "%s=%lld ", table_text(t, row->name), (long long)row->self);
	}
	assert_string_equal(buf_cstr(&got), want);
	buf_release(&got);
	table_free(t);
}

TEST(test_tables_by_label)
{
	struct profile *p = profile_new();
	uint32_t none, stack;

	assert_int_equal(profile_init_cpu(p, 10), 0);
	add_labelled(p, "nginx", 10, 10, LABEL_UNIT, "nginx.service", 5);
	add_labelled(p, "nginx", 10, 11, LABEL_UNIT, "nginx.service", 2);
	add_labelled(p, "nginx", 12, 12, LABEL_CONTAINER, "0123456789ab", 3);
	add_labelled(p, "sh", 13, 13, LABEL_CGROUP, "/user.slice", 1);
	assert_int_equal(profile_labelset(p, NULL, 0, &none), 0);
	assert_int_equal(profile_stack(p, NULL, 0, &stack), 0);
	assert_int_equal(profile_add(p, stack, none, (int64_t[]){4, 40}), 0);
	assert_rows(p, TABLE_PROCESS, "nginx-10=70 [no process]=40 nginx-12=30 sh-13=10 ");
	assert_rows(p, TABLE_THREAD,
		    "nginx-10/10=50 [no process]=40 nginx-12/12=30 nginx-10/11=20 sh-13/13=10 ");
	assert_rows(p, TABLE_CGROUP,
		    "nginx.service=70 [no cgroup]=40 0123456789ab=30 /user.slice=10 ");
	assert_rows(p, TABLE_LABEL, "[no unit]=80 nginx.service=70 ");
	profile_free(p);
}

/* Whoever wrote the profile: code of a module that has no name is one row, by line one an address. */
TEST(test_code_without_names)
{
	static const char *const names[] = {"", "[app]", "app+0x3", "[app]+0x4"};
	struct profile *p = profile_new();
	uint32_t app, none, location, stack;

	assert_int_equal(profile_init_cpu(p, 10), 0);
	app = mapping_id(p, "/usr/bin/app", "", true);
	assert_int_equal(profile_labelset(p, NULL, 0, &none), 0);
	for (uint64_t i = 0; i < 4; i++) {
		struct profile_line line = {.function = function_id(p, names[i], "")};

		assert_int_equal(profile_location(p, app, i + 1, &line, 1, &location), 0);
		assert_int_equal(profile_stack(p, &location, 1, &stack), 0);
		assert_int_equal(profile_add(p, stack, none, (int64_t[]){1, 10 - (int64_t)i}), 0);
	}
	assert_rows(p, TABLE_FUNCTION, "[app]=34 ");
	assert_rows(p, TABLE_LINE, "[app]+0x1=10 [app]+0x2=9 [app]+0x3=8 [app]+0x4=7 ");
	profile_free(p);
}

TEST(test_sums_saturate)
{
	struct profile *p = profile_new();

	assert_int_equal(saturating_sum(INT64_MAX, 1), INT64_MAX);
	assert_int_equal(saturating_sum(INT64_MIN, -1), INT64_MIN);
	assert_int_equal(saturating_sum(-5, 3), -2);
	assert_int_equal(profile_init_cpu(p, 10), 0);
	add_labelled(p, "a", 1, 1, NULL, NULL, INT64_MAX / 20);
	add_labelled(p, "b", 2, 2, NULL, NULL, INT64_MAX / 20);
	add_labelled(p, "c", 3, 3, NULL, NULL, INT64_MAX / 20);
	assert_int_equal(profile_total(p, 1), INT64_MAX);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_by_label),
		cmocka_unit_test(test_code_without_names),
		cmocka_unit_test(test_sums_saturate),
	};

	return cmocka_run_group_tests_name("table_names", tests, NULL, NULL);
}
