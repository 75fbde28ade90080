// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet grew: what costs more than in the period before, or less, above the noise floor. */
#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/base/quantity.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_args.h"
#include "profiler/fleet/growth.h"

#define DEFAULT_ROWS 20
#define MAX_ROWS     1000000000
#define MUCH_MORE    1.05 /* times */
#define BY_WORDS     "function|module|service|host"

enum { OPT_AGAINST, OPT_BY, OPT_SORT, OPT_TOP, OPT_FLEET /* and above: FLEET_OPTIONS */ };

static const struct option_spec options[] = {
	{"against", 0, "TIME", "length of the period before, such as 7d (as long as --since)",
	 OPT_AGAINST},
	{"by", 0, BY_WORDS, "what a row is (function)", OPT_BY},
	{"sort", 0, "self|total", "compare time of its own, or with all it called (self)",
	 OPT_SORT},
	{"top", 'n', "N", "rows to show in each direction, 0 = all (20; JSON all)", OPT_TOP},
	FLEET_OPTIONS(OPT_FLEET),
	{0},
};

struct request {
	struct fleet_args args;
	struct asked asked;
	unsigned long long n_rows;
	bool has_rows;
	int64_t before_ns;
};

static int set_against(const struct options *o, struct request *r)
{
	unsigned long long ns;
	int err = option_duration_ns(o, "--against", &ns);

	if (!err && (!ns || ns > INT64_MAX)) {
		usage_error(o->cmd, "--against: a length of time, such as 7d");
		return -EINVAL;
	}
	r->before_ns = err ? 0 : (int64_t)ns;
	return err;
}

