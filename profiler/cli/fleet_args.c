// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/fleet_args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/when.h"
#include "profiler/cli/fleet_target.h"
#include "profiler/profile/profile.h"
#include "profiler/store/where.h"

#define NS_PER_CORE_HOUR 3.6e12

void fleet_args_set(struct fleet_args *a, int which, const char *value)
{
	const char **texts[] = {&a->from, &a->since, &a->until, &a->where, &a->config};
	bool *flags[] = {&a->json, &a->markdown, &a->sql, &a->no_rollup};

	if (which < FLEET_ARG_JSON)
		*texts[which] = value;
	else if (which < FLEET_ARG_TARGET)
		*flags[which - FLEET_ARG_JSON] = true;
	else
		target_args_set(&a->target, which - FLEET_ARG_TARGET, value);
}

int fleet_failed(int err, const struct why *why)
{
	log_error("%s", *why->text ? why->text : strerror(-err));
	switch (err) {
	case -EINVAL:
		return EXIT_USAGE;
	case -EACCES:
		return EXIT_NOT_PERMITTED;
	case -ENODATA:
		return EXIT_NO_SAMPLES;
	default:
		return EXIT_ERROR;
	}
}

/* --- opening -------------------------------------------------------------------------------------- */

static int parse_when(const struct command *cmd, const char *option, const char *text,
		      int64_t now_ns, int64_t *ns)
{
	if (!text || !when_parse(text, now_ns, ns))
		return EXIT_OK;
	return usage_error(cmd, "%s: \"%.80s\" is not a time such as %s", option, text,
			   WHEN_EXAMPLES);
}

static int set_range(struct fleet_session *s, int64_t usual_ns)
{
	int64_t now_ns = unix_ns();
	int code;

	s->until_ns = now_ns;
	code = parse_when(s->cmd, "--until", s->args->until, now_ns, &s->until_ns);
	s->since_ns = s->until_ns > usual_ns ? s->until_ns - usual_ns : 0;
	if (code == EXIT_OK)
		code = parse_when(s->cmd, "--since", s->args->since, now_ns, &s->since_ns);
	if (code == EXIT_OK && s->since_ns >= s->until_ns)
		code = usage_error(s->cmd, "--since is not before --until");
	return code;
}

static int set_where(struct fleet_session *s)
{
	struct why why = {""};
	int err = where_parse_any(&s->where, s->args->where, &why);

	return err ? usage_error(s->cmd, "--where: %s", *why.text ? why.text : strerror(-err))
		   : EXIT_OK;
}

static void set_times(const struct fleet_session *s, int64_t before_ns, struct asking_opts *o)
{
	o->range = times_of_ns(s->since_ns, s->until_ns);
	if (!before_ns)
		return;
	o->split_s = o->range.since_s;
	if (before_ns < 0)
		before_ns = s->until_ns - s->since_ns;
	o->range.since_s =
		times_of_ns(s->since_ns > before_ns ? s->since_ns - before_ns : 0, s->until_ns)
			.since_s;
}

static int open_session(struct fleet_session *s, const struct command *cmd,
			const struct fleet_question *q)
{
	const struct fleet_args *a = q->args;
	const struct push_target_args target = {"--from", a->from, a->config, a->target};
	struct asking_opts o = {.from_samples = a->no_rollup};
	struct ch_server server;
	struct why why = {""};
	int code, err;

	*s = (struct fleet_session){.cmd = cmd, .args = a};
	if (a->json + a->markdown + a->sql > 1)
		return usage_error(cmd, "--json, --markdown, --sql: one of them");
	code = set_range(s, q->usual_ns);
	if (code == EXIT_OK)
		code = set_where(s);
	if (code == EXIT_OK && !a->sql)
		code = fleet_target_open(&s->target, &server, cmd, &target);
	if (code != EXIT_OK)
		return code;
	set_times(s, q->before_ns ? *q->before_ns : 0, &o);
	o.target = s->target;
	o.where = s->where;
	err = asking_open(&s->asking, &o, &why);
	return err ? fleet_failed(err, &why) : EXIT_OK;
}

static void close_session(struct fleet_session *s)
{
	asking_close(&s->asking);
	where_free(s->where);
	upload_target_free(s->target);
}

static int handle(const struct options *o, int id, const struct fleet_question *q)
{
	if (id < q->first_id)
		return q->handle(o, id, q->request);
	fleet_args_set(q->args, id - q->first_id, o->arg);
	return 0;
}

