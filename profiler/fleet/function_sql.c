// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/function_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/clickhouse/ch_text.h"
#include "profiler/fleet/cost_sql.h"
#include "profiler/fleet/fields.h"
#include "profiler/fleet/filter.h"

/* No function's id: ids are hashes. 0 is that of a missing stack. */
#define ID_NO_CALLER "toUInt64(1)"
#define ID_NONE	     "toUInt64(2)"

void function_list_release(struct function_list *l)
{
	for (size_t i = 0; i < l->names.len; i++)
		free(l->names.data[i]);
	for (size_t i = 0; i < l->modules.len; i++)
		free(l->modules.data[i]);
	vec_release(&l->ids);
	vec_release(&l->names);
	vec_release(&l->modules);
}

int function_sql_find(struct buf *out, const char *suffix, const char *name, bool is_part)
{
	buf_printf(out,
		   "SELECT %s AS id, CAST(func AS String) AS name, %s AS file FROM functions%s "
		   "WHERE ",
		   is_part ? "min(id)" : "id",
		   is_part ? "CAST(min(module) AS String)" : "CAST(module AS String)", suffix);
	buf_str(out, is_part ? "positionCaseInsensitive(func, " : "func = ");
	ch_add_text(out, name);
	if (is_part)
		buf_printf(out, ") > 0 GROUP BY func ORDER BY func LIMIT %d", FUNCTIONS_ALIKE);
	else
		buf_printf(out, " GROUP BY id, func, module ORDER BY id LIMIT %d", FUNCTIONS_MAX);
	return out->err;
}

static bool has_id(const struct function_list *l, uint64_t id)
{
	for (size_t i = 0; i < l->ids.len; i++)
		if (l->ids.data[i] == id)
			return true;
	return false;
}

static int take_text(struct function_list *l, const struct ch_column *c, size_t row, char **out)
{
	size_t len;
	const char *text = ch_text(c, row, &len);

	l->is_unclean |= !text_is_clean(text, len);
	*out = text_clean_dup(text, len);
	return *out ? 0 : -ENOMEM;
}

static int add_function(struct function_list *l, const struct ch_column *const c[3], size_t row)
{
	char *name = NULL, *module = NULL;
	int err;

	if (has_id(l, ch_uint(c[0], row)) || l->ids.len == FUNCTIONS_MAX)
		return 0;
	err = take_text(l, c[1], row, &name) ?: take_text(l, c[2], row, &module);
	/* Room for all three first: then none is pushed alone. */
	err = err ?: vec_reserve(&l->ids, l->ids.len + 1);
	err = err ?: vec_reserve(&l->names, l->names.len + 1);
	err = err ?: vec_reserve(&l->modules, l->modules.len + 1);
	if (err) {
		free(name);
		free(module);
		return err;
	}
	l->ids.data[l->ids.len++] = ch_uint(c[0], row);
	l->names.data[l->names.len++] = name;
	l->modules.data[l->modules.len++] = module;
	return 0;
}