static int handle(const struct options *o, int id, void *request)
{
	struct request *r = request;
	int word;

	switch (id) {
	case OPT_AGAINST:
		return set_against(o, r);
	case OPT_BY:
		word = option_word(o, "--by", BY_WORDS);
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

struct found {
	const struct fleet_session *s;
	const struct request *r;
	struct costs costs;
	struct cost_values whole;
	struct sampled sampled;
	double scale;
	struct growth growth;
};

static double length_before_s(const struct fleet_session *s)
{
	return (double)(s->asking.o.split_s - s->asking.o.range.since_s);
}

/* --- printing ------------------------------------------------------------------------------------- */

static const struct sheet_column functions[] = {
	{"CHANGE", false}, {"BEFORE", false}, {"AFTER", false},	 {"SHARE", false},
	{"SERVICE", true}, {"MODULE", true},  {"FUNCTION", true}};
static const struct sheet_column others[] = {
	{"CHANGE", false}, {"BEFORE", false}, {"AFTER", false}, {"SHARE", false}, {"NAME", true}};

static size_t rows_of(const struct found *f, size_t n)
{
	return f->r->n_rows && f->r->n_rows < n ? (size_t)f->r->n_rows : n;
}

static void add_row(struct sheet *sheet, const struct found *f, const struct growth_row *row)
{
	const struct cost *c = &f->costs.v.data[row->cost];
	double whole = (double)f->whole.total_ns, after = (double)row->after_ns;
	char text[32];

	sheet_cell(sheet, "%s%s", after > row->before_ns ? "+" : "",
		   fleet_core_hours(after - row->before_ns, text));
	sheet_cell(sheet, "%s", fleet_core_hours(row->before_ns, text));
	sheet_cell(sheet, "%s", fleet_core_hours(after, text));
	sheet_cell(sheet, "%s", fleet_share(after, whole, text));
	if (f->r->asked.by == COST_FUNCTION) {
		sheet_cell(sheet, "%s", costs_text(&f->costs, c->of));
		sheet_cell(sheet, "%s", costs_text(&f->costs, c->module));
	}
	sheet_cell(sheet, "%s", costs_text(&f->costs, c->name));
}

/* Hosts that were not there, or not sampled, are no change of the programs. */
static void add_totals(struct buf *out, const struct found *f)
{
	double after = (double)f->sampled.duration_ns,
	       before = (double)f->sampled.before_ns * f->scale;
	char hours[32], host_hours[32], length[32];

	buf_printf(out, "%s core-hours of %s host-hours, ",
		   fleet_core_hours((double)f->whole.total_ns, hours),
		   fleet_core_hours(after, host_hours));
	fleet_add_range(out, f->s);
	buf_printf(
		out, "\n%s of %s in as much time of the %s before\n",
		fleet_core_hours((double)f->whole.total_before_ns * f->scale, hours),
		fleet_core_hours(before, host_hours),
		quantity_format_duration((uint64_t)length_before_s(f->s) * NS_PER_S, length, 32));
	if (after > MUCH_MORE * before || before > MUCH_MORE * after)
		buf_str(out, "note: much of the change is that of the host-hours sampled\n");
	buf_printf(out, "%zu grew and %zu shrank by more than chance\n", f->growth.grown.len,
		   f->growth.shrunk.len);
}

static int print_text(const struct found *f, const struct options *o)
{
	bool is_function = f->r->asked.by == COST_FUNCTION;
	struct sheet sheet = {.columns = is_function ? functions : others,
			      .n_columns = is_function ? 7 : 5};
	size_t n_grown = rows_of(f, f->growth.grown.len),
	       n_shrunk = rows_of(f, f->growth.shrunk.len);
	struct buf above = {0};
	int code;

	add_totals(&above, f);
	for (size_t i = 0; i < n_grown; i++)
		add_row(&sheet, f, &f->growth.grown.data[i]);
	for (size_t i = 0; i < n_shrunk; i++)
		add_row(&sheet, f, &f->growth.shrunk.data[i]);
	code = fleet_print_sheet(f->s, o, buf_cstr(&above), &sheet);
	buf_release(&above);
	sheet_release(&sheet);
	return code;
}

static void json_rows(struct json *j, const struct found *f, const char *key,
		      const struct growth_row *rows, size_t n)
{
	json_key_open(j, key, '[');
	for (size_t i = 0; i < n; i++) {
		const struct cost *c = &f->costs.v.data[rows[i].cost];

		json_line(j);
		json_open(j, '{');
		json_key_text(j, "name", costs_text(&f->costs, c->name));
		if (f->r->asked.by == COST_FUNCTION)
			json_key_text(j, "module", costs_text(&f->costs, c->module));
		if (f->r->asked.of_service)
			json_key_text(j, "service", costs_text(&f->costs, c->of));
		fleet_json_values(j, &c->v, true);
		json_key(j, "deviations");
		json_double(j, rows[i].deviations);
		json_close(j, '}');
	}
	json_line(j);
	json_close(j, ']');
}

static int print_json(const struct found *f)
{
	struct buf out = {0};
	struct json j = {.out = &out};

	fleet_json_begin(&j, f->s);
	json_key_int(&j, "before_since_ns", f->s->asking.o.range.since_s * (int64_t)NS_PER_S);
	json_key_int(&j, "whole_ns", f->whole.total_ns);
	json_key_int(&j, "whole_before_ns", f->whole.total_before_ns);
	json_key_int(&j, "sampled_ns", f->sampled.duration_ns);
	json_key_int(&j, "sampled_before_ns", f->sampled.before_ns);
	json_key_int(&j, "period_ns", f->sampled.period_ns);
	json_rows(&j, f, "grew", f->growth.grown.data, rows_of(f, f->growth.grown.len));
	json_rows(&j, f, "shrank", f->growth.shrunk.data, rows_of(f, f->growth.shrunk.len));
	json_close(&j, '}');
	buf_char(&out, '\n');
	return fleet_print(&out);
}

/* --- the question --------------------------------------------------------------------------------- */

static int print_sql(const struct fleet_session *s, const struct request *r)
{
	struct cost_question q = {
		.by = r->asked.by, .of_service = r->asked.of_service, .order = r->asked.order};
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

static int find(struct fleet_session *s, struct found *f, struct why *why)
{
	int err = asking_sampled(&s->asking, &f->sampled, why)
			  ?: asking_costs(&s->asking, &f->r->asked, &f->costs, &f->whole, why);
	struct growth_input in = {.costs = &f->costs, .by = f->r->asked.order, .whole = f->whole};

	if (err)
		return err;
	if (!f->whole.total_ns && !f->whole.total_before_ns)
		return why_say(why, -ENODATA, "the fleet holds nothing of that");
	if (f->sampled.period_ns <= 0)
		return why_say(why, -ENODATA,
			       "no window of that time says how often it was sampled");
	f->scale = (double)(s->asking.o.range.until_s - s->asking.o.split_s) / length_before_s(s);
	in.scale = f->scale;
	in.period_ns = f->sampled.period_ns;
	err = growth_find(&f->growth, &in);
	return err ? why_say(why, err, "out of memory") : 0;
}

static int grew(struct fleet_session *s, const struct options *o, void *request,
		const char *operand __attribute__((unused)))
{
	struct request *r = request;
	struct found f = {.s = s, .r = r};
	struct why why = {""};
	int err, code;

	r->asked.of_service = r->asked.by == COST_FUNCTION;
	if (!r->has_rows)
		r->n_rows = r->args.json ? 0 : DEFAULT_ROWS;
	if (r->args.sql)
		return print_sql(s, r);
	if (length_before_s(s) <= 0)
		return usage_error(s->cmd, "there is no time before --since");
	err = find(s, &f, &why);
	if (err)
		code = fleet_failed(err, &why);
	else
		code = r->args.json ? print_json(&f) : print_text(&f, o);
	growth_release(&f.growth);
	costs_release(&f.costs);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct request r = {.before_ns = -1};
	const struct fleet_question q = {.args = &r.args,
					 .request = &r,
					 .handle = handle,
					 .first_id = OPT_FLEET,
					 .usual_ns = 7 * FLEET_DAY_NS,
					 .before_ns = &r.before_ns,
					 .ask = grew};

	return fleet_run(self, argc, argv, &q);
}

const struct command command_fleet_grew = {
	.name = "fleet grew",
	.summary = "what costs more than in the period before, or less",
	.synopsis = "[options]",
	.examples =
		"  kiln fleet grew                                   this week against the last\n"
		"  kiln fleet grew --since 1h --against 1d           the last hour against a day\n"
		"  kiln fleet grew --where service_name=api --sort total --markdown\n",
	.options = options,
	.run = run,
};
