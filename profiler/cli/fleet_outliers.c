// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet outliers: hosts on which a service does not do what it does on the others. */
#include <errno.h>
#include <math.h>

#include "profiler/base/text.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_args.h"
#include "profiler/fleet/cost_read.h"
#include "profiler/fleet/deviation.h"
#include "profiler/fleet/host_sql.h"
#include "profiler/fleet/outliers.h"

#define DEFAULT_FUNCTIONS 5
#define MAX_ROWS	  1000000000

enum { OPT_SORT, OPT_TOP, OPT_FLEET /* and above: FLEET_OPTIONS */ };

static const struct option_spec options[] = {
	{"sort", 0, "self|total", "compare time of its own, or with all it called (self)",
	 OPT_SORT},
	{"top", 'n', "N", "functions to show of each host, 0 = all (5; JSON all)", OPT_TOP},
	FLEET_OPTIONS(OPT_FLEET),
	{0},
};

struct request {
	struct fleet_args args;
	enum costs_order order;
	unsigned long long n_rows;
	bool has_rows;
};

static int handle(const struct options *o, int id, void *request)
{
	struct request *r = request;
	int word;

	if (id == OPT_TOP) {
		r->has_rows = true;
		return option_u64(o, "--top", 0, MAX_ROWS, &r->n_rows);
	}
	word = option_word(o, "--sort", "self|total");
	r->order = word < 0 ? 0 : (enum costs_order)word;
	return word < 0 ? word : 0;
}

struct found {
	const struct request *r;
	struct costs hosts, durations, cells;
	struct sampled sampled;
	struct outliers outliers;
};

static void found_release(struct found *f)
{
	costs_release(&f->hosts);
	costs_release(&f->durations);
	costs_release(&f->cells);
	outliers_release(&f->outliers);
}

/* --- asking --------------------------------------------------------------------------------------- */

static int make_cells(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct found *f = ctx;

	return host_sql_functions(sql, s, f->r->order, why);
}

static int read_cells(void *ctx, const struct ch_answer *a, struct why *why)
{
	struct found *f = ctx;

	return cost_read(&f->cells, NULL, a, why);
}

static int make_durations(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	(void)ctx;
	(void)why;
	return host_sql_durations(sql, s);
}

static int read_durations(void *ctx, const struct ch_answer *a, struct why *why)
{
	struct found *f = ctx;

	return cost_read(&f->durations, NULL, a, why);
}

static int make_hosts(void *ctx, struct buf *sql, const struct cost_scope *s, struct why *why)
{
	const struct cost_question q = {.scope = *s, .by = COST_HOST};

	(void)ctx;
	return cost_sql(sql, &q, why);
}

static int read_hosts(void *ctx, const struct ch_answer *a, struct why *why)
{
	struct found *f = ctx;

	return cost_read(&f->hosts, NULL, a, why);
}

static int find(struct fleet_session *s, struct found *f, struct why *why)
{
	const struct asking_each questions[] = {
		{make_hosts, read_hosts, f, false},
		{make_durations, read_durations, f, false},
		{make_cells, read_cells, f, false},
	};
	struct outliers_input in = {&f->hosts, &f->durations, &f->cells, f->r->order, 0};
	int err = asking_sampled(&s->asking, &f->sampled, why);

	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions) && !err; i++)
		err = asking_each(&s->asking, &questions[i], why);
	if (err)
		return err;
	in.period_ns = f->sampled.period_ns;
	err = outliers_find(&f->outliers, &in);
	if (err == -ERANGE)
		return why_say(why, -ENODATA,
			       "that service is on %zu host%s then: at least %d are needed to say "
			       "which differs",
			       f->hosts.v.len, text_s(f->hosts.v.len), OUTLIER_LEAST_HOSTS);
	return err ? why_say(why, err, "out of memory") : 0;
}

static int print_sql(struct fleet_session *s, struct found *f)
{
	struct cost_scope scope;
	struct why why = {""};
	struct buf sql = {0};
	int err;

	asking_scope(&s->asking, &scope);
	err = make_hosts(f, &sql, &scope, &why);
	buf_str(&sql, ";\n");
	err = err ?: make_durations(f, &sql, &scope, &why);
	buf_str(&sql, ";\n");
	err = err ?: make_cells(f, &sql, &scope, &why);
	if (!err)
		return fleet_print_sql(&sql);
	buf_release(&sql);
	return fleet_failed(err, &why);
}

/* --- printing ------------------------------------------------------------------------------------- */

static const struct sheet_column columns[] = {
	{"HOST", true},	       {"SHARE", false}, {"USUAL", false},  {"SIGMA", false},
	{"CORE-HOURS", false}, {"MODULE", true}, {"FUNCTION", true}};

static size_t functions_of(const struct found *f, const struct outlier_host *h)
{
	return f->r->n_rows && f->r->n_rows < h->functions.len ? (size_t)f->r->n_rows
							       : h->functions.len;
}

