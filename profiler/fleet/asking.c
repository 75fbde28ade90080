// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/asking.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/base/saturate.h"
#include "profiler/fleet/cost_read.h"
#include "profiler/fleet/fields.h"
#include "profiler/fleet/rollup.h"

/* --- plans ---------------------------------------------------------------------------------------- */

static size_t ranges_of(const struct asking_opts *o, struct times out[2])
{
	out[0] = o->range;
	if (!o->split_s)
		return 1;
	out[1] = (struct times){o->split_s, o->range.until_s};
	out[0].until_s = o->split_s;
	return 2;
}

/* Who may only read has what there is, and the rest from samples. */
static int make_missing(struct asking *a, const struct shard *s, const struct plan *p,
			struct why *why)
{
	if (p->missing.len)
		log_info("%s: making the rollup of %zu hours, once", s->server.base,
			 p->missing.len);
	for (size_t i = 0; i < p->missing.len; i++) {
		int err = rollup_make(s, &p->missing.data[i], why);

		if (err == -EACCES) {
			log_info("%s", why->text);
			log_info("the rollup is not made, and samples are read instead");
			*why = (struct why){""};
			return 0;
		}
		if (err)
			return err;
		a->n_made++;
	}
	return 0;
}

static int plan_shard(struct asking *a, size_t i, struct why *why)
{
	const struct shard *s = &a->shards.v[i];
	struct times ranges[2];
	size_t n = ranges_of(&a->o, ranges), made = a->n_made;
	int err = rollup_plan(&a->plans[i], s, ranges, n, why);

	err = err ?: make_missing(a, s, &a->plans[i], why);
	if (err || made == a->n_made)
		return err;
	plan_release(&a->plans[i]);
	a->plans[i] = (struct plan){0};
	return rollup_plan(&a->plans[i], s, ranges, n, why);
}

int asking_open(struct asking *a, const struct asking_opts *o, struct why *why)
{
	int err;

	*a = (struct asking){.o = *o};
	err = plan_samples(&a->bare, &o->range);
	if (err)
		return why_say(why, err, "out of memory");
	if (!o->target)
		return 0;
	return shards_open(&a->shards, o->target, 0, why);
}

int asking_plan(struct asking *a, struct why *why)
{
	int err = 0;

	if (a->plans || a->o.from_samples || !cost_fits_rollup(a->o.where, COST_FUNCTION))
		return 0;
	a->plans = calloc(a->shards.n, sizeof(*a->plans));
	if (!a->plans)
		return why_say(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < a->shards.n && !err; i++)
		err = plan_shard(a, i, why);
	return err;
}

void asking_close(struct asking *a)
{
	for (size_t i = 0; a->plans && i < a->shards.n; i++)
		plan_release(&a->plans[i]);
	free(a->plans);
	plan_release(&a->bare);
	shards_close(&a->shards);
	*a = (struct asking){0};
}

/* --- asking --------------------------------------------------------------------------------------- */

void asking_scope(const struct asking *a, struct cost_scope *out)
{
	*out = (struct cost_scope){&a->bare, a->o.where, "", a->o.split_s};
}

static int ask_one(struct asking *a, size_t i, const struct asking_each *q, struct why *why)
{
	struct cost_scope scope;
	struct ch_answer answer = {0};
	struct buf sql = {0};
	int err;

	asking_scope(a, &scope);
	scope.suffix = a->shards.v[i].read;
	if (q->uses_rollup && a->plans)
		scope.plan = &a->plans[i];
	err = q->make(q->ctx, &sql, &scope, why);
	if (err == -ENOMEM)
		why_say(why, err, "out of memory");
	log_debug("%s: %s", a->shards.v[i].server.base, buf_cstr(&sql));
	err = err ?: shard_ask(&a->shards.v[i], buf_cstr(&sql), &answer, why);
	err = err ?: q->read(q->ctx, &answer, why);
	ch_answer_release(&answer);
	buf_release(&sql);
	return err;
}

