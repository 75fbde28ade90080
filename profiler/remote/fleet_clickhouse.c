// SPDX-License-Identifier: GPL-2.0-or-later
/* ClickHouse, as profiler/upload/clickhouse.h fills it: SELECTs of profiler/fleet, to one shard after the other. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/saturate.h"
#include "profiler/clickhouse/ch_client.h"
#include "profiler/fleet/fields.h"
#include "profiler/fleet/profile_read.h"
#include "profiler/fleet/profile_sql.h"
#include "profiler/fleet/shards.h"
#include "profiler/remote/fleet_priv.h"

struct reading {
	struct fleet *f;
	struct shards shards;
	struct profile_scope scope; /* but its suffix */
	struct why *why;
};

static bool is_without(const char *const *without, const char *label)
{
	for (; without && *without; without++)
		if (!strcmp(*without, label))
			return true;
	return false;
}

static int reading_open(struct reading *r, struct fleet *f, struct why *why)
{
	int err;

	*r = (struct reading){.f = f, .why = why};
	r->scope.range = times_of_ns(f->q->since_ns, f->q->until_ns);
	r->scope.where = f->where;
	for (size_t i = 0; i < FILTER_N_LABELS; i++)
		r->scope.without[i] = is_without(f->q->without, filter_labels[i].label);
	err = shards_open(&r->shards, f->t, fleet_left_ms(f, UINT64_MAX) ?: 1, why);
	return err == -ETIMEDOUT && fleet_is_late(f) ? fleet_fail_late(f, why) : err;
}

static int ask_in_time(const struct fleet *f, struct shard *s, const char *sql,
		       struct ch_answer *out, struct why *why)
{
	int err;

	s->server.timeout_ms = fleet_left_ms(f, s->server.timeout_ms) ?: 1;
	err = shard_ask(s, sql, out, why);
	return err == -ETIMEDOUT && fleet_is_late(f) ? fleet_fail_late(f, why) : err;
}

typedef int make_sql(struct buf *out, const struct profile_scope *s, struct why *why);

/* One question to one shard. */
static int ask(struct reading *r, size_t shard, make_sql *make, struct ch_answer *out)
{
	struct profile_scope scope = r->scope;
	struct buf sql = {0};
	int err;

	scope.suffix = r->shards.v[shard].read;
	err = make(&sql, &scope, r->why);
	if (err == -ENOMEM)
		why_say(r->why, err, "out of memory");
	log_debug("%s: %s", r->shards.v[shard].server.base, buf_cstr(&sql));
	err = err ?: ask_in_time(r->f, &r->shards.v[shard], buf_cstr(&sql), out, r->why);
	buf_release(&sql);
	return err;
}

static int get_windows(struct reading *r, struct window_sums *out)
{
	int err = 0;

	for (size_t i = 0; i < r->shards.n && !err; i++) {
		struct ch_answer a = {0};

		err = ask(r, i, profile_sql_windows, &a);
		err = err ?: window_sums_read(out, &a, r->why);
		ch_answer_release(&a);
	}
	return err;
}

/* 0: there were several, or it is not known. */
static int64_t period_of(const struct window_sums *w)
{
	return w->least_period_ns == w->most_period_ns ? w->least_period_ns : 0;
}

/* --- a profile ------------------------------------------------------------------------------------ */

/* What samples refer to is there before them, so it is asked for after them. */
static int get_shard(struct reading *r, size_t shard, int64_t period_ns, struct profile **out)
{
	struct ch_answer samples = {0}, stacks = {0}, functions = {0};
	const struct profile_answers all = {&samples, &stacks, &functions};
	struct why what = {""};
	int err = ask(r, shard, profile_sql_samples, &samples);

	err = err ?: ask(r, shard, profile_sql_stacks, &stacks);
	err = err ?: ask(r, shard, profile_sql_functions, &functions);
	if (!err) {
		err = profile_read(out, &all, period_ns, &what);
		if (err)
			why_say(r->why, err, "%s: %s", r->shards.v[shard].server.base, what.text);
	}
	ch_answer_release(&samples);
	ch_answer_release(&stacks);
	ch_answer_release(&functions);
	return err;
}

static int merge_shard(struct reading *r, size_t shard, int64_t period_ns, struct profile **all)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int err = get_shard(r, shard, period_ns, &p);

	if (err || !p->samples.len)
		return err;
	if (!*all) {
		*all = steal_ptr(p);
		return 0;
	}
	return fleet_merge(r->f, all, p, r->why);
}

static int get_profile(struct fleet *f, struct profile **out, struct why *why)
{
	/* A window is of a host: other conditions are of parts of it. */
	const char *where = filter_is_of_hosts(f->where) ? NULL : f->q->where;
	struct window_sums windows = {0};
	struct reading r;
	int err = reading_open(&r, f, why);

	err = err ?: get_windows(&r, &windows);
	for (size_t i = 0; i < r.shards.n && !err; i++)
		err = merge_shard(&r, i, period_of(&windows), out);
	if (!err && *out)
		err = profile_set_windows(*out, &windows, where);
	shards_close(&r.shards);
	quality_release(&windows.quality);
	return err;
}

/* --- rows ----------------------------------------------------------------------------------------- */

struct overview_reading {
	struct reading *r;
	const struct fleet_rows *rows;
	struct rows_question q;
	struct overview *out;
	int64_t period_ns;
};

