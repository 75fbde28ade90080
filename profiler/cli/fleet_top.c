// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet top: what costs most. */
#include <errno.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_args.h"

#define DEFAULT_ROWS 20
#define MAX_ROWS     1000000000

enum { OPT_BY, OPT_SORT, OPT_TOP, OPT_FLEET /* and above: FLEET_OPTIONS */ };

static const struct option_spec options[] = {
	{"by", 0, COST_BY_WORDS, "what a row is (function)", OPT_BY},
	{"sort", 0, "self|total", "time of its own, or with all it called (self)", OPT_SORT},
	{"top", 'n', "N", "rows to show, 0 = all (20; JSON all)", OPT_TOP},
	FLEET_OPTIONS(OPT_FLEET),
	{0},
};

struct request {
	struct fleet_args args;
	struct asked asked;
	unsigned long long n_rows;
	bool has_rows;
};

static int handle(const struct options *o, int id, void *request)
{
	struct request *r = request;
	int word;

	switch (id) {
	case OPT_BY:
		word = option_word(o, "--by", COST_BY_WORDS);
		r->asked.by = word < 0 ? 0 : (enum cost_by)word;
		return word < 0 ? word : 0;
	case OPT_SORT:
		word = option_word(o, "--sort", "self|total");
		r->asked.order = word < 0 ? 0 : (enum costs_order)word;
		return word < 0 ? word : 0;
	default:
		r->has_rows = true;
		return option_u64(o, "--top", 0, MAX_ROWS, &r->n_rows);
	}
}

/* --- printing ------------------------------------------------------------------------------------- */

static const struct sheet_column
	wide[] = {{"CORE-HOURS", false},
		  {"SELF", false},
		  {"TOTAL", false},
		  {"MODULE", true},
		  {"FUNCTION", true}},
	modules[] = {{"CORE-HOURS", false}, {"SELF", false}, {"TOTAL", false}, {"MODULE", true}},
	services[] = {{"CORE-HOURS", false}, {"SHARE", false}, {"SERVICE", true}},
	hosts[] = {{"CORE-HOURS", false}, {"SHARE", false}, {"HOST", true}};

static void add_row(struct sheet *s, const struct costs *c, size_t i, const struct request *r,
		    double whole)
{
	const struct cost *one = &c->v.data[i];
	double ns =
		r->asked.order == COSTS_BY_SELF ? (double)one->v.self_ns : (double)one->v.total_ns;
	char text[32];

	sheet_cell(s, "%s", fleet_core_hours(ns, text));
	sheet_cell(s, "%s", fleet_share((double)one->v.self_ns, whole, text));
	if (r->asked.by <= COST_MODULE)
		sheet_cell(s, "%s", fleet_share((double)one->v.total_ns, whole, text));
	if (r->asked.by == COST_FUNCTION)
		sheet_cell(s, "%s", costs_text(c, one->module));
	sheet_cell(s, "%s", costs_text(c, one->name));
}

static int print_text(const struct fleet_session *s, const struct options *o,
		      const struct request *r, const struct costs *c,
		      const struct cost_values *whole)
{
	static const struct sheet_column *const columns[] = {wide, modules, services, hosts};
	static const size_t n_columns[] = {5, 4, 3, 3};
	struct sheet sheet = {.columns = columns[r->asked.by], .n_columns = n_columns[r->asked.by]};
	size_t n = r->n_rows && r->n_rows < c->v.len ? (size_t)r->n_rows : c->v.len;
	struct buf above = {0};
	char text[32];
	int code;

	buf_printf(&above, "%s core-hours, ", fleet_core_hours((double)whole->total_ns, text));
	fleet_add_range(&above, s);
	buf_char(&above, '\n');
	for (size_t i = 0; i < n; i++)
		add_row(&sheet, c, i, r, (double)whole->total_ns);
	code = fleet_print_sheet(s, o, buf_cstr(&above), &sheet);
	buf_release(&above);
	sheet_release(&sheet);
	return code;
}

static int print_json(const struct fleet_session *s, const struct request *r, const struct costs *c,
		      const struct cost_values *whole)
{
	size_t n = r->n_rows && r->n_rows < c->v.len ? (size_t)r->n_rows : c->v.len;
	struct buf out = {0};
	struct json j = {.out = &out};

	fleet_json_begin(&j, s);
	json_key_int(&j, "whole_ns", whole->total_ns);
	json_key_open(&j, "rows", '[');
	for (size_t i = 0; i < n; i++) {
		const struct cost *one = &c->v.data[i];

		json_line(&j);
		json_open(&j, '{');
		json_key_text(&j, "name", costs_text(c, one->name));
		if (r->asked.by == COST_FUNCTION)
			json_key_text(&j, "module", costs_text(c, one->module));
		fleet_json_values(&j, &one->v, false);
		json_close(&j, '}');
	}
	json_line(&j);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_char(&out, '\n');
	return fleet_print(&out);
}

/* --- the question --------------------------------------------------------------------------------- */

static int print_sql(const struct fleet_session *s, const struct request *r)
{
	struct cost_question q = {
		.by = r->asked.by, .order = r->asked.order, .limit = r->asked.limit};
	struct why why = {""};
	struct buf sql = {0};
	int err;

	asking_scope(&s->asking, &q.scope);
	err = cost_sql(&sql, &q, &why);
	if (!err)
		return fleet_print_sql(&sql);
	buf_release(&sql);
	return fleet_failed(err, &why);
}

static int top(struct fleet_session *s, const struct options *o, void *request,
	       const char *operand __attribute__((unused)))
{
	struct request *r = request;
	struct cost_values whole = {0};
	struct costs costs = {0};
	struct why why = {""};
	int err, code;

	if (!r->has_rows)
		r->n_rows = r->args.json ? 0 : DEFAULT_ROWS;
	r->asked.limit = (size_t)r->n_rows;
	if (r->args.sql)
		return print_sql(s, r);
	err = asking_costs(&s->asking, &r->asked, &costs, &whole, &why);
	if (err)
		code = fleet_failed(err, &why);
	else if (r->args.json)
		code = print_json(s, r, &costs, &whole);
	else
		code = print_text(s, o, r, &costs, &whole);
	if (code == EXIT_OK && !costs.v.len) {
		log_info("nothing of that");
		code = EXIT_NO_SAMPLES;
	}
	costs_release(&costs);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct request r = {0};
	const struct fleet_question q = {.args = &r.args,
					 .request = &r,
					 .handle = handle,
					 .first_id = OPT_FLEET,
					 .usual_ns = FLEET_DAY_NS,
					 .ask = top};

	return fleet_run(self, argc, argv, &q);
}

const struct command command_fleet_top = {
	.name = "fleet top",
	.summary = "which functions, modules, services or hosts cost most",
	.synopsis = "[options]",
	.examples =
		"  kiln fleet top                                    functions, of the last day\n"
		"  kiln fleet top --by service --since 7d            core-hours of services\n"
		"  kiln fleet top --where service_name=api --sort total\n"
		"  kiln fleet top --from clickhouse+http://db:8123/kiln --by host --json\n",
	.options = options,
	.run = run,
};
