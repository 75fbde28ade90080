// SPDX-License-Identifier: GPL-2.0-or-later
/* What a window becomes in ClickHouse: URLs, rows, what was acknowledged, shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/formats/compress.h"
#include "profiler/upload/clickhouse.h"
#include "profiler/upload/clickhouse_rows.h"
#include "tests/lib/clickhouse.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- URLs ----------------------------------------------------------------------------------------- */

static void assert_refused(const char *url, const char *part)
{
	const struct upload_target_opts o = {.url = url};
	struct upload_target *t = NULL;
	struct why why = {""};

	assert_int_equal(upload_target_new(&t, &o, &why), -EINVAL);
	if (!strstr(why.text, part))
		fail_msg("%s: \"%s\" is not in: %s", url, part, why.text);
}

TEST(urls)
{
	struct upload_target *t = open_url("clickhouse+http://me@h,[::1]:9,x.y:1/kiln");
	struct ch_server s;

	assert_true(upload_is_clickhouse(t));
	assert_int_equal(upload_clickhouse_shards(t), 3);
	upload_clickhouse_server(t, 0, &s);
	assert_string_equal(s.base, "http://h:8123");
	assert_string_equal(s.database, "kiln");
	assert_string_equal(s.auth.user, "me");
	assert_null(s.auth.password);
	upload_clickhouse_server(t, 1, &s);
	assert_string_equal(s.base, "http://[::1]:9");
	upload_clickhouse_server(t, 2, &s);
	assert_string_equal(s.base, "http://x.y:1");
	assert_string_equal(t->shown, "clickhouse+http://me@h:8123,[::1]:9,x.y:1/kiln");
	upload_target_free(t);
	assert_refused("clickhouse+http://h", "ends with its database");
	assert_refused("clickhouse+http://h/", "ends with its database");
	assert_refused("clickhouse+http://h/a/b", "name of a database");
	assert_refused("clickhouse+http://h/a%27b", "name of a database");
	assert_refused(
		"clickhouse+http://h/k-0123456789012345678901234567890123456789012345678901234"
		"567890123",
		"name of a database");
	assert_refused("clickhouse+http://h/k?user=x", "has no query");
	assert_refused("clickhouse+http://me:secret@h/k", "username and password_file");
	assert_refused("clickhouse+http://@h/k", "username and password_file");
	assert_refused("clickhouse+http://h,/k", "without a host");
	assert_refused("clickhouse+http://h,,i/k", "no name and no address");
	assert_refused("clickhouse+http://h,i:x/k", "without a port");
	assert_refused("pyroscope+http://me@h/", "username and password_file");
	assert_refused("pyroscope+http://h,i/", "no name and no address");
}

/* --- what is sent ----------------------------------------------------------------------------------- */

TEST(inserts_are_in_order_and_the_window_is_last)
{
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	assert_requests(&t, "functions stacks samples windows");
	for (size_t i = 0; i < 4; i++) {
		const struct upload_request *r = &t.requests.v.data[i];

		assert_string_equal(r->method, "POST");
		assert_non_null(strstr(r->url, "http://h:8123/?database=kiln&query=INSERT"));
		assert_memory_equal(r->body.data, "\x1f\x8b", 2);
		assert_string_equal(r->headers.data[1], "Content-Encoding: gzip");
	}
	assert_int_equal(t.requests.v.data[2].samples, 1 + 2 + 3 + 4);
	/* libcurl must not send it a second time by itself. */
	assert_true(t.requests.v.data[2].is_once);
	/* An old server refuses what it does not know. */
	assert_null(strstr(t.requests.v.data[2].url, "deduplication"));
	assert_non_null(strstr(t.requests.v.data[2].url, "&query_id=kiln-"));
	end(&t);
	begin(&t, 0);
	greet(&t, "26.9.2.1");
	assert_non_null(strstr(t.requests.v.data[2].url, "&insert_deduplication_token=kiln-"));
	assert_null(strstr(t.requests.v.data[2].url, "query_id"));
	for (size_t i = 0; i < 4; i++)
		assert_non_null(strstr(t.requests.v.data[i].url, "&wait_for_async_insert=1"));
	end(&t);
}