int function_read(struct function_list *out, const struct ch_answer *a, struct why *why)
{
	static const struct field fields[] = {
		{"id", FIELD_NUMBER}, {"name", FIELD_TEXT}, {"file", FIELD_TEXT}, {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *b = &a->blocks.data[i];
		const struct ch_column *c[3];
		int err = fields_find(c, b, fields, why);

		for (size_t row = 0; row < b->n_rows && !err; row++)
			err = add_function(out, c, row);
		if (err)
			return err;
	}
	return 0;
}

static void add_ids(struct buf *out, const char *suffix, const struct function_list *of)
{
	if (of->by_name) {
		buf_printf(out,
			   "(SELECT groupUniqArray(id) FROM functions%s WHERE func = ", suffix);
		ch_add_text(out, of->by_name);
		buf_char(out, ')');
		return;
	}
	buf_char(out, '[');
	for (size_t i = 0; i < of->ids.len; i++)
		buf_printf(out, "%stoUInt64(%" PRIu64 ")", i ? ", " : "", of->ids.data[i]);
	buf_char(out, ']');
}

/* --- callers -------------------------------------------------------------------------------------- */

/* The callers of each place that the function has in a stack; and of the leaf's, if it is the function. */
static void add_pairs(struct buf *out, const char *suffix, const struct function_list *of)
{
	buf_str(out, "SELECT v, if(has(");
	add_ids(out, suffix, of);
	buf_str(out, ", frames[1]), if(length(frames) > 1, frames[2], " ID_NO_CALLER "), " ID_NONE
		     ") AS own,\narrayDistinct(arrayMap(i -> if(i < length(frames), frames[i + "
		     "1], " ID_NO_CALLER "), arrayFilter(i -> has(");
	add_ids(out, suffix, of);
	buf_str(out, ", frames[i]), arrayEnumerate(frames)))) AS callers FROM ");
}

int function_sql_callers(struct buf *out, const struct cost_scope *s,
			 const struct function_list *of, struct why *why)
{
	int err;

	buf_str(out, "SELECT if(id = " ID_NO_CALLER ", '" FUNCTION_NO_CALLER "', " COST_SQL_NAME
		     ") AS name, " COST_SQL_MODULE
		     " AS module, '' AS service, self_ns, total_ns FROM (\n"
		     "SELECT id, sum(if(id = own, v, 0)) AS self_ns, sum(v) AS total_ns FROM (\n");
	add_pairs(out, s->suffix, of);
	err = cost_sql_stacks(out, s, "", "", why);
	buf_str(out, " AS c) AS d\nARRAY JOIN callers AS id GROUP BY id) AS f\nANY LEFT JOIN ");
	cost_sql_functions(out, s);
	buf_str(out, " AS g USING (id) ORDER BY total_ns DESC, name, module");
	return err ?: out->err;
}

/* --- time ----------------------------------------------------------------------------------------- */

bool time_series_fits_rollup(const struct time_series_question *q)
{
	return q->of->ids.len == 1 && !q->of->is_unclean && q->step_s % HOUR_S == 0 &&
	       q->offset_s % HOUR_S == 0;
}

/* The beginning of a step. */
static void add_step(struct buf *out, const struct time_series_question *q, const char *column)
{
	buf_printf(out,
		   "intDiv(toUInt32(%s) + %" PRId64 ", %" PRId64 ") * %" PRId64 " - %" PRId64
		   " AS begin_s",
		   column, q->offset_s, q->step_s, q->step_s, q->offset_s);
}

static int add_if_in(struct buf *out, const struct cost_scope *s,
		     const struct time_series_question *q, bool is_leaf, const char *name,
		     struct why *why)
{
	int err;

	buf_printf(out, ", if(hash GLOBAL IN (SELECT hash FROM stacks%s WHERE %s", s->suffix,
		   is_leaf ? "has(" : "hasAny(funcs, ");
	add_ids(out, s->suffix, q->of);
	buf_str(out, is_leaf ? ", funcs[1])" : ")");
	err = filter_sql(out, s->where, FILTER_SERVICES, why);
	buf_printf(out, "), value, 0) AS %s", name);
	return err;
}

static int add_samples(struct buf *out, const struct cost_scope *s,
		       const struct time_series_question *q, struct why *why)
{
	int err;

	buf_str(out, "SELECT ");
	add_step(out, q, "time");
	err = add_if_in(out, s, q, true, "own", why);
	err = err ?: add_if_in(out, s, q, false, "with_callees", why);
	buf_printf(out, ", value AS whole FROM samples%s WHERE ", s->suffix);
	return err ?: cost_sql_samples(out, s, why);
}

static int add_rollup(struct buf *out, const struct cost_scope *s,
		      const struct time_series_question *q, struct why *why)
{
	int err;

	buf_str(out, "SELECT ");
	add_step(out, q, "hour");
	buf_printf(out,
		   ", if(func = '', 0, self) AS own, if(func = '', 0, total) AS with_callees, "
		   "if(func = '', total, 0) AS whole FROM fn_hour%s WHERE type = '" CH_TYPE_CPU
		   "' AND service != '' AND ((func = '' AND module = '') OR (func = ",
		   s->suffix);
	ch_add_text(out, q->of->names.data[0]);
	buf_str(out, " AND module = ");
	ch_add_text(out, q->of->modules.data[0]);
	buf_str(out, "))");
	err = filter_sql(out, s->where, FILTER_SERVICES, why);
	cost_sql_hours(out, s->plan);
	return err;
}

int function_sql_series(struct buf *out, const struct cost_scope *s,
			const struct time_series_question *q, struct why *why)
{
	int err = 0;

	buf_str(out, "SELECT begin_s, sum(own) AS self_ns, sum(with_callees) AS total_ns, "
		     "sum(whole) AS whole_ns FROM (\n");
	if (s->plan->samples.len || !s->plan->rollup.len)
		err = add_samples(out, s, q, why);
	if (s->plan->samples.len && s->plan->rollup.len)
		buf_str(out, "\nUNION ALL\n");
	if (!err && s->plan->rollup.len)
		err = add_rollup(out, s, q, why);
	buf_str(out, "\n) AS x GROUP BY begin_s ORDER BY begin_s");
	return err ?: out->err;
}

static int compare_points(const void *x, const void *y)
{
	const struct time_point *a = x, *b = y;

	return (a->at_s > b->at_s) - (a->at_s < b->at_s);
}

static void merge_points(struct time_series *s)
{
	size_t n = 0;

	if (s->v.len)
		qsort(s->v.data, s->v.len, sizeof(*s->v.data), compare_points);
	for (size_t i = 0; i < s->v.len; i++) {
		const struct time_point *p = &s->v.data[i];
		struct time_point *to = n ? &s->v.data[n - 1] : NULL;

		if (!to || to->at_s != p->at_s) {
			s->v.data[n++] = *p;
			continue;
		}
		to->self_ns = saturating_sum(to->self_ns, p->self_ns);
		to->total_ns = saturating_sum(to->total_ns, p->total_ns);
		to->whole_ns = saturating_sum(to->whole_ns, p->whole_ns);
	}
	s->v.len = n;
}

int time_series_read(struct time_series *out, const struct ch_answer *a, struct why *why)
{
	static const struct field fields[] = {{"begin_s", FIELD_NUMBER},
					      {"self_ns", FIELD_NUMBER},
					      {"total_ns", FIELD_NUMBER},
					      {"whole_ns", FIELD_NUMBER},
					      {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *b = &a->blocks.data[i];
		const struct ch_column *c[4];
		int err = fields_find(c, b, fields, why);

		for (size_t row = 0; row < b->n_rows && !err; row++) {
			struct time_point p = {ch_int(c[0], row), ch_int(c[1], row),
					       ch_int(c[2], row), ch_int(c[3], row)};

			if (out->v.len == TIME_SERIES_MAX)
				err = why_say(why, -EFBIG, "more than %d steps: --step longer",
					      TIME_SERIES_MAX);
			err = err ?: vec_push(&out->v, p);
		}
		if (err)
			return err;
	}
	merge_points(out);
	return 0;
}
