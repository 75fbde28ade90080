// SPDX-License-Identifier: GPL-2.0-or-later
/* The rollup's statements, against golden files, and which versions of an hour count. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/fleet/rollup_sql.h"
#include "tests/lib/fleet_answers.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define H(n)	   ((n) * (int64_t)HOUR_S)

static const struct times day = {1795305600, 1795392000};
/* A cluster's: made of all shards, kept by one. */
static const struct rollup_version version = {1795305600, 18446744073709551615u, "", "_local"};

TEST(what_is_there)
{
	struct buf sql = {0};

	assert_int_equal(rollup_sql_windows(&sql, "", &day), 0);
	assert_sql("rollup_windows", &sql);
	assert_int_equal(rollup_sql_marks(&sql, "_local", &day), 0);
	assert_sql("rollup_marks", &sql);
}

TEST(making_an_hour)
{
	struct buf sql = {0};
	struct why why = {""};

	assert_int_equal(rollup_sql_make(&sql, &version, &why), 0);
	assert_sql("rollup_make", &sql);
	assert_int_equal(rollup_sql_count(&sql, &version), 0);
	assert_sql("rollup_count", &sql);
	/* A print is any 64 bits; the column is signed. */
	assert_int_equal(rollup_sql_mark(&sql, &version,
					 &(struct hour_print){1795305600, 5, UINT64_MAX}, 1234),
			 0);
	assert_sql("rollup_mark", &sql);
}

static struct ch_answer marks(const int64_t rows[][6], size_t n)
{
	static const char *const names[] = {"h", "ver", "n", "windows", "print", "rows"};
	struct buf b = {0};

	ch_put_block(&b, 6, n);
	for (size_t c = 0; c < 6; c++) {
		ch_put_column(&b, names[c], CH_INT64, false);
		for (size_t i = 0; i < n; i++)
			ch_put_u64(&b, (uint64_t)rows[i][c]);
	}
	return answer_of(&b);
}

/* Another version may have taken rows away, also one that was never finished. */
TEST(a_version_with_rows_missing_does_not_count)
{
	static const int64_t rows[][6] = {
		{H(1), 10, 7, 3, 99, 5},  /* 5 rows and 2 marks */
		{H(1), 11, 6, 3, 99, 5},  /* one is missing */
		{H(2), 12, 5, 0, 0, 0},	  /* without marks */
		{H(2), 13, 2, 4, -1, 0}}; /* nothing in it, and marked as such */
	struct ch_answer a = marks(rows, 4);
	struct hour_marks m = {0};
	struct why why = {""};

	assert_int_equal(rollup_read_marks(&m, &a, &why), 0);
	assert_int_equal(m.v.len, 2);
	assert_int_equal(m.v.data[0].ver, 10);
	assert_int_equal(m.v.data[0].of.windows, 3);
	assert_int_equal(m.v.data[1].ver, 13);
	assert_true(m.v.data[1].of.print == UINT64_MAX);
	ch_answer_release(&a);
	vec_release(&m.v);
}

TEST(hours_out_of_order_are_refused)
{
	static const int64_t rows[][6] = {{H(2), 10, 2, 3, 99, 0}, {H(1), 11, 2, 3, 99, 0}};
	struct ch_answer a = marks(rows, 2);
	struct hour_marks m = {0};
	struct why why = {""};

	assert_int_equal(rollup_read_marks(&m, &a, &why), -EBADMSG);
	ch_answer_release(&a);
	vec_release(&m.v);
}

static int read_hours(const int64_t *hours, size_t n)
{
	struct hour_prints p = {0};
	struct why why = {""};
	struct ch_answer a;
	struct buf b = {0};
	int err;

	ch_put_block(&b, 3, n);
	put_numbers(&b, "hour", hours, n);
	put_numbers(&b, "windows", hours, n);
	put_numbers(&b, "print", hours, n);
	a = answer_of(&b);
	err = rollup_read_windows(&p, &a, &why);
	if (!err)
		assert_int_equal(p.v.len, n);
	ch_answer_release(&a);
	vec_release(&p.v);
	return err;
}

TEST(hours_that_are_none_are_refused)
{
	assert_int_equal(read_hours((int64_t[]){H(1), H(2)}, 2), 0);
	assert_int_equal(read_hours((int64_t[]){H(2), H(1)}, 2), -EBADMSG);
	assert_int_equal(read_hours((int64_t[]){H(1), H(1)}, 2), -EBADMSG);
	assert_int_equal(read_hours((int64_t[]){-H(1)}, 1), -EBADMSG);
	assert_int_equal(read_hours((int64_t[]){H(1) + 1}, 1), -EBADMSG);
	assert_int_equal(read_hours((int64_t[]){INT64_MAX}, 1), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there),
		cmocka_unit_test(making_an_hour),
		cmocka_unit_test(a_version_with_rows_missing_does_not_count),
		cmocka_unit_test(hours_out_of_order_are_refused),
		cmocka_unit_test(hours_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
