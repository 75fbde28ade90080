// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/cost_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "profiler/fleet/filter.h"

/* In every piece sv, fn and md are service, function and module; s1 and t1 self and total, s2 and t2 those of the
 * period before. */

static const char *sv(const struct cost_question *q)
{
	return q->of_service ? "CAST(svc AS String) AS sv" : "'' AS sv";
}

static const char *names(const struct cost_question *q)
{
	return q->of_service ? COST_SQL_OF_SERVICE : "";
}

/* No function's id: a frame of all stacks, whose total is the sum of everything. */
#define ID_WHOLE "toUInt64(4)"

static const char *frames(const struct cost_question *q)
{
	return q->with_whole ? "arrayPushBack(frames, " ID_WHOLE ")" : "frames";
}

static const char *kind(const struct cost_question *q)
{
	return q->with_whole ? ", toUInt8(id = " ID_WHOLE ") AS k" : "";
}

/* --- pieces --------------------------------------------------------------------------------------- */

static void add_spans(struct buf *out, const struct plan *p)
{
	buf_str(out, p->samples.len ? "(" : "0");
	for (size_t i = 0; i < p->samples.len; i++)
		buf_printf(out,
			   "%stime >= toDateTime(%" PRId64 ") AND time < toDateTime(%" PRId64 ")",
			   i ? " OR " : "", p->samples.data[i].since_s, p->samples.data[i].until_s);
	if (p->samples.len)
		buf_char(out, ')');
}

int cost_sql_samples(struct buf *out, const struct cost_scope *s, struct why *why)
{
	buf_str(out, "type = '" CH_TYPE_CPU "' AND ");
	add_spans(out, s->plan);
	return filter_sql(out, s->where, FILTER_SAMPLES, why) ?: out->err;
}

static void add_values(struct buf *out, int64_t split_s)
{
	if (!split_s) {
		buf_str(out, "sum(value) AS v");
		return;
	}
	buf_printf(out, "sum(if(time >= toDateTime(%" PRId64 "), value, 0)) AS v", split_s);
	buf_printf(out, ", sum(if(time < toDateTime(%" PRId64 "), value, 0)) AS w", split_s);
}

/* Days of 1970 on; the last that all servers know. */
#define LAST_DAY 49709
#define DAY_S	 86400
#define WEEK	 7
#define MONDAY	 4 /* 1970-01-05 */

static int64_t monday_of(int64_t day)
{
	return day < MONDAY ? 0 : day - (day - MONDAY) % WEEK;
}

static void add_day(struct buf *out, const char *op, int64_t day)
{
	time_t s = (time_t)((day < LAST_DAY ? day : LAST_DAY) * DAY_S);
	char text[16] = "";
	struct tm tm;

	if (gmtime_r(&s, &tm))
		strftime(text, sizeof(text), "%F", &tm);
	buf_printf(out, "day %s '%s'", op, text);
}

/* In each week in which a stack has samples it is sent (profiler/upload/clickhouse_state.h); partitions are weeks. */
static void add_weeks(struct buf *out, const struct plan *p)
{
	buf_str(out, p->samples.len ? "(" : "0");
	for (size_t i = 0; i < p->samples.len;) {
		int64_t first = monday_of(p->samples.data[i].since_s / DAY_S), last = first;

		buf_str(out, i ? " OR " : "");
		while (i < p->samples.len && p->samples.data[i].since_s / DAY_S <= last + WEEK)
			last = monday_of((p->samples.data[i++].until_s - 1) / DAY_S) + WEEK - 1;
		add_day(out, ">=", first);
		buf_str(out, " AND ");
		add_day(out, "<=", last);
	}
	if (p->samples.len)
		buf_char(out, ')');
}

/*
 * The stacks pass by, and what is kept is the sums: some bytes for each stack that has samples, however many there are
 * and however deep. The samples are looked at once. A stack that is there twice gives equal rows, of which one counts.
 */
