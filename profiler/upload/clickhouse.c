// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ClickHouse over HTTP (profiler/upload/clickhouse.h has the URL, profiler/clickhouse/ch_schema.h the tables).
 *
 * An item is up to four inserts, one after the other: functions and stacks that the server has not acknowledged
 * yet, samples, and its row of `windows`, which says that it is complete. Bodies are of the format Native with gzip:
 * of a body that was cut a server stores nothing.
 *
 * All but samples may be inserted twice, since their tables replace. So that samples are there once, the server is
 * asked first whether it has them, wherever they may have been sent before: by a process before this one, by another
 * push of the same file, or by a request whose answer did not come. A server that knows tokens refuses a second
 * insert with the same one; of an older one the insert has a query_id, and is not sent again while that runs.
 */
#include "profiler/upload/clickhouse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/clickhouse/ch_codes.h"
#include "profiler/upload/clickhouse_priv.h"
#include "profiler/upload/target.h"

#define PORT	     8123
#define BATCH_NS     (60 * NS_PER_S)
#define MAX_DATABASE 64
#define MAX_ODD	     5 /* questions whose answers fit to nothing, before samples are sent */

/* --- URLs ----------------------------------------------------------------------------------------- */

static bool is_database(const char *name)
{
	size_t len = 0;

	while (isalnum((unsigned char)name[len]) || (name[len] && strchr("_-.", name[len])))
		len++;
	return !name[len] && len <= MAX_DATABASE;
}

static int check(const struct upload_target *t, struct why *why)
{
	const char *name = clickhouse_database(t);

	if (*t->query)
		return why_say(why, -EINVAL, "a URL of ClickHouse has no query");
	if (!*name)
		return why_say(why, -EINVAL,
			       "a URL of ClickHouse ends with its database, as in "
			       "clickhouse+http://HOST:8123/kiln");
	if (!is_database(name))
		return why_say(why, -EINVAL,
			       "the name of a database has at most %d letters, digits and _-.",
			       MAX_DATABASE);
	return 0;
}

bool upload_is_clickhouse(const struct upload_target *t)
{
	return t->kind == &upload_clickhouse;
}

size_t upload_clickhouse_shards(const struct upload_target *t)
{
	return t->shards.len;
}

void upload_clickhouse_server(const struct upload_target *t, size_t shard, struct ch_server *out)
{
	*out = (struct ch_server){
		.base = t->shards.data[shard],
		.database = clickhouse_database(t),
		.headers = (const char *const *)t->headers,
		.proxy = t->proxy,
		.auth = {.bearer = t->bearer, .user = t->username, .password = t->password},
		.tls = {.ca_file = t->ca_file, .cert_file = t->cert_file, .key_file = t->key_file},
		.hide_secrets = upload_target_hide_secrets,
		.target = t,
	};
}

static int open_state(struct upload_target *t)
{
	t->state = clickhouse_state_new(t->shards.len);
	return t->state ? 0 : -ENOMEM;
}

static void close_state(struct upload_target *t)
{
	clickhouse_state_free(t->state);
	t->state = NULL;
}

/* --- answers -------------------------------------------------------------------------------------- */

static bool is_question(const struct upload_request *r)
{
	return r->step <= STEP_ASK;
}

/* What HTTP says counts only without an exception; an insert has nothing to say. */
static void judge_code(const struct upload_request *r, const struct net_answer *a,
		       struct upload_judgement *out, int *code)
{
	bool is_good = a->status >= 200 && a->status < 300;
	const struct ch_meaning *m;
	struct buf said = {0};

	*code = ch_code_of(a, !is_good || !is_question(r));
	if (!*code) {
		if (out->verdict == UPLOAD_DELIVERED && !is_question(r) && a->body.len) {
			out->verdict = UPLOAD_AGAIN_FEW;
			why_say(&out->why, 0, "%ld with a text, as no ClickHouse answers an insert",
				a->status);
		}
		return;
	}
	m = ch_meaning(*code);
	out->verdict = !m		      ? UPLOAD_AGAIN_FEW
		       : m->what == CH_REFUSE ? UPLOAD_AGAIN_FEW
		       : m->what == CH_STOP   ? UPLOAD_WRONG
					      : UPLOAD_AGAIN;
	ch_add_said(&said, a);
	why_say(&out->why, 0, "ClickHouse, code %d%s%s%s%s%s", *code, m ? " " : "",
		m ? m->name : "", said.len ? ": " : "", buf_cstr(&said),
		m && m->advice ? ": " : "");
	if (m && m->advice)
		strncat(out->why.text, m->advice,
			sizeof(out->why.text) - strlen(out->why.text) - 1);
	buf_release(&said);
}

