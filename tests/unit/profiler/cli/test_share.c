// SPDX-License-Identifier: GPL-2.0-or-later
/* Shares say no more than their samples. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/cli/share_list.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void check(int64_t part, int64_t whole, uint64_t n, const char *text, const char *cell)
{
	struct share_scale scale = {whole, n};
	struct buf b = {0};

	share_text(&b, &scale, part);
	assert_string_equal(buf_cstr(&b), text);
	buf_clear(&b);
	share_cell(&b, &scale, part);
	assert_string_equal(buf_cstr(&b), cell);
	buf_release(&b);
}

TEST(test_exact)
{
	check(379, 1000, 0, "37.9 %", " 37.9%");
	check(1000, 1000, 0, "100.0 %", "100.0%");
	check(0, 1000, 0, "0 %", "     -");
	check(0, 0, 0, "-", "     -");
	check(1, 100000, 0, "<0.1 %", " <0.1%");
	check(99999, 100000, 0, ">99.9 %", ">99.9%");
	check(-200, 1000, 0, "-20.0 %", "-20.0%");
	check(-1, 100000, 0, "-<0.1 %", "-<0.1%");
	check(-1000, 1000, 0, "-100 %", " -100%");
	check(INT64_MIN, INT64_MAX, 0, "-100 %", " -100%");
}

TEST(test_some_samples)
{
	check(379, 1000, 999, "38 %", "   38%");
	check(379, 1000, 1000, "37.9 %", " 37.9%");
	check(1, 999, 999, "<1 %", "   <1%");
	check(998, 999, 999, ">99 %", "  >99%");
	check(999, 999, 999, "100 %", "  100%");
	check(-300, 999, 999, "-30 %", "  -30%");
	check(-999, 999, 999, "-100 %", " -100%");
}

/* Below 100 samples: whole numbers around the interval. */
TEST(test_few_samples)
{
	check(1, 1, 1, "20 to 100 %", "  >20%");
	check(7, 14, 14, "26 to 74 %", "26-74%");
	check(14, 14, 14, "78 to 100 %", "  >78%");
	check(1, 14, 14, "1 to 32 %", " 1-32%");
	check(5, 99, 99, "2 to 12 %", " 2-12%");
	check(-7, 14, 14, "-50 %", "  -50%");
	check(0, 14, 14, "0 to 22 %", "     -");
	check(50, 100, 100, "50 %", "   50%"); /* enough of them */
	/* ends that are whole numbers, but for what floating point adds or takes away */
	check(404, 1000, 24, "23 to 60 %", "23-60%");
	check(394, 1000, 4, "10 to 80 %", "10-80%");
	check(28, 14, 14, ">99 %", "  >99%"); /* no share, and no interval */
}

static void check_change(int64_t part, int64_t whole, uint64_t n, const char *text,
			 const char *cell)
{
	struct share_scale scale = {whole, n, true};
	struct buf b = {0};

	share_text(&b, &scale, part);
	assert_string_equal(buf_cstr(&b), text);
	buf_clear(&b);
	share_cell(&b, &scale, part);
	assert_string_equal(buf_cstr(&b), cell);
	buf_release(&b);
}

/* Changes have a sign and no range, and what is new may be more than the whole. */
TEST(test_changes)
{
	check_change(123, 1000, 0, "+12.3 %", "+12.3%");
	check_change(-123, 1000, 0, "-12.3 %", "-12.3%");
	check_change(1000, 1000, 0, "+100 %", " +100%");
	check_change(-1000, 1000, 0, "-100 %", " -100%");
	check_change(2500, 1000, 0, "+250 %", " +250%");
	check_change(999600, 1000, 0, "+>999 %", "+>999%");
	check_change(9996, 1000, 0, "+>999 %", "+>999%"); /* 1000 is too wide */
	check_change(9994, 1000, 0, "+999 %", " +999%");
	check_change(1, 100000, 0, "+<0.1 %", "+<0.1%");
	check_change(-1, 100000, 0, "-<0.1 %", "-<0.1%");
	check_change(7, 14, 14, "+50 %", "  +50%");
	check_change(0, 1000, 0, "0 %", "     -");
	check_change(INT64_MIN, 1, 0, "->999 %", "->999%");
}

/* The interval contains the share, is within 0 and 100, and shrinks with the number of samples. */
TEST(test_intervals)
{
	for (int share = 0; share <= 100; share++) {
		double width = 101, low, high;

		for (uint64_t n = 1; n < 100; n++) {
			share_interval(share, n, &low, &high);
			assert_true(low >= 0 && high <= 100);
			assert_true(low <= share + 1e-9 && high >= share - 1e-9);
			assert_true(high - low < width);
			width = high - low;
		}
	}
}

/* What does not fit is others, all of it. */
TEST(test_lists)
{
	struct share_scale scale = {1000, 0};
	struct term t = {.columns = 45};
	struct share_list list;
	struct buf b = {0};

	share_list_begin(&list, &b, &scale, &t, "Names");
	for (char name[] = "name_a"; name[5] < 'k'; name[5]++)
		share_list_add(&list, name, 100, "");
	share_list_end(&list);
	assert_string_equal(buf_cstr(&b), "Names    name_a 10.0 %, name_b 10.0 %,\n"
					  "         name_c 10.0 %, others 70.0 %\n");
	buf_release(&b);
}

/* Every cell has six columns, whatever the values. */
TEST(test_cells_fit)
{
	unsigned seed = 7;

	for (int round = 0; round < 100000; round++) {
		int64_t whole = rand_r(&seed) % 3000,
			part = whole ? rand_r(&seed) % (whole + 1) : 0;
		struct share_scale scale = {whole, round % 2 ? (uint64_t)whole : 0};
		struct buf b = {0};

		share_cell(&b, &scale, round % 5 ? part : -part);
		assert_int_equal(strlen(buf_cstr(&b)), SHARE_CELL);
		assert_null(strstr(buf_cstr(&b), " 0.0%"));
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),	    cmocka_unit_test(test_some_samples),
		cmocka_unit_test(test_few_samples), cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_changes),	    cmocka_unit_test(test_cells_fit),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
