// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/profile_sql.h"

#include <inttypes.h>

#include "profiler/clickhouse/ch_schema.h"

static void add_range(struct buf *out, const struct profile_scope *s)
{
	buf_printf(out, "time >= toDateTime(%" PRId64 ") AND time < toDateTime(%" PRId64 ")",
		   s->range.since_s, s->range.until_s);
}

static int add_condition(struct buf *out, const struct profile_scope *s, struct why *why)
{
	add_range(out, s);
	return filter_sql(out, s->where, FILTER_SAMPLES, why);
}

int profile_sql_samples(struct buf *out, const struct profile_scope *s, struct why *why)
{
	int err;

	buf_str(out, "SELECT CAST(ty AS String) AS type, ");
	for (size_t i = 0; i < FILTER_N_LABELS; i++) {
		if (s->without[i])
			buf_printf(out, "'' AS l%zu, ", i);
		else
			buf_printf(out, "CAST(g%zu AS String) AS l%zu, ", i, i);
	}
	buf_str(out, "hash, v AS value FROM (\nSELECT type AS ty, ");
	for (size_t i = 0; i < FILTER_N_LABELS; i++)
		if (!s->without[i])
			buf_printf(out, "%s AS g%zu, ", filter_labels[i].column, i);
	buf_printf(out, "hash, sum(value) AS v FROM samples%s WHERE ", s->suffix);
	err = add_condition(out, s, why);
	buf_str(out, " GROUP BY ty, ");
	for (size_t i = 0; i < FILTER_N_LABELS; i++)
		if (!s->without[i])
			buf_printf(out, "g%zu, ", i);
	buf_str(out, "hash) AS a");
	return err ?: out->err;
}

/* " FROM stacks WHERE ...": those of the samples. */
static int add_stacks(struct buf *out, const struct profile_scope *s, struct why *why)
{
	int err;

	buf_printf(out, " FROM stacks%s WHERE hash GLOBAL IN (SELECT hash FROM samples%s WHERE ",
		   s->suffix, s->suffix);
	err = add_condition(out, s, why);
	buf_char(out, ')');
	return err ?: filter_sql(out, s->where, FILTER_SERVICES, why);
}

int profile_sql_stacks(struct buf *out, const struct profile_scope *s, struct why *why)
{
	int err;

	/* Once, also before its parts are merged: what has one hash is one stack. */
	buf_str(out, "SELECT hash, any(fs) AS funcs, any(ls) AS lines FROM (\n"
		     "SELECT hash, funcs AS fs, lines AS ls");
	err = add_stacks(out, s, why);
	buf_str(out, ") AS a GROUP BY hash");
	return err ?: out->err;
}

int profile_sql_functions(struct buf *out, const struct profile_scope *s, struct why *why)
{
	int err;

	buf_printf(out,
		   "SELECT id, any(fn) AS name, any(md) AS module, any(src) AS source, "
		   "any(bd) AS build FROM (\nSELECT id, CAST(func AS String) AS fn, "
		   "CAST(module AS String) AS md, CAST(file AS String) AS src, "
		   "CAST(build AS String) AS bd FROM functions%s "
		   "WHERE id GLOBAL IN (SELECT arrayJoin(funcs) AS f",
		   s->suffix);
	err = add_stacks(out, s, why);
	buf_str(out, ")) AS a GROUP BY id");
	return err ?: out->err;
}

/* Each window once. */
static int add_windows(struct buf *out, const struct profile_scope *s, const char *columns,
		       struct why *why)
{
	int err;

	buf_printf(out, "(\nSELECT DISTINCT host, time, id, %s FROM windows%s WHERE ", columns,
		   s->suffix);
	add_range(out, s);
	err = filter_sql(out, s->where, FILTER_HOSTS, why);
	buf_str(out, ") AS w");
	return err;
}

int profile_sql_windows(struct buf *out, const struct profile_scope *s, struct why *why)
{
	int err;

	buf_str(out, "SELECT count() AS windows, min(begin_ns) AS begin_at, "
		     "max(begin_ns + toInt64(duration_ns)) AS end_at, "
		     "min(period_ns) AS least_period_ns, max(period_ns) AS most_period_ns, "
		     "sum(lost) AS all_lost");
#define X(name) buf_str(out, ", sum(" #name ") AS all_" #name);
	PROFILE_QUALITY_COLUMNS(X)
#undef X
	buf_str(out, " FROM ");
	err = add_windows(out, s,
			  "begin_ns, duration_ns, period_ns, lost"
#define X(name) ", " #name
			  PROFILE_QUALITY_COLUMNS(X)
#undef X
				  ,
			  why);
	return err ?: out->err;
}

static void add_step(struct buf *out, const struct rows_question *q)
{
	buf_printf(out,
		   "intDiv(toUInt32(time) + %" PRId64 ", %" PRId64 ") * %" PRId64 " - %" PRId64
		   " AS begin_s",
		   q->offset_s, q->step_s, q->step_s, q->offset_s);
}

int profile_sql_rows(struct buf *out, const struct profile_scope *s, const struct rows_question *q,
		     struct why *why)
{
	int err;

	if (q->step_s) {
		buf_str(out, "SELECT '' AS name, ");
		add_step(out, q);
	} else {
		buf_printf(out, "SELECT CAST(%s AS String) AS name, 0 AS begin_s", q->column);
	}
	buf_printf(out, ", sum(value) AS cpu_ns FROM samples%s WHERE type = '" CH_TYPE_CPU "' AND ",
		   s->suffix);
	err = add_condition(out, s, why);
	buf_printf(out, " GROUP BY %s", q->step_s ? "begin_s" : q->column);
	return err ?: out->err;
}

int profile_sql_window_rows(struct buf *out, const struct profile_scope *s,
			    const struct rows_question *q, struct why *why)
{
	int err;

	buf_str(out, "SELECT ");
	add_step(out, q);
	buf_str(out, ", count() AS windows, sum(lost) AS all_lost FROM ");
	err = add_windows(out, s, "lost", why);
	buf_str(out, " GROUP BY begin_s ORDER BY begin_s");
	return err ?: out->err;
}