int cost_sql_stacks(struct buf *out, const struct cost_scope *s, const char *keys,
		    const char *names, struct why *why)
{
	/* In each service a stack is there for itself; other keys have it in common. */
	bool of_service = !strcmp(names, COST_SQL_OF_SERVICE);
	int err;

	buf_printf(out,
		   "(\nSELECT %shash, v%s, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (\n",
		   names, s->split_s ? ", w" : "");
	buf_printf(out, "SELECT %shash, funcs, toUInt8(1) AS found FROM stacks%s WHERE ",
		   of_service ? keys : "", s->suffix);
	add_weeks(out, s->plan);
	err = filter_sql(out, s->where, FILTER_SERVICES, why);
	buf_printf(out, ") AS b\nALL RIGHT JOIN (\nSELECT %shash, ", keys);
	add_values(out, s->split_s);
	buf_printf(out, " FROM samples%s WHERE ", s->suffix);
	err = err ?: cost_sql_samples(out, s, why);
	buf_printf(out, " GROUP BY %shash) AS a USING (%shash) LIMIT 1 BY %shash)", names,
		   of_service ? names : "", names);
	return err ?: out->err;
}

void cost_sql_functions(struct buf *out, const struct cost_scope *s)
{
	buf_printf(out,
		   "(SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM "
		   "functions%s)",
		   s->suffix);
}

/* --- from samples --------------------------------------------------------------------------------- */

static int add_stacks(struct buf *out, const struct cost_question *q, struct why *why)
{
	return cost_sql_stacks(out, &q->scope, q->of_service ? "service AS svc, " : "", names(q),
			       why);
}

static int add_functions(struct buf *out, const struct cost_question *q, struct why *why)
{
	bool split = q->scope.split_s;
	int err;

	buf_printf(out,
		   "SELECT %s, " COST_SQL_NAME " AS fn, " COST_SQL_MODULE
		   " AS md, s1, t1%s%s FROM (\n",
		   sv(q), split ? ", s2, t2" : "", kind(q));
	buf_printf(out, "SELECT %sid, sum(if(id = frames[1], v, 0)) AS s1, sum(v) AS t1%s FROM ",
		   names(q), split ? ", sum(if(id = frames[1], w, 0)) AS s2, sum(w) AS t2" : "");
	err = add_stacks(out, q, why);
	buf_printf(out,
		   " AS c\nARRAY JOIN arrayDistinct(%s) AS id GROUP BY %sid) AS d\n"
		   "ANY LEFT JOIN ",
		   frames(q), names(q));
	cost_sql_functions(out, &q->scope);
	buf_str(out, " AS e USING (id)");
	return err;
}

/* A stack counts once for each of its modules. */
static int add_modules(struct buf *out, const struct cost_question *q, struct why *why)
{
	const char *k = q->with_whole ? ", k" : "";
	bool split = q->scope.split_s;
	int err;

	buf_printf(out, "SELECT %s, '' AS fn, md, sum(x1) AS s1, sum(y1) AS t1%s%s FROM (\n", sv(q),
		   split ? ", sum(x2) AS s2, sum(y2) AS t2" : "", k);
	buf_printf(out,
		   "SELECT %shash, " COST_SQL_MODULE
		   " AS md, sum(own) AS x1, any(v) AS y1%s%s FROM (\n",
		   names(q), split ? ", sum(own_before) AS x2, any(w) AS y2" : "", kind(q));
	buf_printf(out, "SELECT %shash, v%s, id, if(id = frames[1], v, 0) AS own%s FROM ", names(q),
		   split ? ", w" : "", split ? ", if(id = frames[1], w, 0) AS own_before" : "");
	err = add_stacks(out, q, why);
	buf_printf(out, " AS c\nARRAY JOIN arrayDistinct(%s) AS id) AS d\nANY LEFT JOIN ",
		   frames(q));
	cost_sql_functions(out, &q->scope);
	buf_printf(out, " AS e USING (id) GROUP BY %shash, md%s) AS f GROUP BY %smd%s", names(q), k,
		   q->of_service ? "sv, " : "", k);
	return err;
}

/* Without their stacks: all that is there is their own. */
static int add_plain(struct buf *out, const struct cost_question *q, const char *column,
		     struct why *why)
{
	int err;

	buf_printf(out,
		   "SELECT CAST(%s AS String) AS sv, '' AS fn, '' AS md, v AS s1, v AS t1%s FROM "
		   "(SELECT %s, ",
		   column, q->scope.split_s ? ", w AS s2, w AS t2" : "", column);
	add_values(out, q->scope.split_s);
	buf_printf(out, " FROM samples%s WHERE ", q->scope.suffix);
	err = cost_sql_samples(out, &q->scope, why);
	buf_printf(out, " GROUP BY %s) AS a", column);
	return err;
}

static int add_from_samples(struct buf *out, const struct cost_question *q, struct why *why)
{
	switch (q->by) {
	case COST_FUNCTION:
		return add_functions(out, q, why);
	case COST_MODULE:
		return add_modules(out, q, why);
	case COST_SERVICE:
		return add_plain(out, q, "service", why);
	default:
		return add_plain(out, q, "host", why);
	}
}

