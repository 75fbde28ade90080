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
	assert_int_equal(rollup_sql_begin(&sql, &version), 0);
	assert_sql("rollup_begin", &sql);
	/* A print is any 64 bits; the column is signed. */
	assert_int_equal(
		rollup_sql_end(&sql, &version, &(struct hour_print){1795305600, 5, UINT64_MAX}), 0);
	assert_sql("rollup_end", &sql);
}

/* Rows: is of windows, hour, ver, done, windows, print. */
static int look(struct rollup_look *out, const int64_t rows[][6], size_t n)
{
	static const char *const names[] = {"hour", "ver", "done", "windows", "print"};
	struct why why = {""};
	struct ch_answer a;
	struct buf b = {0};
	int err;

	ch_put_block(&b, 6, n);
	ch_put_column(&b, "what", CH_STRING, false);
	for (size_t i = 0; i < n; i++)
		ch_put_string(&b, rows[i][0] ? "windows" : "marks", rows[i][0] ? 7 : 5);
	for (size_t c = 0; c < 5; c++) {
		ch_put_column(&b, names[c], CH_INT64, false);
		for (size_t i = 0; i < n; i++)
			ch_put_u64(&b, (uint64_t)rows[i][c + 1]);
	}
	a = answer_of(&b);
	err = rollup_read_look(out, &a, &why);
	ch_answer_release(&a);
	return err;
}

/* A newer version takes rows away from an older one, also one that was never finished. */
TEST(the_newest_version_counts_if_it_is_done)
{
	static const int64_t rows[][6] = {{0, H(1), 10, 0, 0, 0},
					  {0, H(1), 10, 1, 3, 99},
					  /* Begun, and not done. */
					  {0, H(2), 10, 0, 0, 0},
					  {0, H(2), 10, 1, 3, 99},
					  {0, H(2), 11, 0, 0, 0},
					  /* The same after a merge. */
					  {0, H(3), 10, 1, 3, 99},
					  {0, H(3), 11, 0, 0, 0},
					  /* Done twice: all rows are of the newer one. */
					  {0, H(4), 10, 0, 0, 0},
					  {0, H(4), 10, 1, 3, 99},
					  {0, H(4), 12, 0, 0, 0},
					  {0, H(4), 12, 1, 4, -1},
					  /* Nobody began it, twice. */
					  {0, H(5), 13, 1, 3, 99},
					  {0, H(5), 13, 1, 3, 99},
					  /* A stranger's, which is no hour. */
					  {0, 1, 13, 1, 3, 99},
					  {1, H(1), 0, 0, 3, 99}};
	struct rollup_look l = {0};

	assert_int_equal(look(&l, rows, sizeof(rows) / sizeof(*rows)), 0);
	assert_int_equal(l.made.len, 5);
	assert_int_equal(l.made.data[0].ver, 10);
	assert_int_equal(l.made.data[0].of.windows, 3);
	assert_int_equal(l.made.data[0].of.print, 99);
	assert_int_equal(l.made.data[1].of.windows, 0);
	assert_int_equal(l.made.data[2].of.windows, 0);
	assert_int_equal(l.made.data[3].ver, 12);
	assert_int_equal(l.made.data[3].of.windows, 4);
	assert_true(l.made.data[3].of.print == UINT64_MAX);
	assert_int_equal(l.made.data[4].of.windows, 0);
	assert_int_equal(l.there.len, 1);
	assert_int_equal(l.there.data[0].hour_s, H(1));
	assert_int_equal(l.there.data[0].windows, 3);
	assert_int_equal(l.there.data[0].print, 99);
	rollup_look_release(&l);
}

TEST(versions_out_of_order_are_refused)
{
	static const int64_t hours[][6] = {{0, H(2), 10, 1, 3, 99}, {0, H(1), 11, 1, 3, 99}},
			     versions[][6] = {{0, H(1), 11, 0, 0, 0}, {0, H(1), 10, 1, 3, 99}};
	struct rollup_look l = {0};

	assert_int_equal(look(&l, hours, 2), -EBADMSG);
	rollup_look_release(&l);
	assert_int_equal(look(&l, versions, 2), -EBADMSG);
	rollup_look_release(&l);
}

static int read_hours(const int64_t *hours, size_t n)
{
	struct rollup_look l = {0};
	int64_t rows[2][6] = {{0}};
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
		cmocka_unit_test(the_newest_version_counts_if_it_is_done),
		cmocka_unit_test(versions_out_of_order_are_refused),
		cmocka_unit_test(hours_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
