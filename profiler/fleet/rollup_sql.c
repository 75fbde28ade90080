// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/rollup_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/clickhouse/ch_schema.h"
#include "profiler/fleet/cost_sql.h"
#include "profiler/fleet/fields.h"

#define BEGUN	    "begin"
#define OF_CPU	    "type = '" CH_TYPE_CPU "' AND "
#define OF_WINDOWS  "windows"
#define OF_MARKS    "marks"
#define MAX_ANSWERS (1u << 16) /* hours: seven years; or versions of them */

static void add_range(struct buf *out, const char *column, const struct times *range)
{
	buf_printf(out, "%s >= toDateTime(%" PRId64 ") AND %s < toDateTime(%" PRId64 ")", column,
		   range->since_s, column, range->until_s);
}

/* A set of ids an hour: half the time of distinct pairs of an hour and an id. */
static void add_windows(struct buf *out, const char *suffix, const struct times *range)
{
	buf_printf(
		out,
		"SELECT '" OF_WINDOWS "' AS what, h AS hour, toUInt64(length(ids)) AS windows, "
		"toUInt64(arraySum(ids)) AS print, toUInt64(0) AS ver, toUInt8(0) AS done FROM (\n"
		"SELECT toUInt32(intDiv(toUInt32(time), %d) * %d) AS h, groupUniqArray(id) AS "
		"ids FROM windows%s WHERE ",
		HOUR_S, HOUR_S, suffix);
	add_range(out, "time", range);
	buf_str(out, " GROUP BY h) AS w ORDER BY hour");
}

/* Few rows, which are the first ones of the table's order. */
static void add_marks(struct buf *out, const char *suffix, const struct times *range)
{
	buf_printf(out,
		   "SELECT '" OF_MARKS "' AS what, toUInt32(since) AS hour, toUInt64(self) AS "
		   "windows, toUInt64(total) AS print, ver, toUInt8(md = '') AS done FROM (\n"
		   "SELECT hour AS since, CAST(module AS String) AS md, self, total, ver FROM "
		   "fn_hour%s WHERE service = '' AND " OF_CPU "func = '' AND module IN ('', '" BEGUN
		   "') AND ",
		   suffix);
	add_range(out, "hour", range);
	buf_str(out, ") AS m ORDER BY hour, ver, done");
}

int rollup_sql_look(struct buf *out, const char *suffix, const struct times *range)
{
	add_windows(out, suffix, range);
	buf_str(out, "\nUNION ALL ");
	add_marks(out, suffix, range);
	return out->err;
}

static void add_into(struct buf *out, const struct rollup_version *v)
{
	buf_printf(out,
		   "INSERT INTO fn_hour%s (service, type, hour, func, module, self, total, ver)\n",
		   v->into);
}

/* No function's id: of a stack without frames, which is a part of its service alone. */
#define ID_EMPTY "toUInt64(3)"

/* Each frame is of a function (1), a module (2) and a service (3); a stack counts once for each of these. */
static int add_sums(struct buf *out, const struct cost_scope *s, struct why *why)
{
	int err;

	buf_str(out, "SELECT svc, kind, if(kind = 1, " COST_SQL_NAME
		     ", '') AS fn, if(kind < 3, " COST_SQL_MODULE ", '') AS md, "
		     "sum(if(id = frames[1] OR id = " ID_EMPTY ", v, 0)) AS own, any(v) AS once "
		     "FROM (\nSELECT svc, hash, v, frames, id, name, file FROM (\n"
		     "SELECT svc, hash, v, frames, id FROM ");
	err = cost_sql_stacks(out, s, "service AS svc, ", COST_SQL_OF_SERVICE, why);
	buf_str(out, " AS c\nARRAY JOIN arrayDistinct(if(empty(frames), [" ID_EMPTY
		     "], frames)) AS id) AS d\nANY LEFT JOIN ");
	cost_sql_functions(out, s);
	buf_str(out, " AS e USING (id)) AS f\nARRAY JOIN [1, 2, 3] AS kind WHERE id != " ID_EMPTY
		     " OR kind = 3 GROUP BY svc, hash, kind, fn, md");
	return err;
}

int rollup_sql_make(struct buf *out, const struct rollup_version *v, struct why *why)
{
	struct plan plan = {0};
	const struct cost_scope scope = {.plan = &plan, .suffix = v->from};
	int err = plan_samples(&plan, &(struct times){v->hour_s, v->hour_s + HOUR_S});

	add_into(out, v);
	buf_printf(out,
		   "SELECT CAST(svc AS String), '" CH_TYPE_CPU "', toDateTime(%" PRId64
		   "), fn, md, sum(own), sum(once), toUInt64(%" PRIu64 ") FROM (\n",
		   v->hour_s, v->ver);
	err = err ?: add_sums(out, &scope, why);
	buf_str(out, "\n) AS x GROUP BY svc, kind, fn, md");
	plan_release(&plan);
	return err ?: out->err;
}

