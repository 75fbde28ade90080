// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions about costs as SQL, against golden files; and what people type is never SQL. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/base/text.h"
#include "profiler/fleet/cost_sql.h"
#include "profiler/fleet/filter.h"
#include "profiler/store/where.h"
#include "tests/lib/fleet_answers.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct where *where_of(const char *text)
{
	struct where *w = NULL;
	struct why why = {""};

	if (where_parse_any(&w, text, &why))
		fail_msg("%s", why.text);
	return w;
}

static void assert_cost(const char *golden, struct cost_question *q, const struct times *spans,
			size_t n_spans, const struct hour_mark *hours, size_t n_hours,
			const char *where)
{
	struct where *w = where_of(where);
	struct plan p = {0};
	struct buf sql = {0};
	struct why why = {""};

	for (size_t i = 0; i < n_spans; i++)
		assert_int_equal(plan_samples(&p, &spans[i]), 0);
	for (size_t i = 0; i < n_hours; i++)
		assert_int_equal(vec_push(&p.rollup, hours[i]), 0);
	q->scope.plan = &p;
	q->scope.where = w;
	if (!q->scope.suffix)
		q->scope.suffix = "";
	assert_int_equal(cost_sql(&sql, q, &why), 0);
	assert_sql(golden, &sql);
	plan_release(&p);
	where_free(w);
}

static const struct times day[] = {{1795305600, 1795392000}};
static const struct times edges[] = {{1795305000, 1795305600}, {1795312800, 1795313000}};
static const struct hour_mark hours[] = {{{1795305600, 5, 1}, 17}, {{1795309200, 5, 1}, 18}};

TEST(functions_from_samples)
{
	struct cost_question q = {.by = COST_FUNCTION, .limit = 20};

	assert_cost("top_functions", &q, day, 1, NULL, 0, "service_name=api,host=~web.*,pod!=a");
}

TEST(functions_from_both)
{
	struct cost_question q = {.by = COST_FUNCTION, .order = COSTS_BY_TOTAL, .limit = 20};

	assert_cost("top_functions_rollup", &q, edges, 2, hours, 2, "service=api");
}

/* By one question, of samples and the rollup. */
TEST(functions_and_the_whole)
{
	struct cost_question q = {.by = COST_FUNCTION, .limit = 20, .with_whole = true};

	assert_cost("top_functions_whole", &q, edges, 2, hours, 2, NULL);
	q.by = COST_MODULE;
	q.limit = 0;
	q.of_service = true;
	assert_cost("top_modules_whole", &q, edges, 2, hours, 2, NULL);
}

TEST(modules_of_one_shard)
{
	struct cost_question q = {.by = COST_MODULE, .scope = {.suffix = "_local"}};

	assert_cost("top_modules_shard", &q, day, 1, NULL, 0, NULL);
}

TEST(services_and_hosts)
{
	struct cost_question q = {.by = COST_SERVICE};

	assert_cost("top_services_rollup", &q, NULL, 0, hours, 2, NULL);
	q.by = COST_HOST;
	assert_cost("top_hosts", &q, day, 1, NULL, 0, NULL);
}

TEST(two_periods)
{
	struct cost_question q = {
		.by = COST_FUNCTION, .of_service = true, .scope = {.split_s = 1795309200}};

	assert_cost("grew_functions", &q, edges, 2, hours, 2, NULL);
	q.by = COST_MODULE;
	assert_cost("grew_modules", &q, day, 1, NULL, 0, NULL);
}

TEST(a_label_that_is_not_kept_is_refused)
{
	struct where *w = where_of("pid=1");
	struct buf sql = {0};
	struct why why = {""};

	assert_int_equal(filter_sql(&sql, w, FILTER_SAMPLES, &why), -EINVAL);
	assert_non_null(strstr(why.text, "pid"));
	assert_non_null(strstr(why.text, "service_name"));
	buf_release(&sql);
	where_free(w);
}