static void unpack(const struct upload_request *r, struct ch_answer *out)
{
	struct buf body = {0};
	const char *bad;
	struct why why = {""};

	assert_int_equal(decompress(&body, r->body.data, r->body.len, 32 << 20, &bad), 0);
	*out = (struct ch_answer){0};
	if (ch_answer_parse(out, &body, &why))
		fail_msg("%s", why.text);
}

static const struct ch_column *column(const struct ch_answer *a, const char *name,
				      enum ch_type type, bool is_array)
{
	const struct ch_column *c = ch_column(&a->blocks.data[0], name, type, is_array);

	assert_non_null(c);
	return c;
}

TEST(rows_are_those_of_the_profile)
{
	struct ch_answer functions, stacks, samples, windows;
	int64_t sum = 0;
	uint64_t hash_sum = 0;
	const char *text;
	struct test t;
	size_t n;

	begin(&t, 0);
	greet(&t, "18.16.1");
	unpack(&t.requests.v.data[0], &functions);
	unpack(&t.requests.v.data[1], &stacks);
	unpack(&t.requests.v.data[2], &samples);
	unpack(&t.requests.v.data[3], &windows);
	assert_int_equal(functions.n_rows, 4); /* main, f0, f1, f2 */
	assert_int_equal(stacks.n_rows, 4);    /* f0 is in two services */
	assert_int_equal(samples.n_rows, 4);
	assert_int_equal(windows.n_rows, 1);
	for (size_t i = 0; i < 4; i++) {
		sum += ch_int(column(&samples, "value", CH_INT64, false), i);
		hash_sum += ch_uint(column(&samples, "hash", CH_UINT64, false), i);
		text = ch_text(column(&samples, "type", CH_STRING, false), i, &n);
		assert_int_equal(n, strlen(CH_TYPE_CPU));
		assert_memory_equal(text, CH_TYPE_CPU, n);
		ch_array(column(&stacks, "funcs", CH_UINT64, true), i, &n);
		assert_int_equal(n, 2);
	}
	assert_int_equal(sum, 100000000);
	assert_int_equal(ch_int(column(&windows, "value", CH_INT64, false), 0), sum);
	assert_int_equal(ch_uint(column(&windows, "hash_sum", CH_UINT64, false), 0), hash_sum);
	assert_int_equal(ch_uint(column(&windows, "rows", CH_UINT64, false), 0), 4);
	assert_int_equal(ch_uint(column(&windows, "period_ns", CH_UINT64, false), 0), 10000000);
	assert_int_equal(ch_int(column(&windows, "begin_ns", CH_INT64, false), 0), t.p->time_ns);
	ch_answer_release(&functions);
	ch_answer_release(&stacks);
	ch_answer_release(&samples);
	ch_answer_release(&windows);
	end(&t);
}

#define DEEP   1000
#define STACKS 1600

/* Many deep stacks, which differ in their leaf. */
static void add_deep_stacks(struct profile *p)
{
	uint32_t mapping = mapping_id(p, "/bin/deep", "cd", true), frames[DEEP], stack;
	char name[16];

	for (uint32_t i = 1; i < DEEP; i++)
		frames[i] = location_id(p, mapping, 0x1000 + i, "deep");
	for (uint32_t i = 0; i < STACKS; i++) {
		snprintf(name, sizeof(name), "leaf%u", i);
		frames[0] = location_id(p, mapping, 0x9000 + i, name);
		MUST(profile_stack(p, frames, DEEP, &stack));
		MUST(profile_add(p, stack, p->samples.data[0].labelset, (int64_t[]){1, 10000000}));
	}
}