static int add_mark(struct buf *out, const struct rollup_version *v, const char *module,
		    const struct hour_print *of)
{
	add_into(out, v);
	buf_printf(out,
		   "SELECT '', '" CH_TYPE_CPU "', toDateTime(%" PRId64
		   "), '', '%s', toInt64(%" PRId64 "), toInt64(%" PRId64 "), toUInt64(%" PRIu64 ")",
		   v->hour_s, module, (int64_t)of->windows, (int64_t)of->print, v->ver);
	return out->err;
}

int rollup_sql_begin(struct buf *out, const struct rollup_version *v)
{
	return add_mark(out, v, BEGUN, &(const struct hour_print){0});
}

int rollup_sql_end(struct buf *out, const struct rollup_version *v, const struct hour_print *of)
{
	return add_mark(out, v, "", of);
}

/* --- answers -------------------------------------------------------------------------------------- */

enum { WHAT, HOUR, WINDOWS, PRINT, VER, DONE, N_FIELDS };

static int out_of_order(struct why *why)
{
	return why_say(why, -EBADMSG, "the answer has hours out of order");
}

static int add_hour(struct rollup_look *out, const struct hour_print *one, struct why *why)
{
	if (out->there.len == MAX_ANSWERS ||
	    (out->there.len && vec_last(&out->there).hour_s >= one->hour_s))
		return out_of_order(why);
	return vec_push(&out->there, *one);
}

/* In order: of an hour the newest is the last one. It has windows only if it was begun, and then done. */
static int add_version(struct rollup_look *out, const struct hour_mark *one, bool is_done,
		       struct why *why)
{
	struct hour_mark *last = out->made.len ? &vec_last(&out->made) : NULL;
	bool is_same = last && last->of.hour_s == one->of.hour_s;
	bool is_whole = is_done && is_same && last->ver == one->ver;

	if (last && (last->of.hour_s > one->of.hour_s || (is_same && last->ver > one->ver)))
		return out_of_order(why);
	if (!is_same && out->made.len == MAX_ANSWERS)
		return out_of_order(why);
	if (!is_same && vec_push(&out->made, *one))
		return -ENOMEM;
	last = &vec_last(&out->made);
	*last = *one;
	if (!is_whole)
		last->of.windows = 0;
	if (!is_whole && is_done)
		last->ver = 0;
	return 0;
}

static bool is_text(const struct ch_column *c, size_t row, const char *text)
{
	size_t len;
	const char *got = ch_text(c, row, &len);

	return len == strlen(text) && !memcmp(got, text, len);
}

static int add_row(struct rollup_look *out, const struct ch_column *const c[N_FIELDS], size_t row,
		   struct why *why)
{
	const struct hour_mark one = {
		{ch_int(c[HOUR], row), ch_uint(c[WINDOWS], row), ch_uint(c[PRINT], row)},
		ch_uint(c[VER], row)};
	bool is_hour =
		one.of.hour_s >= 0 && one.of.hour_s <= UINT32_MAX && !(one.of.hour_s % HOUR_S);

	if (is_text(c[WHAT], row, OF_WINDOWS))
		return is_hour ? add_hour(out, &one.of, why) : out_of_order(why);
	/* Anybody's rows may be marks. */
	return is_hour ? add_version(out, &one, ch_uint(c[DONE], row), why) : 0;
}

int rollup_read_look(struct rollup_look *out, const struct ch_answer *a, struct why *why)
{
	static const struct field fields[] = {{"what", FIELD_TEXT},
					      {"hour", FIELD_NUMBER},
					      {"windows", FIELD_NUMBER},
					      {"print", FIELD_NUMBER},
					      {"ver", FIELD_NUMBER},
					      {"done", FIELD_NUMBER},
					      {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *b = &a->blocks.data[i];
		const struct ch_column *c[N_FIELDS];
		int err = fields_find(c, b, fields, why);

		for (size_t row = 0; row < b->n_rows && !err; row++)
			err = add_row(out, c, row, why);
		if (err)
			return err;
	}
	return 0;
}

void rollup_look_release(struct rollup_look *l)
{
	vec_release(&l->there);
	vec_release(&l->made);
}