int asking_each(struct asking *a, const struct asking_each *q, struct why *why)
{
	int err = q->uses_rollup ? asking_plan(a, why) : 0;

	for (size_t i = 0; i < a->shards.n && !err; i++)
		err = ask_one(a, i, q, why);
	return err;
}

struct asking_costs {
	const struct asked *q;
	struct costs *out;
	struct cost_values whole;
	bool with_whole;
	size_t limit;
};

static int make_costs(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct asking_costs *c = ctx;
	const struct cost_question q = {*s,	     c->q->by, c->q->of_service,
					c->q->order, c->limit, c->with_whole};

	return cost_sql(sql, &q, why);
}

static int read_costs(void *ctx, const struct ch_answer *answer, struct why *why)
{
	struct asking_costs *c = ctx;

	return cost_read(c->out, c->with_whole ? &c->whole : NULL, answer, why);
}

int asking_costs(struct asking *a, const struct asked *q, struct costs *out,
		 struct cost_values *whole, struct why *why)
{
	bool with_whole = q->by == COST_FUNCTION || q->by == COST_MODULE;
	/* What is below the limit on one server may be above it on all; and all rows add up to the whole. */
	size_t limit = a->shards.n == 1 && with_whole ? q->limit : 0;
	struct asking_costs c = {q, out, {0}, with_whole, limit};
	const struct asking_each each = {make_costs, read_costs, &c,
					 cost_fits_rollup(a->o.where, q->by)};
	int err = asking_each(a, &each, why);

	if (err)
		return err;
	*whole = with_whole ? c.whole : costs_sum(out);
	costs_sort(out, q->order);
	return 0;
}

/* --- what was sampled ----------------------------------------------------------------------------- */

struct sampling {
	const struct asking_opts *o;
	struct sampled sum;
};

static int make_sampled(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct asking_opts *o = ((const struct sampling *)ctx)->o;
	int64_t split_s = o->split_s ?: o->range.since_s;

	(void)why;
	buf_printf(sql,
		   "SELECT max(period_ns) AS period, "
		   "toInt64(sum(if(time >= toDateTime(%" PRId64 "), duration_ns, 0))) AS duration, "
		   "toInt64(sum(if(time < toDateTime(%" PRId64
		   "), duration_ns, 0))) AS before FROM (\n"
		   "SELECT DISTINCT host, time, id, period_ns, duration_ns FROM windows%s WHERE ",
		   split_s, split_s, s->suffix);
	buf_printf(sql, "time >= toDateTime(%" PRId64 ") AND time < toDateTime(%" PRId64 ")) AS w",
		   o->range.since_s, o->range.until_s);
	return sql->err;
}

static int read_sampled(void *ctx, const struct ch_answer *answer, struct why *why)
{
	static const struct field fields[] = {{"period", FIELD_NUMBER},
					      {"duration", FIELD_NUMBER},
					      {"before", FIELD_NUMBER},
					      {0}};
	struct sampled *sum = &((struct sampling *)ctx)->sum;

	if (!answer->n_rows)
		return why_say(why, -EBADMSG, "an answer is empty that never is");
	for (size_t i = 0; i < answer->blocks.len; i++) {
		const struct ch_block *b = &answer->blocks.data[i];
		const struct ch_column *c[3];
		int err = fields_find(c, b, fields, why);

		if (err)
			return err;
		for (size_t row = 0; row < b->n_rows; row++) {
			int64_t period_ns = ch_int(c[0], row);

			sum->period_ns = period_ns > sum->period_ns ? period_ns : sum->period_ns;
			sum->duration_ns = saturating_sum(sum->duration_ns, ch_int(c[1], row));
			sum->before_ns = saturating_sum(sum->before_ns, ch_int(c[2], row));
		}
	}
	return 0;
}

int asking_sampled(struct asking *a, struct sampled *out, struct why *why)
{
	struct sampling s = {.o = &a->o};
	const struct asking_each each = {make_sampled, read_sampled, &s, false};
	int err = asking_each(a, &each, why);

	*out = s.sum;
	return err;
}