/* Rows that are too many for one request are in several: each once. */
TEST(many_stacks_are_several_requests)
{
	struct ch_answer stacks;
	uint64_t hash_sum = 0;
	size_t n = 0;
	struct test t;

	begin(&t, 0);
	add_deep_stacks(t.p);
	greet(&t, "18.16.1");
	assert_requests(&t, "functions stacks stacks samples windows");
	for (size_t i = 1; i <= 2; i++) {
		assert_int_equal(t.requests.v.data[i].first, n);
		unpack(&t.requests.v.data[i], &stacks);
		assert_int_equal(t.requests.v.data[i].n, stacks.n_rows);
		for (size_t row = 0; row < stacks.n_rows; row++)
			hash_sum += ch_uint(column(&stacks, "hash", CH_UINT64, false), row);
		n += stacks.n_rows;
		ch_answer_release(&stacks);
	}
	assert_int_equal(n, 4 + STACKS);
	/* Each is in one sample. */
	unpack(&t.requests.v.data[3], &stacks);
	assert_int_equal(stacks.n_rows, n);
	for (size_t row = 0; row < n; row++)
		hash_sum -= ch_uint(column(&stacks, "hash", CH_UINT64, false), row);
	assert_int_equal(hash_sum, 0);
	ch_answer_release(&stacks);
	end(&t);
}

/* --- equal windows ---------------------------------------------------------------------------------- */

/* The rows of samples as they are sent, and what the window's row says of them. */
struct sent {
	struct ch_answer samples, windows;
};

static void send_to(struct sent *out, const char *version, const char *suffix, uint64_t id)
{
	struct test t;

	begin(&t, 0);
	t.p->time_ns = unix_ns() / (int64_t)NS_PER_S * (int64_t)NS_PER_S + (int64_t)NS_PER_S;
	t.item.id[0] = id;
	assert_true(say_hello(&t, version, CH_SCHEMA, suffix, 7).repack);
	pack(&t);
	/* It begins in the future, so that it is asked for. */
	assert_requests(&t, ch_has(ch_version_parse(version, strlen(version)), CH_HAS_DEDUP_TOKEN)
				    ? "<ask>"
				    : "<running> <ask>");
	if (t.requests.v.len > 1)
		tell_running(&t, 0, 0);
	tell(&t, t.requests.v.len - 1, 0, &nothing);
	pack(&t);
	unpack(&t.requests.v.data[2], &out->samples);
	unpack(&t.requests.v.data[3], &out->windows);
	end(&t);
}

static void sent_release(struct sent *s)
{
	ch_answer_release(&s->samples);
	ch_answer_release(&s->windows);
}

static void assert_sums(const struct sent *s, size_t n_rows)
{
	uint64_t hash_sum = 0;
	int64_t sum = 0;

	assert_int_equal(s->samples.n_rows, n_rows);
	for (size_t i = 0; i < n_rows; i++) {
		int64_t value = ch_int(column(&s->samples, "value", CH_INT64, false), i);

		assert_true(value > 0);
		sum += value;
		hash_sum += ch_uint(column(&s->samples, "hash", CH_UINT64, false), i);
	}
	assert_int_equal(sum, 100000000);
	assert_int_equal(ch_int(column(&s->windows, "value", CH_INT64, false), 0), sum);
	assert_int_equal(ch_uint(column(&s->windows, "rows", CH_UINT64, false), 0), n_rows);
	assert_int_equal(ch_uint(column(&s->windows, "hash_sum", CH_UINT64, false), 0), hash_sum);
}

static bool has_same_values(const struct sent *a, const struct sent *b)
{
	for (size_t i = 0; i < a->samples.n_rows; i++)
		if (ch_int(column(&a->samples, "value", CH_INT64, false), i) !=
		    ch_int(column(&b->samples, "value", CH_INT64, false), i))
			return false;
	return a->samples.n_rows == b->samples.n_rows;
}