/* Whether an insert that failed may have been done all the same. */
static bool is_unsure(const struct net_answer *a, int code)
{
	const struct ch_meaning *m = ch_meaning(code);

	if (a->err)
		return a->err != -ECONNREFUSED && !a->is_bad_request;
	if (code)
		return !m || m->what == CH_UNSURE || (a->status >= 200 && a->status < 300);
	return a->status < 300 || a->status >= 500;
}

static void settle_hello(struct clickhouse_shard *s, const struct net_answer *a,
			 struct upload_judgement *out)
{
	struct why why;

	if (clickhouse_shard_hello(s, a, &why)) {
		out->verdict = UPLOAD_WRONG;
		out->why = why;
		return;
	}
	out->repack = true;
}

static void settle_running(const struct net_answer *a, struct upload_judgement *out)
{
	struct ch_answer answer = {0};
	struct buf body = {0};
	const struct ch_column *n;
	struct why why = {""};
	uint64_t running = 0;
	int err;

	buf_add(&body, a->body.data, a->body.len);
	err = body.err ?: ch_answer_parse(&answer, &body, &why);
	for (size_t i = 0; !err && i < answer.blocks.len; i++) {
		n = ch_column(&answer.blocks.data[i], "n", CH_UINT64, false);
		for (size_t row = 0; n && row < answer.blocks.data[i].n_rows; row++)
			running += ch_uint(n, row);
	}
	if (err || running) {
		out->verdict = UPLOAD_AGAIN;
		why_say(&out->why, 0, "%s", err ? why.text : "the server is still at that insert");
	}
	buf_release(&body);
	ch_answer_release(&answer);
}

static void settle_ask(struct clickhouse_shard *s, const struct net_answer *a,
		       struct upload_judgement *out)
{
	struct why why = {""};
	bool has_others;
	int err = clickhouse_told(&s->told, &has_others, &s->expected, a, &why);

	out->repack = true;
	/* Theirs are sums of all services: samples of some are no match. */
	if (has_others && !s->asked_all && err != -EBADMSG && s->told != TOLD_ALL) {
		s->asked_all = true;
		s->told = TOLD_NOTHING;
		return;
	}
	if (err == -EAGAIN && ++s->odd >= MAX_ODD) {
		log_warning("ClickHouse has %s The window is sent: its samples may be there twice",
			    why.text);
		s->told = TOLD_ABSENT;
		err = 0;
	}
	if (err) {
		s->told = TOLD_NOTHING;
		out->verdict = UPLOAD_AGAIN;
		out->why = why;
		return;
	}
	s->odd = 0;
}

static void remember(struct sent_cache *c, const uint64_t *keys, const struct upload_request *r)
{
	for (size_t i = 0; i < r->n; i++)
		sent_cache_add(c, keys[r->first + i]);
}

static void settle_good(struct clickhouse_state *state, const struct upload_request *r,
			const struct net_answer *a, struct upload_judgement *out)
{
	struct clickhouse_shard *s = state->shard;

	switch ((enum clickhouse_step)r->step) {
	case STEP_HELLO:
		settle_hello(s, a, out);
		break;
	case STEP_RUNNING:
		settle_running(a, out);
		break;
	case STEP_ASK:
		settle_ask(s, a, out);
		break;
	case STEP_FUNCTIONS:
		remember(&s->functions, state->functions.data, r);
		break;
	case STEP_STACKS:
		remember(&s->stacks, state->stacks.data, r);
		break;
	case STEP_SAMPLES:
		s->is_unsure = false;
		/* Should the item be packed again, its samples are there. */
		s->told = TOLD_SAMPLES;
		s->told_id = state->id;
		break;
	case STEP_WINDOW:
		s->told = TOLD_NOTHING;
		break;
	}
}

/* Tables that are not there, or not kiln's: what was learnt of them is not true any more. */
static bool are_tables_wrong(int code)
{
	return code == 16 || code == 47 || code == 60 || code == 81;
}

static void settle(const struct upload_target *t, const struct upload_request *r,
		   const struct net_answer *a, struct upload_judgement *out)
{
	struct clickhouse_state *state = t->state;
	struct clickhouse_shard *s = state->shard;
	int code = 0;

	if (!a->err)
		judge_code(r, a, out, &code);
	if (out->verdict == UPLOAD_DELIVERED) {
		settle_good(state, r, a, out);
		return;
	}
	if (r->step == STEP_SAMPLES && is_unsure(a, code)) {
		s->is_unsure = true;
		s->unsure_id = state->id;
		s->told = TOLD_NOTHING;
		out->repack = true;
	}
	if (r->step != STEP_HELLO && are_tables_wrong(code)) {
		clickhouse_shard_forget(s);
		out->repack = true;
	}
}

const struct upload_kind upload_clickhouse = {
	.name = "clickhouse",
	.default_port = PORT,
	.takes_shards = true,
	.batch_ns = BATCH_NS,
	.check = check,
	.pack = clickhouse_pack,
	.open = open_state,
	.close = close_state,
	.settle = settle,
};
