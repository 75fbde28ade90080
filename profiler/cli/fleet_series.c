// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet series: what a function costs over time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_function.h"

#define MAX_STEPS 60

enum { OPT_STEP, OPT_FLEET /* and above: FLEET_OPTIONS */ };

static const struct option_spec options[] = {
	{"step", 0, "TIME", "how much time a row is, such as 10m (some dozens of rows)", OPT_STEP},
	FLEET_OPTIONS(OPT_FLEET),
	{0},
};

struct request {
	struct fleet_args args;
	int64_t step_s;
};

static int handle(const struct options *o, int id, void *request)
{
	struct request *r = request;
	unsigned long long ns;
	int err = option_duration_ns(o, "--step", &ns);

	(void)id;
	if (!err && (ns < NS_PER_S || ns / NS_PER_S > UINT32_MAX)) {
		usage_error(o->cmd, "--step: a second at least");
		err = -EINVAL;
	}
	r->step_s = err ? 0 : (int64_t)(ns / NS_PER_S);
	return err;
}

static int64_t usual_step_s(const struct times *range)
{
	static const int steps[] = {10, 60, 300, 600, 3600, 6 * 3600, 86400, 7 * 86400};
	size_t n = sizeof(steps) / sizeof(*steps), i = 0;

	while (i + 1 < n && (range->until_s - range->since_s) / steps[i] > MAX_STEPS)
		i++;
	return steps[i];
}

/* Steps begin at full hours of the local time, and so on. */
static int64_t offset_s(const struct fleet_session *s, int64_t step_s)
{
	time_t since = (time_t)(s->since_ns / (int64_t)NS_PER_S);
	struct tm tm;
	int64_t rest;

	if (!localtime_r(&since, &tm))
		return 0;
	rest = tm.tm_gmtoff % step_s;
	return rest < 0 ? rest + step_s : rest;
}

/* --- printing ------------------------------------------------------------------------------------- */

static const struct sheet_column columns[] = {{"TIME", true},	  {"SELF", false},
					      {"TOTAL", false},	  {"SELF %", false},
					      {"TOTAL %", false}, {"OF CORE-HOURS", false}};

static void add_point(struct sheet *sheet, const struct time_point *p)
{
	time_t at = (time_t)p->at_s;
	double whole = (double)p->whole_ns;
	char text[40] = "?";
	struct tm tm;

	if (localtime_r(&at, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	sheet_cell(sheet, "%s", text);
	sheet_cell(sheet, "%s", fleet_core_hours((double)p->self_ns, text));
	sheet_cell(sheet, "%s", fleet_core_hours((double)p->total_ns, text));
	sheet_cell(sheet, "%s", fleet_share((double)p->self_ns, whole, text));
	sheet_cell(sheet, "%s", fleet_share((double)p->total_ns, whole, text));
	sheet_cell(sheet, "%s", fleet_core_hours(whole, text));
}

static int print_text(const struct fleet_session *s, const struct options *o,
		      const struct time_series *series, const struct function_list *of)
{
	struct sheet sheet = {.columns = columns, .n_columns = 6};
	struct buf above = {0};
	int code;

	buf_printf(&above, "%s, in core-hours, ", of->names.data[0]);
	fleet_add_range(&above, s);
	buf_char(&above, '\n');
	for (size_t i = 0; i < series->v.len; i++)
		add_point(&sheet, &series->v.data[i]);
	code = fleet_print_sheet(s, o, buf_cstr(&above), &sheet);
	buf_release(&above);
	sheet_release(&sheet);
	return code;
}

static int print_json(const struct fleet_session *s, const struct request *r,
		      const struct time_series *series, const struct function_list *of)
{
	struct buf out = {0};
	struct json j = {.out = &out};

	fleet_json_begin(&j, s);
	json_key_text(&j, "function", of->names.data[0]);
	json_key_int(&j, "step_ns", r->step_s * (int64_t)NS_PER_S);
	json_key_open(&j, "rows", '[');
	for (size_t i = 0; i < series->v.len; i++) {
		const struct time_point *p = &series->v.data[i];

		json_line(&j);
		json_open(&j, '{');
		json_key_int(&j, "begin_ns", p->at_s * (int64_t)NS_PER_S);
		json_key_int(&j, "self_ns", p->self_ns);
		json_key_int(&j, "total_ns", p->total_ns);
		json_key_int(&j, "whole_ns", p->whole_ns);
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
	struct time_series_question q;
	struct time_series series;
};

static int make(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct reading *r = ctx;

	return function_sql_series(sql, s, &r->q, why);
}

static int read_answer(void *ctx, const struct ch_answer *a, struct why *why)
{
	struct reading *r = ctx;

	return time_series_read(&r->series, a, why);
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

static int ask(struct fleet_session *s, const struct options *o, struct request *r,
	       struct reading *reading)
{
	const struct asking_each each = {make, read_answer, reading,
					 time_series_fits_rollup(&reading->q)};
	struct why why = {""};
	int err = asking_each(&s->asking, &each, &why);

	if (err)
		return fleet_failed(err, &why);
	if (!reading->series.v.len) {
		log_error("the fleet holds nothing of that");
		return EXIT_NO_SAMPLES;
	}
	return r->args.json ? print_json(s, r, &reading->series, reading->q.of)
			    : print_text(s, o, &reading->series, reading->q.of);
}

static int series(struct fleet_session *s, const struct options *o, void *request,
		  const char *operand)
{
	struct request *r = request;
	struct function_list of = {0};
	struct reading reading = {.q = {.of = &of}};
	int code = fleet_function_find(s, operand, &of);

	if (!r->step_s)
		r->step_s = usual_step_s(&s->asking.o.range);
	reading.q.step_s = r->step_s;
	reading.q.offset_s = offset_s(s, r->step_s);
	if (code == EXIT_OK)
		code = r->args.sql ? print_sql(s, &reading) : ask(s, o, r, &reading);
	vec_release(&reading.series.v);
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
					 .ask = series};

	return fleet_run(self, argc, argv, &q);
}

const struct command command_fleet_series = {
	.name = "fleet series",
	.summary = "what a function costs over time",
	.synopsis = "[options] FUNCTION",
	.examples = "  kiln fleet series malloc --since 7d\n"
		    "  kiln fleet series malloc --step 5m --where service_name=api --json\n",
	.options = options,
	.run = run,
};
