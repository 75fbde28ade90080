// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions about one function and about hosts, against golden files; and their answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/fleet/cost_sql.h"
#include "profiler/fleet/function_sql.h"
#include "profiler/fleet/host_sql.h"
#include "profiler/store/where.h"
#include "tests/lib/fleet_answers.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct function_list list_of(uint64_t a, uint64_t b)
{
	struct function_list l = {0};

	assert_int_equal(vec_push(&l.ids, a), 0);
	assert_int_equal(vec_push(&l.names, strdup("it's")), 0);
	assert_int_equal(vec_push(&l.modules, strdup("a\\b")), 0);
	if (b)
		assert_int_equal(vec_push(&l.ids, b), 0);
	return l;
}

struct fixture {
	struct plan plan;
	struct where *where;
	struct cost_scope scope;
	struct buf sql;
	struct why why;
};

static void begin(struct fixture *f)
{
	*f = (struct fixture){0};
	assert_int_equal(plan_samples(&f->plan, &(struct times){1795305600, 1795392000}), 0);
	assert_int_equal(where_parse_any(&f->where, "service=api,host!=x", &f->why), 0);
	f->scope = (struct cost_scope){&f->plan, f->where, "", 0};
}

static void end(struct fixture *f)
{
	plan_release(&f->plan);
	where_free(f->where);
}

TEST(finding_a_function)
{
	struct buf sql = {0};

	assert_int_equal(function_sql_find(&sql, "", "it's\\", false), 0);
	assert_sql("function_find", &sql);
	assert_int_equal(function_sql_find(&sql, "_local", "it's\\", true), 0);
	assert_sql("function_find_part", &sql);
}

TEST(callers)
{
	struct function_list of = list_of(UINT64_MAX, 5);
	struct fixture f;

	begin(&f);
	assert_int_equal(function_sql_callers(&f.sql, &f.scope, &of, &f.why), 0);
	assert_sql("callers", &f.sql);
	end(&f);
	function_list_release(&of);
}

TEST(over_time)
{
	struct function_list of = list_of(UINT64_MAX, 0), by_name = {.by_name = "it's"};
	struct time_series_question q = {&of, 600, 300};
	struct fixture f;

	begin(&f);
	assert_int_equal(function_sql_series(&f.sql, &f.scope, &q, &f.why), 0);
	assert_sql("series", &f.sql);
	q.of = &by_name;
	assert_int_equal(function_sql_series(&f.sql, &f.scope, &q, &f.why), 0);
	assert_sql("series_by_name", &f.sql);
	where_free(f.where);
	f.scope.where = f.where = NULL;
	assert_int_equal(vec_push(&f.plan.rollup, (struct hour_mark){{1795392000, 1, 2}, 9}), 0);
	q = (struct time_series_question){&of, 7200, 3600};
	assert_int_equal(function_sql_series(&f.sql, &f.scope, &q, &f.why), 0);
	assert_sql("series_rollup", &f.sql);
	end(&f);
	function_list_release(&of);
}

TEST(hosts)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(host_sql_functions(&f.sql, &f.scope, COSTS_BY_SELF, &f.why), 0);
	assert_sql("host_functions", &f.sql);
	assert_int_equal(host_sql_durations(&f.sql, &f.scope), 0);
	assert_sql("host_durations", &f.sql);
	end(&f);
}

/* Of several modules, or with a zone of half an hour, sums of hours would be wrong. */
TEST(a_series_from_hours_has_to_fit)
{
	struct function_list one = list_of(7, 0), two = list_of(7, 8);
	struct time_series_question q = {&one, 7200, 3600};

	assert_true(time_series_fits_rollup(&q));
	q.offset_s = 1800;
	assert_false(time_series_fits_rollup(&q));
	q = (struct time_series_question){&one, 1800, 0};
	assert_false(time_series_fits_rollup(&q));
	q = (struct time_series_question){&two, 3600, 0};
	assert_false(time_series_fits_rollup(&q));
	one.is_unclean = true;
	q.of = &one;
	assert_false(time_series_fits_rollup(&q));
	function_list_release(&one);
	function_list_release(&two);
}

TEST(functions_are_read_once)
{
	struct function_list l = {0};
	struct why why = {""};
	struct buf b = {0};
	struct ch_answer a;

	ch_put_block(&b, 3, 3);
	NUMBERS(&b, "id", 7, 7, -1);
	TEXTS(&b, "name", "f", "f", "f");
	TEXTS(&b, "file", "a.so", "a.so", "\xff");
	a = answer_of(&b);
	assert_int_equal(function_read(&l, &a, &why), 0);
	assert_int_equal(function_read(&l, &a, &why), 0);
	assert_int_equal(l.ids.len, 2);
	assert_true(l.ids.data[1] == UINT64_MAX);
	assert_true(l.is_unclean);
	ch_answer_release(&a);
	function_list_release(&l);
}

TEST(points_of_shards_add_up)
{
	struct time_series s = {0};
	struct why why = {""};
	struct buf b = {0};
	struct ch_answer a;

	ch_put_block(&b, 4, 2);
	NUMBERS(&b, "begin_s", 20, 10);
	NUMBERS(&b, "self_ns", 1, 2);
	NUMBERS(&b, "total_ns", 3, INT64_MAX);
	NUMBERS(&b, "whole_ns", 5, 6);
	a = answer_of(&b);
	assert_int_equal(time_series_read(&s, &a, &why), 0);
	assert_int_equal(time_series_read(&s, &a, &why), 0);
	assert_int_equal(s.v.len, 2);
	assert_int_equal(s.v.data[0].at_s, 10);
	assert_int_equal(s.v.data[0].self_ns, 4);
	assert_true(s.v.data[0].total_ns == INT64_MAX);
	assert_int_equal(s.v.data[1].whole_ns, 10);
	ch_answer_release(&a);
	vec_release(&s.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finding_a_function),
		cmocka_unit_test(callers),
		cmocka_unit_test(over_time),
		cmocka_unit_test(hosts),
		cmocka_unit_test(a_series_from_hours_has_to_fit),
		cmocka_unit_test(functions_are_read_once),
		cmocka_unit_test(points_of_shards_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