/* A replicated table without tokens would take them for one. */
TEST(equal_windows_have_different_rows_where_equal_rows_count_once)
{
	struct sent one, again, other;

	send_to(&one, "18.16.1", CH_LOCAL, 1);
	send_to(&again, "18.16.1", CH_LOCAL, 1);
	send_to(&other, "18.16.1", CH_LOCAL, 3);
	assert_sums(&one, 5);
	assert_sums(&other, 5);
	assert_true(has_same_values(&one, &again));
	assert_false(has_same_values(&one, &other));
	sent_release(&one);
	sent_release(&again);
	sent_release(&other);
	send_to(&one, "18.16.1", "", 1);
	assert_sums(&one, 4);
	sent_release(&one);
	send_to(&one, "26.9.2.1", CH_LOCAL, 1);
	assert_sums(&one, 4);
	sent_release(&one);
}

/* Any sum, also of values that are too small for two parts; and never a row of nothing. */
TEST(any_value_can_be_marked)
{
	static const int64_t values[] = {1, 2, 65536, 65537, -1, INT64_MIN, INT64_MAX, 10000000};
	static const uint64_t ids[] = {0, 1, 65535, 65536, 9999999, UINT64_MAX};

	for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++)
		for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
			struct clickhouse_sample one = {.hash = 5, .value = values[v]};
			struct clickhouse_rows r = {.hash_sum = 5};
			const struct clickhouse_sample *s;

			assert_int_equal(vec_push(&r.samples, one), 0);
			assert_int_equal(clickhouse_rows_mark(&r, ids[i]), 0);
			assert_int_equal(r.samples.len, 2);
			assert_int_equal(r.hash_sum, 10);
			s = r.samples.data;
			assert_true(s[0].value && s[1].value && s[1].hash == 5);
			assert_true((uint64_t)s[0].value + (uint64_t)s[1].value ==
				    (uint64_t)values[v]);
			clickhouse_rows_release(&r);
		}
}

/* --- what was acknowledged -------------------------------------------------------------------------- */

TEST(what_was_acknowledged_is_not_sent_again)
{
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	/* Functions are there; of stacks nobody knows. */
	deliver(&t, 0);
	t.item.id[0] = 99;
	pack(&t);
	assert_requests(&t, "stacks samples windows");
	deliver_all(&t);
	t.item.id[0] = 100;
	pack(&t);
	assert_requests(&t, "samples windows");
	/* A week later all are sent again. */
	t.p->time_ns += 7 * 86400 * (int64_t)NS_PER_S;
	pack(&t);
	assert_requests(&t, "<running> <ask>"); /* of the future, so it may be there */
	tell_running(&t, 0, 0);
	tell(&t, 1, 0, &nothing);
	pack(&t);
	assert_requests(&t, "functions stacks samples windows");
	end(&t);
}

/* Stacks are stored by service: one that was sent of one service is new in another. */
TEST(stacks_are_known_by_their_service)
{
	struct profile_label l = {0};
	uint32_t labelset;
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	deliver_all(&t);
	l.key = str_id(t.p, LABEL_COMM);
	l.num_unit = str_id(t.p, "");
	l.str = str_id(t.p, "it's");
	MUST(profile_labelset(t.p, &l, 1, &labelset));
	MUST(profile_add(t.p, t.p->samples.data[1].stack, labelset, (int64_t[]){1, 10000000}));
	t.item.id[0] = 99;
	pack(&t);
	assert_requests(&t, "stacks samples windows");
	assert_int_equal(t.requests.v.data[0].n, 1);
	end(&t);
}

/* What a server said of itself is asked for again: it may be another one by now. */
TEST(a_server_is_asked_every_hour_who_it_is)
{
	struct clickhouse_state *s;
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	s = t.t->state;
	s->shards.data[0].known_ns -= 3500 * NS_PER_S;
	pack(&t);
	assert_requests(&t, "functions stacks samples windows");
	s->shards.data[0].known_ns -= 100 * NS_PER_S;
	pack(&t);
	assert_requests(&t, "<hello>");
	end(&t);
}