static int64_t count_of(const struct overview_reading *o, int64_t cpu_ns)
{
	return o->period_ns > 0 ? (cpu_ns + o->period_ns / 2) / o->period_ns : 0;
}

static int add_rows(const struct overview_reading *o, const struct ch_answer *a)
{
	static const struct field fields[] = {
		{"begin_s", FIELD_NUMBER}, {"name", FIELD_TEXT}, {"cpu_ns", FIELD_NUMBER}, {0}};
	bool is_time = o->q.step_s;

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *b = &a->blocks.data[i];
		const struct ch_column *c[3];
		int err = fields_find(c, b, fields, o->r->why);

		for (size_t row = 0; row < b->n_rows && !err; row++) {
			int64_t cpu_ns = ch_int(c[2], row), begin_ns = ch_int(c[0], row);
			_cleanup_free_ char *name = NULL;
			size_t len;
			const char *text = ch_text(c[1], row, &len);

			name = is_time ? NULL : strndup(text, len);
			if (!is_time && !name)
				return -ENOMEM;
			if (__builtin_mul_overflow(begin_ns, (int64_t)NS_PER_S, &begin_ns))
				continue;
			err = fleet_add_row(o->out, name, begin_ns, count_of(o, cpu_ns), cpu_ns, 0);
		}
		if (err)
			return err;
	}
	return 0;
}

static int add_window_rows(const struct overview_reading *o, const struct ch_answer *a)
{
	static const struct field fields[] = {{"begin_s", FIELD_NUMBER},
					      {"windows", FIELD_NUMBER},
					      {"all_lost", FIELD_NUMBER},
					      {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *b = &a->blocks.data[i];
		const struct ch_column *c[3];
		int err = fields_find(c, b, fields, o->r->why);

		for (size_t row = 0; row < b->n_rows && !err; row++) {
			int64_t begin_ns = ch_int(c[0], row);

			if (__builtin_mul_overflow(begin_ns, (int64_t)NS_PER_S, &begin_ns))
				continue;
			err = fleet_add_row(o->out, NULL, begin_ns, 0, 0, ch_int(c[1], row));
			fleet_add_lost(o->out, begin_ns, ch_int(c[2], row));
		}
		if (err)
			return err;
	}
	return 0;
}

static int ask_rows(struct overview_reading *o, size_t shard, bool is_windows)
{
	struct reading *r = o->r;
	struct profile_scope scope = r->scope;
	struct ch_answer a = {0};
	struct buf sql = {0};
	int err;

	scope.suffix = r->shards.v[shard].read;
	err = is_windows ? profile_sql_window_rows(&sql, &scope, &o->q, r->why)
			 : profile_sql_rows(&sql, &scope, &o->q, r->why);
	err = err ?: ask_in_time(r->f, &r->shards.v[shard], buf_cstr(&sql), &a, r->why);
	err = err ?: is_windows ? add_window_rows(o, &a) : add_rows(o, &a);
	ch_answer_release(&a);
	buf_release(&sql);
	return err;
}

/* Steps are of whole seconds. */
static int set_question(struct overview_reading *o)
{
	const char *label = fleet_rows_label(o->rows);
	int64_t step_s = o->rows->width_ns / (int64_t)NS_PER_S, phase_s;

	if (label && o->rows->by != OVERVIEW_PROCESS) {
		o->q.column = filter_column(label);
		return o->q.column ? 0
				   : fleet_fail(o->r->f, -EINVAL, o->r->why,
						"--by: it keeps no %.60s: it has service, host, "
						"namespace, pod, unit and comm",
						label);
	}
	if (o->rows->by != OVERVIEW_TIME)
		return fleet_fail(o->r->f, -EINVAL, o->r->why,
				  "--by: it keeps no processes: it has service, host, namespace, "
				  "pod, unit and comm");
	o->q.step_s = step_s < 1 ? 1 : step_s;
	phase_s = -o->rows->phase_ns / (int64_t)NS_PER_S % o->q.step_s;
	o->q.offset_s = phase_s < 0 ? phase_s + o->q.step_s : phase_s;
	return 0;
}

static void set_windows(struct overview *out, const struct window_sums *w)
{
	out->windows = w->windows > INT64_MAX ? INT64_MAX : (int64_t)w->windows;
	out->since_ns = w->begin_ns;
	out->until_ns = w->end_ns;
	if (out->by != OVERVIEW_TIME)
		out->lost = (int64_t)(quality_lost(&w->quality) & INT64_MAX);
}

static int get_overview(struct fleet *f, const struct fleet_rows *rows, struct overview *out,
			struct why *why)
{
	struct window_sums windows = {0};
	struct reading r;
	struct overview_reading o = {.r = &r, .rows = rows, .out = out};
	int err = reading_open(&r, f, why);

	err = err ?: set_question(&o) ?: get_windows(&r, &windows);
	o.period_ns = period_of(&windows);
	for (size_t i = 0; i < r.shards.n && !err; i++) {
		err = ask_rows(&o, i, false);
		if (!err && rows->by == OVERVIEW_TIME)
			err = ask_rows(&o, i, true);
	}
	if (!err)
		set_windows(out, &windows);
	shards_close(&r.shards);
	quality_release(&windows.quality);
	return err;
}

const struct fleet_kind fleet_clickhouse = {get_profile, get_overview};