static void add_function(struct sheet *sheet, const struct found *f, const struct outlier_host *h,
			 const struct outlier_function *one)
{
	char text[32];

	sheet_cell(sheet, "%s", costs_text(&f->hosts, h->host));
	sheet_cell(sheet, "%s", fleet_share(one->share, 1, text));
	sheet_cell(sheet, "%s", fleet_share(one->median, 1, text));
	sheet_cell(sheet, "%+.0f", one->deviations);
	sheet_cell(sheet, "%s%s", one->extra_ns > 0 ? "+" : "",
		   fleet_core_hours(one->extra_ns, text));
	sheet_cell(sheet, "%s", costs_text(&f->cells, one->module));
	sheet_cell(sheet, "%s", costs_text(&f->cells, one->name));
}

/* The whole host: shares are CPUs then. */
static void add_host(struct sheet *sheet, const struct found *f, const struct outlier_host *h)
{
	char text[32];

	sheet_cell(sheet, "%s", costs_text(&f->hosts, h->host));
	sheet_cell(sheet, "%.2f", h->cores);
	sheet_cell(sheet, "%.2f", h->usual_cores);
	sheet_cell(sheet, "%s", "");
	sheet_cell(sheet, "%s", fleet_core_hours((double)h->cpu_ns, text));
	sheet_cell(sheet, "%s", "");
	sheet_cell(sheet, "%s", h->is_busy ? "(busier: CPUs in use)" : "(less busy: CPUs in use)");
}

static int print_text(const struct fleet_session *s, const struct options *o, const struct found *f,
		      const char *service)
{
	struct sheet sheet = {.columns = columns, .n_columns = 7};
	struct buf above = {0};
	int code;

	fleet_add_text(&above, service);
	buf_printf(&above, ": %zu of %zu hosts differ%s, ", f->outliers.v.len, f->outliers.n_hosts,
		   f->outliers.v.len == 1 ? "s" : "");
	fleet_add_range(&above, s);
	buf_char(&above, '\n');
	for (size_t i = 0; i < f->outliers.v.len; i++) {
		const struct outlier_host *h = &f->outliers.v.data[i];

		if (h->is_busy || h->is_idle)
			add_host(&sheet, f, h);
		for (size_t k = 0; k < functions_of(f, h); k++)
			add_function(&sheet, f, h, &h->functions.data[k]);
	}
	code = fleet_print_sheet(s, o, buf_cstr(&above), &sheet);
	buf_release(&above);
	sheet_release(&sheet);
	return code;
}

static void json_number(struct json *j, const char *key, double v)
{
	json_key(j, key);
	json_double(j, isfinite(v) ? v : 0);
}

static void json_host(struct json *j, const struct found *f, const struct outlier_host *h)
{
	json_line(j);
	json_open(j, '{');
	json_key_text(j, "host", costs_text(&f->hosts, h->host));
	json_key_int(j, "cpu_ns", h->cpu_ns);
	json_number(j, "cpus", h->cores);
	json_number(j, "usual_cpus", h->usual_cores);
	json_key_bool(j, "busier", h->is_busy);
	json_key_bool(j, "less_busy", h->is_idle);
	json_key_open(j, "functions", '[');
	for (size_t i = 0; i < functions_of(f, h); i++) {
		const struct outlier_function *one = &h->functions.data[i];

		json_line(j);
		json_open(j, '{');
		json_key_text(j, "name", costs_text(&f->cells, one->name));
		json_key_text(j, "module", costs_text(&f->cells, one->module));
		json_number(j, "share", one->share);
		json_number(j, "usual_share", one->median);
		json_number(j, "deviations", one->deviations);
		json_number(j, "extra_ns", one->extra_ns);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static int print_json(const struct fleet_session *s, const struct found *f, const char *service)
{
	struct buf out = {0};
	struct json j = {.out = &out};

	fleet_json_begin(&j, s);
	fleet_json_text(&j, "service", service);
	json_key_uint(&j, "compared", f->outliers.n_hosts);
	json_key_open(&j, "hosts", '[');
	for (size_t i = 0; i < f->outliers.v.len; i++)
		json_host(&j, f, &f->outliers.v.data[i]);
	json_line(&j);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_char(&out, '\n');
	return fleet_print(&out);
}

/* --- the question --------------------------------------------------------------------------------- */

static int outliers(struct fleet_session *s, const struct options *o, void *request,
		    const char *operand)
{
	struct request *r = request;
	struct found f = {.r = r};
	struct why why = {""};
	int err, code;

	if (!r->has_rows)
		r->n_rows = r->args.json ? 0 : DEFAULT_FUNCTIONS;
	if (r->args.sql)
		return print_sql(s, &f);
	err = find(s, &f, &why);
	if (err)
		code = fleet_failed(err, &why);
	else if (r->args.json)
		code = print_json(s, &f, operand);
	else
		code = print_text(s, o, &f, operand);
	found_release(&f);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct request r = {0};
	const struct fleet_question q = {.args = &r.args,
					 .request = &r,
					 .handle = handle,
					 .first_id = OPT_FLEET,
					 .operand = "SERVICE",
					 .is_of_service = true,
					 .usual_ns = FLEET_DAY_NS,
					 .ask = outliers};

	return fleet_run(self, argc, argv, &q);
}

const struct command command_fleet_outliers = {
	.name = "fleet outliers",
	.summary = "hosts on which a service differs, and in which functions",
	.synopsis = "[options] SERVICE",
	.examples =
		"  kiln fleet outliers api                   hosts that differ, of the last day\n"
		"  kiln fleet outliers api --sort total --since 1h\n",
	.options = options,
	.run = run,
};