/* What it says of itself is quoted where it is wrong. */
TEST(a_server_that_greets_with_the_password)
{
	struct net_answer a = {.status = 200, .retry_after_s = -1};
	const char *password = "abc-sec-ret-0123456789";
	struct upload_judgement j;
	struct test t;

	begin(&t, 0);
	t.t->password = strdup(password);
	pack(&t);
	assert_requests(&t, "<hello>");
	ch_put_block(&a.body, 1, 1);
	ch_put_string(&a.body, "server", 6);
	ch_put_string(&a.body, password, strlen(password)); /* of a type that is none */
	j = answer(&t, 0, &a);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	assert_non_null(strstr(j.why.text, "of the type <redacted>,"));
	buf_release(&a.body);
	end(&t);
}

TEST(other_tables_know_nothing)
{
	struct upload_judgement j;
	struct clickhouse_state *s;
	struct test t;

	begin(&t, 0);
	greet(&t, "18.16.1");
	deliver_all(&t);
	t.item.id[0] = 99;
	pack(&t);
	assert_requests(&t, "samples windows");
	j = answer_text(&t, 0, 404,
			"Code: 60, e.displayText() = DB::Exception: Table kiln.samples "
			"doesn't exist., e.what() = DB::Exception");
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	assert_true(j.repack);
	assert_non_null(strstr(j.why.text, "kiln fleet init"));
	/* They are made anew. */
	greet(&t, "18.16.1");
	assert_requests(&t, "functions stacks samples windows");
	deliver_all(&t);
	/* And once more, without a request that would have noticed. */
	s = t.t->state;
	s->shards.data[0].is_known = false;
	t.item.id[0] = 100;
	assert_int_equal(say_hello(&t, "18.16.1", CH_SCHEMA, "", 8).verdict, UPLOAD_DELIVERED);
	pack(&t);
	assert_requests(&t, "functions stacks samples windows");
	end(&t);
}

/* A host always has the same shard, and hosts are spread. */
TEST(shards)
{
	struct upload_target *t = open_url("clickhouse+http://a,b,c/kiln");
	struct profile *p = window(unix_ns());
	struct upload_requests r = {0};
	size_t seen[3] = {0};
	struct why why;

	for (int i = 0; i < 300; i++) {
		char host[16], first[64];
		struct upload_item item = {.profile = p, .host = host, .id = {1, 2}};

		snprintf(host, sizeof(host), "node-%d", i);
		assert_int_equal(t->kind->pack(t, &item, &r, &why), 0);
		snprintf(first, sizeof(first), "%.14s", r.v.data[0].url);
		seen[r.v.data[0].url[7] - 'a']++;
		upload_requests_release(&r);
		assert_int_equal(t->kind->pack(t, &item, &r, &why), 0);
		assert_int_equal(strncmp(r.v.data[0].url, first, 14), 0);
		upload_requests_release(&r);
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(seen[i], 70, 130);
	profile_free(p);
	upload_target_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(inserts_are_in_order_and_the_window_is_last),
		cmocka_unit_test(rows_are_those_of_the_profile),
		cmocka_unit_test(many_stacks_are_several_requests),
		cmocka_unit_test(equal_windows_have_different_rows_where_equal_rows_count_once),
		cmocka_unit_test(any_value_can_be_marked),
		cmocka_unit_test(what_was_acknowledged_is_not_sent_again),
		cmocka_unit_test(stacks_are_known_by_their_service),
		cmocka_unit_test(a_server_is_asked_every_hour_who_it_is),
		cmocka_unit_test(a_server_that_greets_with_the_password),
		cmocka_unit_test(other_tables_know_nothing),
		cmocka_unit_test(shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
