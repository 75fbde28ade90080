// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/formats/report_json.h"

#include "profiler/base/cleanup.h"
#include "profiler/base/json.h"
#include "profiler/base/saturate.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/quality_json.h"
#include "profiler/formats/report_tree.h"
#include "profiler/profile/activities.h"
#include "profiler/profile/commands.h"
#include "profiler/profile/difference.h"
#include "profiler/profile/machine_load.h"
#include "profiler/profile/rates.h"
#include "profiler/profile/time_kinds.h"

static int add_about(struct json *j, const struct report *r)
{
	const struct profile *p = r->p;
	const char *where = quality_where(r->whole);
	struct buf title = {0};
	struct rates rates;
	int err = describe_title(&title, p);

	rates_load(&rates, p);
	json_key_text(j, "title", buf_cstr(&title));
	buf_release(&title);
	if (where)
		json_key_text(j, "where", where);
	if (quality_rootless(p))
		json_key_text(j, "rootless", quality_rootless(p));
	json_key_int(j, "time_ns", p->time_ns);
	json_key_int(j, "duration_ns", p->duration_ns);
	json_key_int(j, "period", p->period);
	if (rates.least_period_ns != rates.most_period_ns)
		json_key_int(j, "period_least", rates.least_period_ns);
	if (rates.throttled_ns)
		json_key_uint(j, "throttled_ns", rates.throttled_ns);
	json_key_text(j, "period_unit", profile_text(p, p->period_type.unit));
	json_key_open(j, "values", '[');
	for (size_t i = 0; i < p->sample_types.len; i++) {
		json_open(j, '{');
		json_key_text(j, "type", profile_text(p, p->sample_types.data[i].type));
		json_key_text(j, "unit", profile_text(p, p->sample_types.data[i].unit));
		json_key_int(j, "total", profile_total(p, i));
		json_close(j, '}');
	}
	json_close(j, ']');
	return err;
}

static void add_quality(struct json *j, const struct quality *q)
{
	json_line(j);
	json_key(j, "quality");
	if (!q) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	quality_json_counters(j, q);
	json_key_open(j, "lost", '{');
	for (int i = 0; i < LOSS_COUNT; i++)
		json_key_uint(j, loss_key(i), q->lost[i]);
	json_close(j, '}');
	quality_json_blame(j, q);
	json_close(j, '}');
}

static void json_key_double(struct json *j, const char *key, double v)
{
	json_key(j, key);
	json_double(j, v);
}

/* Of the machine, as far as it is known. */
static void add_load(struct json *j, const struct report *r)
{
	struct machine_load load;

	if (!machine_load_of(&load, r->p, r->quality))
		return;
	json_line(j);
	json_key_open(j, "load", '{');
	json_key_double(j, "used_cpus", load.used);
	if (load.cpus > 0) {
		json_key_double(j, "cpus", load.cpus);
		json_key_double(j, "busy", 1 - load.idle - load.stolen);
		json_key_double(j, "idle", load.idle);
		json_key_double(j, "stolen", load.stolen);
	}
	json_close(j, '}');
}

static int add_kinds(struct json *j, const struct report *r)
{
	struct time_kinds kinds;
	int err = time_kinds_build(&kinds, r->p, r->table.value);

	json_line(j);
	json_key_open(j, "kinds", '[');
	for (size_t i = 0; i < kinds.parts.len; i++) {
		json_open(j, '{');
		json_key_text(j, "kind", time_kind_key(kinds.parts.data[i].kind));
		json_key_text(j, "module", kinds.parts.data[i].module);
		json_key_int(j, "self", kinds.parts.data[i].self);
		json_close(j, '}');
	}
	json_close(j, ']');
	time_kinds_release(&kinds);
	return err;
}

static int add_activities(struct json *j, const struct report *r)
{
	int64_t sums[ACTIVITY_COUNT];
	int err = activities_sum(sums, r->p, r->table.value);

	json_line(j);
	json_key_open(j, "spent_on", '{');
	for (int a = 0; a < ACTIVITY_COUNT && !err; a++)
		if (sums[a])
			json_key_int(j, activity_key((enum activity)a), sums[a]);
	json_close(j, '}');
	return err;
}

static int add_commands(struct json *j, const struct report *r)
{
	struct commands c;
	int err = commands_build(&c, r->p, r->table.value);

	json_line(j);
	json_key_open(j, "commands", '[');
	for (size_t i = 0; i < c.rows.len; i++) {
		json_open(j, '{');
		json_key_text(j, "name", c.rows.data[i].name);
		json_key_int(j, "total", c.rows.data[i].value);
		json_key_uint(j, "processes", c.rows.data[i].n_processes);
		json_close(j, '}');
	}
	json_close(j, ']');
	commands_release(&c);
	return err;
}

static int add_difference(struct json *j, const struct report *r)
{
	struct difference d;
	int err;

	if (!profile_is_difference(r->p, r->table.value))
		return 0;
	err = difference_of(&d, r->p, r->table.value);
	json_line(j);
	json_key_open(j, "difference", '{');
	if (d.has_base)
		json_key_int(j, "base", d.base);
	json_key_int(j, "grew", d.grew);
	json_key_int(j, "shrank", saturating_difference(0, d.less));
	json_key_uint(j, "functions_grew", d.n_grew);
	json_key_uint(j, "functions_shrank", d.n_less);
	json_key_uint(j, "functions_within_chance", d.n_chance);
	json_close(j, '}');
	return err;
}

static int add_table(struct json *j, const struct report *r)
{
	_cleanup_(table_freep) struct table *t = NULL;
	struct table_opts table = r->table;
	size_t n_rows = r->n_rows;
	int err;

	table.with_lost = true;
	err = table_build(&t, r->p, &table);
	if (err)
		return err;
	json_key_open(j, "rows", '[');
	for (size_t i = 0; i < t->rows.len && (!n_rows || i < n_rows); i++) {
		const struct table_row *row = &t->rows.data[i];

		json_line(j);
		json_open(j, '{');
		json_key_text(j, "name", table_text(t, row->name));
		json_key_text(j, "module", table_text(t, row->module));
		json_key_text(j, "caller", table_text(t, row->caller));
		json_key_text(j, "kind", report_kind((uint8_t)row->kind));
		json_key_int(j, "self", row->self);
		json_key_int(j, "total", row->total);
		json_close(j, '}');
	}
	json_line(j);
	json_close(j, ']');
	return 0;
}

int report_json(struct buf *out, const struct report *r)
{
	const struct profile_value_type *type = &r->p->sample_types.data[r->table.value];
	struct json j = {.out = out};
	int err;

	json_open(&j, '{');
	err = add_about(&j, r);
	add_quality(&j, r->quality);
	add_load(&j, r);
	err = err ?: add_difference(&j, r) ?: add_kinds(&j, r) ?: add_activities(&j, r) ?: add_commands(&j, r);
	json_line(&j);
	json_key_text(&j, "type", profile_text(r->p, type->type));
	json_key_text(&j, "unit", profile_text(r->p, type->unit));
	json_key_int(&j, "total", profile_total(r->whole, r->table.value));
	json_key_int(&j, "matched", profile_total(r->p, r->table.value));
	if (!err)
		err = r->tree ? report_tree_json(&j, r) : add_table(&j, r);
	json_close(&j, '}');
	buf_char(out, '\n');
	return err ?: out->err;
}