/* --- from the rollup ------------------------------------------------------------------------------ */

bool cost_fits_rollup(const struct where *where, enum cost_by by)
{
	return by != COST_HOST && filter_is_of_services(where);
}

void cost_sql_hours(struct buf *out, const struct plan *p)
{
	buf_printf(out,
		   " AND hour >= toDateTime(%" PRId64 ") AND hour < toDateTime(%" PRId64
		   ") AND ver IN (",
		   p->rollup.data[0].of.hour_s, vec_last(&p->rollup).of.hour_s + HOUR_S);
	for (size_t i = 0; i < p->rollup.len; i++)
		buf_printf(out, "%s%" PRIu64, i ? ", " : "", p->rollup.data[i].ver);
	buf_char(out, ')');
}

static int add_from_rollup(struct buf *out, const struct cost_question *q, struct why *why)
{
	/* Rows of modules have no function, those of services no module either; marks have no service. */
	static const char *const rows[][2] = {
		{"func != ''", "(func != '' OR module = '')"},
		{"func = '' AND module != ''", "func = ''"},
		{"func = '' AND module = ''", "func = '' AND module = ''"}};
	/* Servers of a cluster may not differ in what is constant. */
	bool has_service = q->of_service || q->by == COST_SERVICE;
	int64_t split_s = q->scope.split_s;
	int err;

	buf_printf(out, "SELECT %s, CAST(func AS String) AS fn, CAST(module AS String) AS md, ",
		   has_service ? "CAST(service AS String) AS sv" : "materialize('') AS sv");
	if (split_s)
		buf_printf(out,
			   "if(hour >= toDateTime(%" PRId64 "), self, 0) AS s1, "
			   "if(hour >= toDateTime(%" PRId64 "), total, 0) AS t1, "
			   "if(hour < toDateTime(%" PRId64 "), self, 0) AS s2, "
			   "if(hour < toDateTime(%" PRId64 "), total, 0) AS t2",
			   split_s, split_s, split_s, split_s);
	else
		buf_str(out, "self AS s1, total AS t1");
	if (q->with_whole)
		buf_str(out, ", toUInt8(func = '' AND module = '') AS k");
	buf_printf(out, " FROM fn_hour%s WHERE type = '" CH_TYPE_CPU "' AND service != '' AND %s",
		   q->scope.suffix, rows[q->by][q->with_whole]);
	err = filter_sql(out, q->scope.where, FILTER_SERVICES, why);
	cost_sql_hours(out, q->scope.plan);
	return err;
}

/* --- the whole ------------------------------------------------------------------------------------ */

int cost_sql_rows(struct buf *out, const struct cost_question *q, struct why *why)
{
	const struct plan *plan = q->scope.plan;
	int err = 0;

	if (plan->samples.len || !plan->rollup.len)
		err = add_from_samples(out, q, why);
	if (!err && plan->samples.len && plan->rollup.len)
		buf_str(out, "\nUNION ALL\n");
	if (!err && plan->rollup.len)
		err = add_from_rollup(out, q, why);
	return err ?: out->err;
}

int cost_sql(struct buf *out, const struct cost_question *q, struct why *why)
{
	static const char *const name[] = {"fn AS name, md AS module, sv AS service",
					   "md AS name, '' AS module, sv AS service",
					   "sv AS name, '' AS module, '' AS service",
					   "sv AS name, '' AS module, '' AS service"};
	bool by_self = q->order == COSTS_BY_SELF;
	int err;

	buf_printf(
		out, "SELECT %s, sum(s1) AS self_ns, sum(t1) AS total_ns%s%s FROM (\n", name[q->by],
		q->scope.split_s ? ", sum(s2) AS self_before_ns, sum(t2) AS total_before_ns" : "",
		q->with_whole ? ", k AS whole" : "");
	err = cost_sql_rows(out, q, why);
	buf_printf(out, "\n) AS x GROUP BY sv, fn, md%s ORDER BY %s%s DESC, %s DESC, name, module",
		   q->with_whole ? ", k" : "", q->with_whole ? "whole DESC, " : "",
		   by_self ? "self_ns" : "total_ns", by_self ? "total_ns" : "self_ns");
	if (q->limit)
		buf_printf(out, " LIMIT %zu", q->limit + q->with_whole);
	return err ?: out->err;
}
