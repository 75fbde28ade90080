// SPDX-License-Identifier: GPL-2.0-or-later
/* What answers of a ClickHouse lead to: each window once, and errors by their code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/lib/clickhouse.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- exactly once ----------------------------------------------------------------------------------- */

static struct clickhouse_sums sums_of(const struct test *t)
{
	const struct clickhouse_state *s = t->t->state;

	return s->shards.data[0].expected;
}

TEST(what_may_have_been_sent_before_is_asked_for)
{
	struct clickhouse_sums sums;
	struct test t;

	begin(&t, 3600 * (int64_t)NS_PER_S);
	greet(&t, "18.16.1");
	assert_requests(&t, "<running> <ask>");
	sums = sums_of(&t);
	assert_int_equal(sums.rows, 4);
	assert_int_equal(tell_running(&t, 0, 0).verdict, UPLOAD_DELIVERED);
	assert_true(tell(&t, 1, 1, &sums).repack);
	pack(&t);
	assert_requests(&t, ""); /* all of it is there */
	/* Another one: its samples are, its window is not. */
	t.item.id[0] = 50;
	pack(&t);
	tell(&t, 1, 0, &sums);
	pack(&t);
	assert_requests(&t, "functions stacks windows");
	/* And one that is not there. */
	t.item.id[0] = 51;
	pack(&t);
	tell(&t, 1, 0, &nothing);
	pack(&t);
	assert_requests(&t, "functions stacks samples windows");
	end(&t);
}

TEST(a_server_with_tokens_is_not_asked_what_it_does)
{
	struct test t;

	begin(&t, 3600 * (int64_t)NS_PER_S);
	greet(&t, "26.9.2.1");
	assert_requests(&t, "<ask>");
	end(&t);
}

static void assert_unsure(struct test *t, struct upload_judgement j, enum upload_verdict verdict)
{
	assert_int_equal(j.verdict, verdict);
	assert_true(j.repack);
	pack(t);
	assert_requests(t, "<running> <ask>");
	/* So that the next one begins alike. */
	tell(t, 1, 0, &nothing);
	pack(t);
	assert_requests(t, "functions stacks samples windows");
}

TEST(an_answer_that_did_not_come_is_asked_for)
{
	struct net_answer a = {.err = -ETIMEDOUT, .why = "timeout"};
	struct upload_judgement j;
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	assert_unsure(&t, answer(&t, 2, &a), UPLOAD_AGAIN);
	a.err = -EIO;
	assert_unsure(&t, answer(&t, 2, &a), UPLOAD_AGAIN);
	assert_unsure(&t, answer_text(&t, 2, 500, "Code: 159. DB::Exception: Timeout exceeded"),
		      UPLOAD_AGAIN);
	assert_unsure(&t, answer_text(&t, 2, 200, "Code: 209, DB::Exception: Timeout: (reading)"),
		      UPLOAD_AGAIN);
	assert_unsure(&t, answer_text(&t, 2, 200, "OK, said the proxy"), UPLOAD_AGAIN_FEW);
	assert_unsure(&t, answer_text(&t, 2, 504, ""), UPLOAD_AGAIN);
	assert_unsure(&t, answer_text(&t, 2, 500, ""), UPLOAD_AGAIN_FEW);
	/* What was not done needs no question. */
	a.err = -ECONNREFUSED;
	j = answer(&t, 2, &a);
	assert_int_equal(j.verdict, UPLOAD_AGAIN);
	assert_false(j.repack);
	j = answer_text(&t, 2, 500, "Code: 252. DB::Exception: Too many parts");
	assert_int_equal(j.verdict, UPLOAD_AGAIN);
	assert_false(j.repack);
	end(&t);
}

TEST(an_insert_that_still_runs_is_waited_for)
{
	struct net_answer a = {.err = -ETIMEDOUT, .why = "timeout"};
	struct upload_judgement j;
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	answer(&t, 2, &a);
	pack(&t);
	j = tell_running(&t, 0, 1);
	assert_int_equal(j.verdict, UPLOAD_AGAIN);
	assert_false(j.repack); /* the same question, later */
	end(&t);
}

TEST(samples_of_two_hosts_of_one_name)
{
	struct clickhouse_sums odd = {.rows = 3, .value = 5, .hash_sum = 6};
	struct upload_judgement j;
	struct test t;

	begin(&t, 3600 * (int64_t)NS_PER_S);
	greet(&t, "26.9.2.1");
	for (int i = 0; i < 4; i++) {
		j = tell(&t, 0, 0, &odd);
		assert_int_equal(j.verdict, UPLOAD_AGAIN);
		assert_non_null(strstr(j.why.text, "two hosts of one name"));
		pack(&t);
		assert_requests(&t, "<ask>");
	}
	/* Rather twice than not at all. */
	j = tell(&t, 0, 0, &odd);
	assert_int_equal(j.verdict, UPLOAD_DELIVERED);
	pack(&t);
	assert_requests(&t, "functions stacks samples windows");
	end(&t);
}

static struct clickhouse_sums sum_of(const struct clickhouse_sums *a,
				     const struct clickhouse_sums *b)
{
	return (struct clickhouse_sums){a->rows + b->rows, a->hash_sum + b->hash_sum,
					a->value + b->value};
}

static bool asks_for_services(const struct test *t)
{
	return strstr(buf_cstr(&t->requests.v.data[0].body), " AND service IN (");
}

