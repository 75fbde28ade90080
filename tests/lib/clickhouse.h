/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A window to ClickHouse, packed again and again against answers that a test makes up. */
#ifndef KILN_TESTS_CLICKHOUSE_H
#define KILN_TESTS_CLICKHOUSE_H

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/upload/clickhouse_state.h"
#include "profiler/upload/target.h"
#include "tests/lib/fixture.h"
#include "tests/lib/profiles.h"

#define URL "clickhouse+http://h:8123/kiln"

static FIXTURE_UNUSED struct upload_target *open_url(const char *url)
{
	const struct upload_target_opts o = {.url = url};
	struct upload_target *t = NULL;
	struct why why = {""};

	if (upload_target_new(&t, &o, &why))
		fail_msg("%s: %s", url, why.text);
	return t;
}

/* --- a window -------------------------------------------------------------------------------------- */

/* Three stacks of main > work, one of them in two services. */
static FIXTURE_UNUSED struct profile *window(int64_t time_ns)
{
	struct profile *p = profile_new();
	struct profile_label l = {0};
	uint32_t mapping, stack, labelset, frames[2];

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10000000));
	mapping = mapping_id(p, "/bin/prog", "ab", true);
	l.key = str_id(p, LABEL_COMM);
	l.num_unit = str_id(p, "");
	for (int i = 0; i < 4; i++) {
		char name[] = {'f', (char)('0' + i % 3), '\0'};

		frames[0] = location_id(p, mapping, 0x2000 + (uint64_t)i, name);
		frames[1] = location_id(p, mapping, 0x1000, "main");
		MUST(profile_stack(p, frames, 2, &stack));
		l.str = str_id(p, i < 3 ? "one" : "it's");
		MUST(profile_labelset(p, &l, 1, &labelset));
		MUST(profile_add(p, stack, labelset, (int64_t[]){i + 1, (i + 1) * 10000000}));
	}
	p->time_ns = time_ns;
	p->duration_ns = 10000000000;
	return p;
}

struct test {
	struct upload_target *t;
	struct profile *p;
	struct upload_item item;
	struct upload_requests requests;
};

/* A window that began now is not asked for, since nobody can have sent it before. */
static FIXTURE_UNUSED void begin(struct test *t, int64_t age_ns)
{
	log_set_level(LOG_QUIET);
	*t = (struct test){.t = open_url(URL)};
	t->p = window(unix_ns() - age_ns);
	t->item = (struct upload_item){.profile = t->p, .host = "host", .id = {1, 2}};
}

static FIXTURE_UNUSED void pack(struct test *t)
{
	struct why why = {""};

	upload_requests_release(&t->requests);
	if (t->t->kind->pack(t->t, &t->item, &t->requests, &why))
		fail_msg("%s", why.text);
}

static FIXTURE_UNUSED void end(struct test *t)
{
	upload_requests_release(&t->requests);
	profile_free(t->p);
	upload_target_free(t->t);
}

/* Of which table each request is: "functions stacks samples windows", or a question in angle brackets. */
static FIXTURE_UNUSED void assert_requests(const struct test *t, const char *wanted)
{
	struct buf b = {0};

	for (size_t i = 0; i < t->requests.v.len; i++) {
		const struct upload_request *r = &t->requests.v.data[i];
		const char *into = strstr(r->url, "INSERT%20INTO%20");

		buf_str(&b, i ? " " : "");
		if (into)
			buf_add(&b, into + 16, strcspn(into + 16, "%"));
		else if (memmem(r->body.data, r->body.len, "kiln_schema", 11))
			buf_str(&b, "<hello>");
		else if (memmem(r->body.data, r->body.len, "system.processes", 16))
			buf_str(&b, "<running>");
		else
			buf_str(&b, "<ask>");
	}
	assert_string_equal(buf_cstr(&b), wanted);
	buf_release(&b);
}

static FIXTURE_UNUSED struct upload_judgement answer(struct test *t, size_t i,
						     const struct net_answer *a)
{
	struct upload_judgement j = {.retry_after_s = -1};

	assert_true(i < t->requests.v.len);
	upload_target_settle(t->t, &t->requests.v.data[i], a, &j);
	return j;
}