/* In the words of --where. */
static char *where_of_service(const char *service, const char *where)
{
	struct buf text = {0};

	buf_str(&text, LABEL_SERVICE "=\"");
	for (; *service; service++) {
		if (*service == '"' || *service == '\\')
			buf_char(&text, '\\');
		buf_char(&text, *service);
	}
	buf_char(&text, '"');
	if (where && *where)
		buf_printf(&text, ",%s", where);
	return buf_take(&text);
}

static int ask(const struct command *self, const struct options *o, const struct fleet_question *q,
	       char **operands, int n)
{
	_cleanup_free_ char *where = NULL;
	struct fleet_session s = {0};
	int code;

	if (!q->operand && n)
		return usage_error(self, "no operands: give the URL with --from");
	if (q->operand && n != 1)
		return usage_error(self, n ? "one %s at a time" : "%s is missing", q->operand);
	if (q->is_of_service) {
		where = where_of_service(operands[0], q->args->where);
		q->args->where = where;
	}
	code = open_session(&s, self, q);
	if (code == EXIT_OK)
		code = q->ask(&s, o, q->request, n ? operands[0] : NULL);
	close_session(&s);
	return code;
}

int fleet_run(const struct command *self, int argc, char **argv, const struct fleet_question *q)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	int id, n, code = EXIT_USAGE;
	char **operands;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, q))
		;
	operands = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END)
		code = ask(self, &o, q, operands, n);
	options_release(&o);
	return code;
}

/* --- printing ------------------------------------------------------------------------------------- */

const char *fleet_core_hours(double ns, char out[32])
{
	double hours = ns / NS_PER_CORE_HOUR, size = hours < 0 ? -hours : hours;

	snprintf(out, 32, "%.*f", size >= 1000 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4, hours);
	return out;
}

const char *fleet_share(double part, double whole, char out[32])
{
	if (whole > 0)
		snprintf(out, 32, "%.1f%%", 100 * part / whole);
	else
		snprintf(out, 32, "-");
	return out;
}

void fleet_json_values(struct json *j, const struct cost_values *v, bool has_before)
{
	json_key_int(j, "self_ns", v->self_ns);
	json_key_int(j, "total_ns", v->total_ns);
	if (!has_before)
		return;
	json_key_int(j, "self_before_ns", v->self_before_ns);
	json_key_int(j, "total_before_ns", v->total_before_ns);
}

void fleet_add_text(struct buf *out, const char *text)
{
	text_add_clean(out, text, strlen(text));
}

void fleet_json_text(struct json *j, const char *key, const char *text)
{
	struct buf clean = {0};

	fleet_add_text(&clean, text);
	json_key_text(j, key, buf_cstr(&clean));
	buf_release(&clean);
}

void fleet_json_begin(struct json *j, const struct fleet_session *s)
{
	json_open(j, '{');
	json_key_int(j, "since_ns", s->since_ns);
	json_key_int(j, "until_ns", s->until_ns);
	if (s->args->where)
		fleet_json_text(j, "where", s->args->where);
}

static void add_time(struct buf *out, int64_t ns, const char *format)
{
	time_t seconds = (time_t)(ns / (int64_t)NS_PER_S);
	char text[60] = "?";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), format, &tm);
	buf_str(out, text);
}

void fleet_add_range(struct buf *out, const struct fleet_session *s)
{
	add_time(out, s->since_ns, "%Y-%m-%d %H:%M");
	buf_str(out, " to ");
	add_time(out, s->until_ns, "%Y-%m-%d %H:%M %z");
}

int fleet_print(struct buf *out)
{
	int err = out->err;

	if (err)
		log_error("%s", strerror(-err));
	else
		fwrite(out->data, 1, out->len, stdout);
	buf_release(out);
	return err ? EXIT_ERROR : EXIT_OK;
}

int fleet_print_sql(struct buf *sql)
{
	buf_str(sql, "\n");
	return fleet_print(sql);
}

int fleet_print_sheet(const struct fleet_session *s, const struct options *o, const char *above,
		      const struct sheet *sheet)
{
	struct term term = term_of(STDOUT_FILENO, o->color);
	struct buf out = {0};
	int err;

	if (s->args->markdown) {
		sheet_add_markdown(&out, above);
		buf_char(&out, '\n');
		err = sheet_markdown(&out, sheet);
	} else {
		buf_str(&out, above);
		err = sheet_text(&out, sheet, &term);
	}
	if (err && !out.err)
		out.err = err;
	return fleet_print(&out);
}
