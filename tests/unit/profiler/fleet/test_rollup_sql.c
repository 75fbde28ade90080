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

	assert_int_equal(rollup_sql_look(&sql, "_local", &day), 0);
	assert_sql("rollup_look", &sql);
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

/* Rows: is of windows; hour, ver, n, windows, print, rows. */
static int look(struct rollup_look *out, const int64_t rows[][7], size_t n)
{
	static const char *const names[] = {"hour", "ver", "n", "windows", "print", "rows"};
	struct why why = {""};
	struct ch_answer a;
	struct buf b = {0};
	int err;

	ch_put_block(&b, 7, n);
	ch_put_column(&b, "what", CH_STRING, false);
	for (size_t i = 0; i < n; i++)
		ch_put_string(&b, rows[i][0] ? "windows" : "marks", rows[i][0] ? 7 : 5);
	for (size_t c = 0; c < 6; c++) {
		ch_put_column(&b, names[c], CH_INT64, false);
		for (size_t i = 0; i < n; i++)
			ch_put_u64(&b, (uint64_t)rows[i][c + 1]);
	}
	a = answer_of(&b);
	err = rollup_read_look(out, &a, &why);
	ch_answer_release(&a);
	return err;
}

/* Another version may have taken rows away, also one that was never finished. */
TEST(a_version_with_rows_missing_does_not_count)
{
	static const int64_t rows[][7] = {
		{0, H(1), 10, 7, 3, 99, 5}, /* 5 rows and 2 marks */
		{0, H(1), 11, 6, 3, 99, 5}, /* one is missing */
		{0, H(2), 12, 5, 0, 0, 0},  /* without marks */
		{0, H(2), 13, 2, 4, -1, 0}, /* nothing in it, and marked as such */
		{1, H(1), 0, 0, 3, 99, 0}};
	struct rollup_look l = {0};

	assert_int_equal(look(&l, rows, 5), 0);
	assert_int_equal(l.made.len, 2);
	assert_int_equal(l.made.data[0].ver, 10);
	assert_int_equal(l.made.data[0].of.windows, 3);
	assert_int_equal(l.made.data[1].ver, 13);
	assert_true(l.made.data[1].of.print == UINT64_MAX);
	assert_int_equal(l.there.len, 1);
	assert_int_equal(l.there.data[0].hour_s, H(1));
	assert_int_equal(l.there.data[0].windows, 3);
	assert_int_equal(l.there.data[0].print, 99);
	rollup_look_release(&l);
}

TEST(versions_out_of_order_are_refused)
{
	static const int64_t rows[][7] = {{0, H(2), 10, 2, 3, 99, 0}, {0, H(1), 11, 2, 3, 99, 0}};
	struct rollup_look l = {0};

	assert_int_equal(look(&l, rows, 2), -EBADMSG);
	rollup_look_release(&l);
}

static int read_hours(const int64_t *hours, size_t n)
{
	struct rollup_look l = {0};
	int64_t rows[2][7] = {{0}};
	int err;

	for (size_t i = 0; i < n; i++) {
		rows[i][0] = 1;
		rows[i][1] = hours[i];
	}
	err = look(&l, rows, n);
	if (!err)
		assert_int_equal(l.there.len, n);
	rollup_look_release(&l);
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
		cmocka_unit_test(versions_out_of_order_are_refused),
		cmocka_unit_test(hours_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