/* Two of a second that have equal sums, but other services: of these alone it could not be told which are there. */
TEST(windows_of_one_host_and_second)
{
	struct clickhouse_sums own, both;
	struct test t;

	begin(&t, 3600 * (int64_t)NS_PER_S);
	greet(&t, "26.9.2.1");
	own = sums_of(&t);
	both = sum_of(&own, &own);
	assert_true(asks_for_services(&t));
	assert_int_equal(tell_beside(&t, 0, 0, &own, &own).verdict, UPLOAD_DELIVERED);
	pack(&t);
	assert_requests(&t, "<ask>");
	assert_false(asks_for_services(&t));
	tell_beside(&t, 0, 0, &own, &both);
	pack(&t);
	assert_requests(&t, "functions stacks windows");
	/* The next one begins anew. */
	t.item.id[0] = 50;
	pack(&t);
	assert_true(asks_for_services(&t));
	tell_beside(&t, 0, 0, &own, &nothing);
	pack(&t);
	tell_beside(&t, 0, 0, &own, &own);
	pack(&t);
	assert_requests(&t, "functions stacks samples windows");
	end(&t);
}

TEST(the_question_names_host_time_and_services)
{
	struct test t;
	struct buf *body;

	begin(&t, 3600 * (int64_t)NS_PER_S);
	t.item.host = "it's";
	greet(&t, "26.9.2.1");
	body = &t.requests.v.data[0].body;
	assert_non_null(strstr(buf_cstr(body), "host = 'it\\'s' AND time = toDateTime("));
	assert_non_null(strstr(buf_cstr(body), " AND service IN ('one', 'it\\'s')"));
	assert_non_null(strstr(t.requests.v.data[0].url, "readonly=1"));
	end(&t);
}

/* --- schemas and errors ----------------------------------------------------------------------------- */

TEST(schemas_that_cannot_be_written)
{
	struct upload_judgement j;
	struct test t;

	begin(&t, 0);
	j = say_hello(&t, "18.16.1", CH_SCHEMA + 1, "", 1);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	assert_non_null(strstr(j.why.text, "upgrade kiln"));
	j = say_hello(&t, "18.16.1", CH_SCHEMA, "; DROP", 1);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	assert_non_null(strstr(j.why.text, "not kiln's"));
	j = answer_text(&t, 0, 200, "<html>a page</html>");
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	j = answer_text(&t, 0, 404,
			"Code: 81, e.displayText() = DB::Exception: Database kiln "
			"doesn't exist, e.what() = DB::Exception");
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	assert_non_null(strstr(j.why.text, "kiln fleet init"));
	j = say_hello(&t, "26.9.1", CH_SCHEMA, CH_LOCAL, 1);
	assert_int_equal(j.verdict, UPLOAD_DELIVERED);
	pack(&t);
	assert_requests(&t, "functions_local stacks_local samples_local windows_local");
	end(&t);
}

static enum upload_verdict verdict_of(struct test *t, long status, const char *text)
{
	return answer_text(t, 3, status, text).verdict;
}

TEST(codes_decide_and_not_the_status)
{
	struct net_answer a = {.status = 200, .retry_after_s = -1, .clickhouse_code = 241};
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	assert_int_equal(verdict_of(&t, 500, "Code: 243, DB::Exception: Not enough space"),
			 UPLOAD_AGAIN);
	assert_int_equal(verdict_of(&t, 500, "Code: 192, DB::Exception: Unknown user"),
			 UPLOAD_WRONG);
	assert_int_equal(verdict_of(&t, 403, "Code: 497. DB::Exception: Not enough privileges"),
			 UPLOAD_WRONG);
	assert_int_equal(verdict_of(&t, 400, "Code: 33. DB::Exception: Cannot read all data"),
			 UPLOAD_AGAIN_FEW);
	assert_int_equal(verdict_of(&t, 500, "Code: 77777. DB::Exception: Of tomorrow"),
			 UPLOAD_AGAIN_FEW);
	assert_int_equal(answer(&t, 3, &a).verdict, UPLOAD_AGAIN);
	assert_int_equal(verdict_of(&t, 503, ""), UPLOAD_AGAIN);
	end(&t);
}

TEST(profiles_that_cannot_be_sent)
{
	struct why why = {""};
	struct test t;

	begin(&t, 0);
	t.p->time_ns = 0;
	assert_int_equal(t.t->kind->pack(t.t, &t.item, &t.requests, &why), -EINVAL);
	assert_non_null(strstr(why.text, "when it was recorded"));
	t.p->time_ns = INT64_MAX;
	assert_int_equal(t.t->kind->pack(t.t, &t.item, &t.requests, &why), -EINVAL);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_have_been_sent_before_is_asked_for),
		cmocka_unit_test(a_server_with_tokens_is_not_asked_what_it_does),
		cmocka_unit_test(an_answer_that_did_not_come_is_asked_for),
		cmocka_unit_test(an_insert_that_still_runs_is_waited_for),
		cmocka_unit_test(samples_of_two_hosts_of_one_name),
		cmocka_unit_test(windows_of_one_host_and_second),
		cmocka_unit_test(the_question_names_host_time_and_services),
		cmocka_unit_test(schemas_that_cannot_be_written),
		cmocka_unit_test(codes_decide_and_not_the_status),
		cmocka_unit_test(profiles_that_cannot_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