static FIXTURE_UNUSED struct upload_judgement answer_text(struct test *t, size_t i, long status,
							  const char *text)
{
	struct net_answer a = {.status = status, .retry_after_s = -1};
	struct upload_judgement j;

	buf_str(&a.body, text);
	j = answer(t, i, &a);
	buf_release(&a.body);
	return j;
}

static FIXTURE_UNUSED void put_text(struct buf *b, const char *name, const char *text)
{
	ch_put_column(b, name, CH_STRING, false);
	ch_put_string(b, text, strlen(text));
}

static FIXTURE_UNUSED struct upload_judgement
say_hello(struct test *t, const char *version, uint32_t schema, const char *suffix, uint32_t made)
{
	struct net_answer a = {.status = 200, .retry_after_s = -1};
	struct upload_judgement j;

	pack(t);
	assert_requests(t, "<hello>");
	ch_put_block(&a.body, 5, 1);
	put_text(&a.body, "server", version);
	ch_put_column(&a.body, "schema", CH_UINT32, false);
	ch_put_u32(&a.body, schema);
	put_text(&a.body, "suffix", suffix);
	put_text(&a.body, "cluster", "");
	ch_put_column(&a.body, "made", CH_UINT32, false);
	ch_put_u32(&a.body, made);
	j = answer(t, 0, &a);
	buf_release(&a.body);
	return j;
}

static FIXTURE_UNUSED void greet(struct test *t, const char *version)
{
	struct upload_judgement j = say_hello(t, version, CH_SCHEMA, "", 7);

	assert_int_equal(j.verdict, UPLOAD_DELIVERED);
	assert_true(j.repack);
	pack(t);
}

static FIXTURE_UNUSED struct upload_judgement tell_beside(struct test *t, size_t i, uint64_t window,
							  const struct clickhouse_sums *others,
							  const struct clickhouse_sums *samples)
{
	const struct clickhouse_sums rows[] = {{.rows = window}, *others, *samples};
	static const char *const names[] = {"window", "others", "samples"};
	struct net_answer a = {.status = 200, .retry_after_s = -1};
	struct upload_judgement j;

	for (size_t r = 0; r < 3; r++) {
		ch_put_block(&a.body, 4, 1);
		put_text(&a.body, "what", names[r]);
		ch_put_column(&a.body, "n", CH_UINT64, false);
		ch_put_u64(&a.body, rows[r].rows);
		ch_put_column(&a.body, "value", CH_INT64, false);
		ch_put_u64(&a.body, (uint64_t)rows[r].value);
		ch_put_column(&a.body, "hash_sum", CH_UINT64, false);
		ch_put_u64(&a.body, rows[r].hash_sum);
	}
	j = answer(t, i, &a);
	buf_release(&a.body);
	return j;
}

static FIXTURE_UNUSED struct upload_judgement tell(struct test *t, size_t i, uint64_t window,
						   const struct clickhouse_sums *samples)
{
	return tell_beside(t, i, window, &(const struct clickhouse_sums){0}, samples);
}

static FIXTURE_UNUSED struct upload_judgement tell_running(struct test *t, size_t i, uint64_t n)
{
	struct net_answer a = {.status = 200, .retry_after_s = -1};
	struct upload_judgement j;

	ch_put_block(&a.body, 1, 1);
	ch_put_column(&a.body, "n", CH_UINT64, false);
	ch_put_u64(&a.body, n);
	j = answer(t, i, &a);
	buf_release(&a.body);
	return j;
}

static const FIXTURE_UNUSED struct clickhouse_sums nothing;

static FIXTURE_UNUSED void deliver(struct test *t, size_t i)
{
	struct upload_judgement j = answer_text(t, i, 200, "");

	assert_int_equal(j.verdict, UPLOAD_DELIVERED);
	assert_false(j.repack);
}

static FIXTURE_UNUSED void deliver_all(struct test *t)
{
	for (size_t i = 0; i < t->requests.v.len; i++)
		deliver(t, i);
}

#endif
