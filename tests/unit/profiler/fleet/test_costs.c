// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of several servers, and answers that are none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/fleet/cost_read.h"
#include "profiler/fleet/costs.h"
#include "tests/lib/fleet_answers.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct ch_answer two_rows(void)
{
	struct buf b = {0};

	ch_put_block(&b, 5, 2);
	TEXTS(&b, "name", "f", "g");
	TEXTS(&b, "module", "a.so", "a.so");
	TEXTS(&b, "service", "", "");
	NUMBERS(&b, "self_ns", 5, 30);
	NUMBERS(&b, "total_ns", 50, 40);
	return answer_of(&b);
}

TEST(servers_add_up)
{
	struct ch_answer a = two_rows();
	struct costs c = {0};
	struct why why = {""};
	size_t f;

	assert_int_equal(cost_read(&c, NULL, &a, &why), 0);
	assert_int_equal(cost_read(&c, NULL, &a, &why), 0);
	assert_int_equal(c.v.len, 2);
	f = costs_find(&c, "f", "a.so", "");
	assert_int_equal(c.v.data[f].v.self_ns, 10);
	assert_int_equal(c.v.data[f].v.total_ns, 100);
	assert_true(costs_find(&c, "f", "b.so", "") == SIZE_MAX);
	assert_int_equal(costs_sum(&c).total_ns, 180);
	costs_sort(&c, COSTS_BY_SELF);
	assert_string_equal(costs_text(&c, c.v.data[0].name), "g");
	costs_sort(&c, COSTS_BY_TOTAL);
	assert_string_equal(costs_text(&c, c.v.data[0].name), "f");
	ch_answer_release(&a);
	costs_release(&c);
}

/* So many that their hashes collide: rows are told apart by all of their texts. */
TEST(many_rows_are_told_apart)
{
	const struct cost_values one = {.self_ns = 1};
	struct costs c = {0};
	char name[16];

	for (int field = 0; field < 3; field++)
		for (int i = 0; i < 300000; i++) {
			struct cost_text text[3] = {{"f", 1}, {"m", 1}, {"s", 1}};
			int len = snprintf(name, sizeof(name), "%d-%d", field, i);

			text[field] = (struct cost_text){name, (size_t)len};
			assert_int_equal(costs_add(&c, text, &one), 0);
		}
	assert_int_equal(c.v.len, 900000);
	costs_release(&c);
}

TEST(two_periods_are_read)
{
	struct buf b = {0};
	struct costs c = {0};
	struct why why = {""};
	struct ch_answer a;

	ch_put_block(&b, 7, 1);
	TEXTS(&b, "name", "f");
	TEXTS(&b, "module", "a.so");
	TEXTS(&b, "service", "api");
	NUMBERS(&b, "self_ns", 5);
	NUMBERS(&b, "total_ns", 6);
	NUMBERS(&b, "self_before_ns", 7);
	NUMBERS(&b, "total_before_ns", 8);
	a = answer_of(&b);
	assert_int_equal(cost_read(&c, NULL, &a, &why), 0);
	assert_int_equal(c.v.data[0].v.self_before_ns, 7);
	assert_int_equal(c.v.data[0].v.total_before_ns, 8);
	assert_string_equal(costs_text(&c, c.v.data[0].of), "api");
	ch_answer_release(&a);
	costs_release(&c);
}

/* Several services have one each. */
TEST(the_whole_is_no_row)
{
	struct buf b = {0};
	struct costs c = {0};
	struct cost_values whole = {0};
	struct why why = {""};
	struct ch_answer a;

	ch_put_block(&b, 6, 3);
	TEXTS(&b, "name", "[function missing]", "f", "");
	TEXTS(&b, "module", "[kiln]", "a.so", "");
	TEXTS(&b, "service", "api", "api", "db");
	NUMBERS(&b, "self_ns", 0, 5, 9);
	NUMBERS(&b, "total_ns", 6, 5, 9);
	NUMBERS(&b, "whole", 1, 0, 1);
	a = answer_of(&b);
	assert_int_equal(cost_read(&c, &whole, &a, &why), 0);
	assert_int_equal(c.v.len, 1);
	assert_string_equal(costs_text(&c, c.v.data[0].name), "f");
	assert_int_equal(whole.total_ns, 15);
	ch_answer_release(&a);
	a = two_rows();
	assert_int_equal(cost_read(&c, &whole, &a, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "whole"));
	ch_answer_release(&a);
	costs_release(&c);
}

/* Names are of processes on any host: nothing of them reaches a terminal as it is, and sums have an end. */
TEST(names_are_cleaned_and_sums_saturate)
{
	struct buf b = {0};
	struct costs c = {0};
	struct why why = {""};
	struct ch_answer a;

	ch_put_block(&b, 5, 2);
	ch_put_column(&b, "name", CH_STRING, false);
	for (int i = 0; i < 2; i++)
		ch_put_string(&b, "\x1b[31m\0\xff", 7);
	TEXTS(&b, "module", "", "");
	TEXTS(&b, "service", "", "");
	NUMBERS(&b, "self_ns", INT64_MAX, INT64_MAX);
	NUMBERS(&b, "total_ns", INT64_MIN, INT64_MIN);
	a = answer_of(&b);
	assert_int_equal(cost_read(&c, NULL, &a, &why), 0);
	assert_int_equal(c.v.len, 1);
	assert_true(c.v.data[0].v.self_ns == INT64_MAX);
	assert_true(c.v.data[0].v.total_ns == INT64_MIN);
	assert_null(strchr(costs_text(&c, c.v.data[0].name), '\x1b'));
	ch_answer_release(&a);
	costs_release(&c);
}

TEST(an_answer_without_the_columns_is_refused)
{
	struct buf b = {0};
	struct costs c = {0};
	struct why why = {""};
	struct ch_answer a;

	ch_put_block(&b, 5, 1);
	TEXTS(&b, "name", "f");
	TEXTS(&b, "module", "a.so");
	TEXTS(&b, "service", "");
	TEXTS(&b, "self_ns", "5"); /* a text where a number should be */
	NUMBERS(&b, "total_ns", 6);
	a = answer_of(&b);
	assert_int_equal(cost_read(&c, NULL, &a, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "self_ns"));
	assert_int_equal(c.v.len, 0);
	ch_answer_release(&a);
	costs_release(&c);
}

TEST(an_empty_answer_is_nothing)
{
	struct ch_answer a = {0};
	struct costs c = {0};
	struct why why = {""};

	assert_int_equal(cost_read(&c, NULL, &a, &why), 0);
	costs_sort(&c, COSTS_BY_SELF);
	assert_int_equal(costs_sum(&c).self_ns, 0);
	assert_true(costs_find(&c, "", "", "") == SIZE_MAX);
	costs_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_add_up),
		cmocka_unit_test(many_rows_are_told_apart),
		cmocka_unit_test(two_periods_are_read),
		cmocka_unit_test(the_whole_is_no_row),
		cmocka_unit_test(names_are_cleaned_and_sums_saturate),
		cmocka_unit_test(an_answer_without_the_columns_is_refused),
		cmocka_unit_test(an_empty_answer_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
