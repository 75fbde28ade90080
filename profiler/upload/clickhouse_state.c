// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/clickhouse_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/clickhouse/ch_native.h"
#include "profiler/clickhouse/ch_schema.h"

#define WEEK_S	 (7 * 86400)
#define MONDAY_S (4 * 86400) /* 1970-01-05 was one */

struct clickhouse_state *clickhouse_state_new(size_t n_shards)
{
	struct clickhouse_state *s = calloc(1, sizeof(*s));

	if (!s || vec_reserve(&s->shards, n_shards)) {
		free(s);
		return NULL;
	}
	memset(s->shards.data, 0, n_shards * sizeof(*s->shards.data));
	s->shards.len = n_shards;
	s->begun_ns = unix_ns();
	return s;
}

void clickhouse_state_free(struct clickhouse_state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->shards.len; i++)
		clickhouse_shard_forget(&s->shards.data[i]);
	vec_release(&s->shards);
	vec_release(&s->stacks);
	vec_release(&s->functions);
	hash_memo_release(&s->memo);
	free(s);
}

void clickhouse_shard_forget(struct clickhouse_shard *s)
{
	s->is_known = s->is_unsure = false;
	s->told = TOLD_NOTHING;
	sent_cache_clear(&s->stacks);
	sent_cache_clear(&s->functions);
}

void clickhouse_shard_week(struct clickhouse_shard *s, int64_t time_s)
{
	int64_t week = (time_s - MONDAY_S + WEEK_S) / WEEK_S;

	if (week == s->week)
		return;
	s->week = week;
	sent_cache_clear(&s->stacks);
	sent_cache_clear(&s->functions);
}

/* --- answers -------------------------------------------------------------------------------------- */

static int parse(struct ch_answer *out, const struct net_answer *a, struct why *why)
{
	struct buf body = {0};
	int err;

	buf_add(&body, a->body.data, a->body.len);
	err = body.err ? why_say(why, body.err, "out of memory") : ch_answer_parse(out, &body, why);
	buf_release(&body);
	return err;
}

static const struct ch_column *strings(const struct ch_block *b, const char *name)
{
	return ch_column(b, name, CH_STRING, false);
}

/* The first row of a column as a text of ours; false: it does not fit. */
static bool copy_text(const struct ch_column *c, char *out, size_t size)
{
	size_t len;
	const char *text = ch_text(c, 0, &len);

	if (len >= size || memchr(text, '\0', len))
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

static int take_hello(struct clickhouse_shard *s, const struct ch_block *b, struct why *why)
{
	const struct ch_column *server = strings(b, "server"), *own = strings(b, "suffix"),
			       *schema = ch_column(b, "schema", CH_UINT32, false),
			       *made = ch_column(b, "made", CH_UINT32, false);
	char suffix[sizeof(s->suffix)], version[64];

	if (!server || !own || !schema || !made || b->n_rows != 1 ||
	    !copy_text(server, version, sizeof(version)) ||
	    !copy_text(own, suffix, sizeof(suffix)) || (*suffix && strcmp(suffix, CH_LOCAL) != 0))
		return why_say(why, -EBADMSG, "its kiln_schema is not kiln's: check the database");
	if (ch_uint(schema, 0) != CH_SCHEMA)
		return why_say(why, -EINVAL,
			       "its schema is version %llu, and this kiln writes %d: %s",
			       (unsigned long long)ch_uint(schema, 0), CH_SCHEMA,
			       ch_uint(schema, 0) > CH_SCHEMA ? "upgrade kiln"
							      : "kiln fleet init upgrades it");
	if (ch_uint(made, 0) != s->made)
		clickhouse_shard_forget(s);
	s->made = (uint32_t)ch_uint(made, 0);
	s->version = ch_version_parse(version, strlen(version));
	memcpy(s->suffix, suffix, sizeof(suffix));
	s->is_known = true;
	s->known_ns = monotonic_ns();
	return 0;
}

int clickhouse_shard_hello(struct clickhouse_shard *s, const struct net_answer *a, struct why *why)
{
	struct ch_answer answer = {0};
	int err = parse(&answer, a, why);

	for (size_t i = 0; !err && i < answer.blocks.len; i++) {
		const struct ch_block *b = &answer.blocks.data[i];

		if (b->n_rows) {
			err = take_hello(s, b, why);
			ch_answer_release(&answer);
			return err;
		}
	}
	ch_answer_release(&answer);
	return err ?: why_say(why, -EBADMSG, "its kiln_schema is empty: check the database");
}

/* --- what is there -------------------------------------------------------------------------------- */

struct found {
	struct clickhouse_sums window, others, samples;
};

static int take_found(struct found *f, const struct ch_block *b, struct why *why)
{
	const struct ch_column *what = strings(b, "what"), *n = ch_column(b, "n", CH_UINT64, false),
			       *value = ch_column(b, "value", CH_INT64, false),
			       *hash_sum = ch_column(b, "hash_sum", CH_UINT64, false);

	if (!b->n_rows)
		return 0;
	if (!what || !n || !value || !hash_sum)
		return why_say(why, -EBADMSG, "an answer with other columns than asked for");
	for (size_t i = 0; i < b->n_rows; i++) {
		size_t len;
		const char *text = ch_text(what, i, &len);
		struct clickhouse_sums *s = len == 6 && !memcmp(text, "window", 6)   ? &f->window
					    : len == 6 && !memcmp(text, "others", 6) ? &f->others
										     : &f->samples;

		*s = (struct clickhouse_sums){ch_uint(n, i), ch_uint(hash_sum, i),
					      ch_int(value, i)};
	}
	return 0;
}

static bool same(const struct clickhouse_sums *a, const struct clickhouse_sums *b)
{
	return a->rows == b->rows && a->value == b->value && a->hash_sum == b->hash_sum;
}

int clickhouse_told(enum clickhouse_told *out, bool *has_others,
		    const struct clickhouse_sums *expected, const struct net_answer *a,
		    struct why *why)
{
	static const struct clickhouse_sums none = {0};
	struct ch_answer answer = {0};
	struct found f = {0};
	struct clickhouse_sums left;
	int err = parse(&answer, a, why);

	for (size_t i = 0; !err && i < answer.blocks.len; i++)
		err = take_found(&f, &answer.blocks.data[i], why);
	ch_answer_release(&answer);
	*has_others = f.others.rows;
	if (err)
		return err;
	left = (struct clickhouse_sums){
		f.samples.rows - f.others.rows, f.samples.hash_sum - f.others.hash_sum,
		(int64_t)((uint64_t)f.samples.value - (uint64_t)f.others.value)};
	if (f.window.rows)
		*out = TOLD_ALL;
	else if (same(&left, &none))
		*out = TOLD_ABSENT;
	else if (same(&left, expected))
		*out = TOLD_SAMPLES;
	else
		return why_say(why, -EAGAIN,
			       "samples of this host and second that are not this window's: are "
			       "there two hosts of one name?");
	return 0;
}
