// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet callers: who calls a function. */
#include <errno.h>

#include "profiler/base/log.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_function.h"
#include "profiler/fleet/cost_read.h"

#define DEFAULT_ROWS 20
#define MAX_ROWS     1000000000

enum { OPT_TOP, OPT_FLEET /* and above: FLEET_OPTIONS */ };

static const struct option_spec options[] = {
	{"top", 'n', "N", "rows to show, 0 = all (20; JSON all)", OPT_TOP},
	FLEET_OPTIONS(OPT_FLEET),
	{0},
};

struct request {
	struct fleet_args args;
	unsigned long long n_rows;
	bool has_rows;
};

static int handle(const struct options *o, int id, void *request)
{
	struct request *r = request;

	(void)id;
	r->has_rows = true;
	return option_u64(o, "--top", 0, MAX_ROWS, &r->n_rows);
}

/* --- printing ------------------------------------------------------------------------------------- */

static const struct sheet_column columns[] = {{"CORE-HOURS", false},
					      {"SHARE", false},
					      {"DIRECT", false},
					      {"MODULE", true},
					      {"CALLER", true}};

static size_t rows_of(const struct request *r, const struct costs *c)
{
	return r->n_rows && r->n_rows < c->v.len ? (size_t)r->n_rows : c->v.len;
}

static int print_text(const struct fleet_session *s, const struct options *o,
		      const struct request *r, const struct costs *c,
		      const struct function_list *of)
{
	struct cost_values sum = costs_sum(c);
	struct sheet sheet = {.columns = columns, .n_columns = 5};
	struct buf above = {0};
	char text[32];
	int code;

	buf_printf(&above, "Callers of %s, ", of->names.data[0]);
	fleet_add_range(&above, s);
	buf_char(&above, '\n');
	for (size_t i = 0; i < rows_of(r, c); i++) {
		const struct cost *one = &c->v.data[i];

		sheet_cell(&sheet, "%s", fleet_core_hours((double)one->v.total_ns, text));
		sheet_cell(&sheet, "%s",
			   fleet_share((double)one->v.total_ns, (double)sum.total_ns, text));
		sheet_cell(&sheet, "%s",
			   fleet_share((double)one->v.self_ns, (double)sum.total_ns, text));
		sheet_cell(&sheet, "%s", costs_text(c, one->module));
		sheet_cell(&sheet, "%s", costs_text(c, one->name));
	}
	code = fleet_print_sheet(s, o, buf_cstr(&above), &sheet);
	buf_release(&above);
	sheet_release(&sheet);
	return code;
}

static int print_json(const struct fleet_session *s, const struct request *r, const struct costs *c,
		      const struct function_list *of)
{
	struct buf out = {0};
	struct json j = {.out = &out};

	fleet_json_begin(&j, s);
	json_key_text(&j, "function", of->names.data[0]);
	json_key_open(&j, "rows", '[');
	for (size_t i = 0; i < rows_of(r, c); i++) {
		json_line(&j);
		json_open(&j, '{');
		json_key_text(&j, "name", costs_text(c, c->v.data[i].name));
		json_key_text(&j, "module", costs_text(c, c->v.data[i].module));
		fleet_json_values(&j, &c->v.data[i].v, false);
		json_close(&j, '}');
	}
	json_line(&j);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_char(&out, '\n');
	return fleet_print(&out);
}

/* --- the question --------------------------------------------------------------------------------- */

struct reading {
	const struct function_list *of;
	struct costs costs;
};

static int make(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct reading *r = ctx;

	return function_sql_callers(sql, s, r->of, why);
}

static int read_answer(void *ctx, const struct ch_answer *a, struct why *why)
{
	struct reading *r = ctx;

	return cost_read(&r->costs, NULL, a, why);
}

static int print_sql(struct fleet_session *s, struct reading *r)
{
	struct cost_scope scope;
	struct why why = {""};
	struct buf sql = {0};
	int err;

	asking_scope(&s->asking, &scope);
	err = make(r, &sql, &scope, &why);
	if (!err)
		return fleet_print_sql(&sql);
	buf_release(&sql);
	return fleet_failed(err, &why);
}

static int print(struct fleet_session *s, const struct options *o, struct request *r,
		 struct reading *reading)
{
	costs_sort(&reading->costs, COSTS_BY_TOTAL);
	if (!reading->costs.v.len) {
		log_error("the fleet has no samples of it then");
		return EXIT_NO_SAMPLES;
	}
	return r->args.json ? print_json(s, r, &reading->costs, reading->of)
			    : print_text(s, o, r, &reading->costs, reading->of);
}

static int callers(struct fleet_session *s, const struct options *o, void *request,
		   const char *operand)
{
	struct request *r = request;
	struct function_list of = {0};
	struct reading reading = {.of = &of};
	const struct asking_each each = {make, read_answer, &reading, false};
	struct why why = {""};
	int code = fleet_function_find(s, operand, &of), err = 0;

	if (!r->has_rows)
		r->n_rows = r->args.json ? 0 : DEFAULT_ROWS;
	if (code == EXIT_OK && r->args.sql) {
		code = print_sql(s, &reading);
	} else if (code == EXIT_OK) {
		err = asking_each(&s->asking, &each, &why);
		code = err ? fleet_failed(err, &why) : print(s, o, r, &reading);
	}
	costs_release(&reading.costs);
	function_list_release(&of);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct request r = {0};
	const struct fleet_question q = {.args = &r.args,
					 .request = &r,
					 .handle = handle,
					 .first_id = OPT_FLEET,
					 .operand = "FUNCTION",
					 .usual_ns = FLEET_DAY_NS,
					 .ask = callers};

	return fleet_run(self, argc, argv, &q);
}

const struct command command_fleet_callers = {
	.name = "fleet callers",
	.summary = "who calls a function, and for how much of its time",
	.synopsis = "[options] FUNCTION",
	.examples = "  kiln fleet callers malloc\n"
		    "  kiln fleet callers malloc --where service_name=api --since 7d\n",
	.options = options,
	.run = run,
};