static int filter_of(size_t len)
{
	struct buf text = {0}, sql = {0};
	struct why why = {""};
	struct where *w;
	int err;

	buf_str(&text, "service=");
	for (size_t i = 0; i < len; i++)
		buf_char(&text, 'a');
	w = where_of(buf_cstr(&text));
	err = filter_sql(&sql, w, FILTER_SAMPLES, &why);
	assert_true(!err || strstr(why.text, "more than 4096 bytes"));
	where_free(w);
	buf_release(&text);
	buf_release(&sql);
	return err;
}

TEST(values_have_an_end)
{
	assert_int_equal(filter_of(FILTER_MAX_VALUE), 0);
	assert_int_equal(filter_of(FILTER_MAX_VALUE + 1), -EINVAL);
}

TEST(the_rollup_answers_for_services_alone)
{
	struct where *of_service = where_of("service=a,service_name!=b"),
		     *of_host = where_of("service=a,host=b");

	assert_true(cost_fits_rollup(NULL, COST_FUNCTION));
	assert_true(cost_fits_rollup(of_service, COST_MODULE));
	assert_false(cost_fits_rollup(of_host, COST_FUNCTION));
	assert_false(cost_fits_rollup(NULL, COST_HOST));
	where_free(of_service);
	where_free(of_host);
}

/* Outside of quoted texts nothing of a value is left. */
static void assert_harmless(const char *sql)
{
	struct buf bare = {0};

	for (const char *s = sql; *s; s++) {
		if (*s != '\'') {
			buf_char(&bare, *s);
			continue;
		}
		for (s++; *s && *s != '\''; s++)
			s += *s == '\\';
		assert_int_equal(*s, '\'');
	}
	assert_null(strstr(buf_cstr(&bare), "DROP"));
	assert_null(strstr(buf_cstr(&bare), "--"));
	assert_null(strstr(buf_cstr(&bare), ";"));
	buf_release(&bare);
}

TEST(no_value_becomes_sql)
{
	static const char *const evil[] = {
		"'; DROP TABLE samples; --",
		"\\'; DROP TABLE samples; --",
		"\\",
		"\\\\'; DROP TABLE x; --",
		"a\nb'; DROP TABLE x; --",
		"\xff\xfe'; DROP TABLE x",
		"\xe2\x80\x99; DROP TABLE",
		"/* ' */ DROP TABLE --",
	};
	static const char *const ops[] = {"=", "!=", "=~"};

	for (size_t i = 0; i < sizeof(evil) / sizeof(*evil); i++)
		for (size_t k = 0; k < 3; k++) {
			struct buf text = {0}, sql = {0};
			struct where *w = NULL;
			struct why why = {""};

			buf_printf(&text, "service%s\"", ops[k]);
			for (const char *s = evil[i]; *s; s++) {
				if (*s == '\\' || *s == '"')
					buf_char(&text, '\\');
				buf_char(&text, *s);
			}
			buf_char(&text, '"');
			/* Not every text is a regular expression. */
			if (!where_parse_any(&w, buf_cstr(&text), &why)) {
				assert_int_equal(filter_sql(&sql, w, FILTER_SAMPLES, &why), 0);
				assert_harmless(buf_cstr(&sql));
				assert_true(sql.len > strlen(evil[i]));
			} else {
				assert_int_equal(k, 2);
			}
			buf_release(&text);
			buf_release(&sql);
			where_free(w);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_from_samples),
		cmocka_unit_test(functions_from_both),
		cmocka_unit_test(functions_and_the_whole),
		cmocka_unit_test(modules_of_one_shard),
		cmocka_unit_test(services_and_hosts),
		cmocka_unit_test(two_periods),
		cmocka_unit_test(a_label_that_is_not_kept_is_refused),
		cmocka_unit_test(values_have_an_end),
		cmocka_unit_test(the_rollup_answers_for_services_alone),
		cmocka_unit_test(no_value_becomes_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
