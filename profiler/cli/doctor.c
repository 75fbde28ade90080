// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/json.h"
#include "profiler/base/log.h"
#include "profiler/base/cleanup.h"
#include "profiler/cli/command.h"
#include "profiler/cli/line.h"
#include "profiler/doctor/doctor.h"

enum { OPT_JSON };

static const struct option_spec options[] = {
	{"json", 0, NULL, "print JSON", OPT_JSON},
	{0},
};

static const char *style_of(enum finding_status s)
{
	static const char *const styles[] = {STYLE_GOOD, STYLE_HOT, STYLE_BAD, STYLE_DIM};

	return styles[s];
}

static const char *summary(const struct doctor *d)
{
	if (d->cannot_sample && d->can_sample_own)
		return "only own processes can be sampled here, without the kernel's frames";
	if (d->cannot_sample)
		return "sampling does not work here";
	if (doctor_count(d, FINDING_fail))
		return "sampling works, but profiles will lack names";
	return "sampling works";
}

/* True if an earlier finding has the same cure. */
static bool is_known_cure(const struct doctor *d, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		const char *earlier = d->findings.data[j].cure;

		if (earlier && !strcmp(earlier, d->findings.data[i].cure))
			return true;
	}
	return false;
}

#define DETAIL_COLUMN 26
#define CURE_COLUMN   11

static void print_finding(struct buf *out, const struct finding *f, const struct term *t)
{
	_cleanup_(buf_release) struct buf line = {0};

	term_style(t, &line, style_of(f->status));
	buf_printf(&line, "%-6s", finding_status_name(f->status));
	term_style(t, &line, STYLE_END);
	buf_printf(&line, "%-19s %s", f->check, f->detail);
	line_wrap(out, buf_cstr(&line), DETAIL_COLUMN, t);
	buf_char(out, '\n');
}

/* The first line is a sentence, the others are commands: these stay whole, to be copied. */
static void print_cure(struct buf *out, const char *cure, const struct term *t)
{
	_cleanup_(buf_release) struct buf line = {0};
	size_t len = strcspn(cure, "\n");

	buf_printf(&line, "      fix: %.*s", (int)len, cure);
	line_wrap(out, buf_cstr(&line), CURE_COLUMN, t);
	buf_char(out, '\n');
	for (cure += len; *cure; cure += len) {
		len = strcspn(++cure, "\n");
		buf_printf(out, "%*s%.*s\n", CURE_COLUMN, "", (int)len, cure);
	}
}

static void print_text(struct buf *out, const struct doctor *d, const struct term *t)
{
	size_t fails = doctor_count(d, FINDING_fail), warnings = doctor_count(d, FINDING_warn);
	_cleanup_(buf_release) struct buf result = {0};

	for (size_t i = 0; i < d->findings.len; i++) {
		const struct finding *f = &d->findings.data[i];

		print_finding(out, f, t);
		if (f->cure)
			print_cure(out, is_known_cure(d, i) ? "as above" : f->cure, t);
	}
	buf_printf(&result, "Result: %s; %zu failure%s, %zu warning%s.", summary(d), fails,
		   fails == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	line_wrap(out, buf_cstr(&result), 0, t);
	buf_char(out, '\n');
}

static void print_json(struct buf *out, const struct doctor *d)
{
	struct json j = {.out = out};

	json_open(&j, '{');
	json_key_open(&j, "checks", '[');
	for (size_t i = 0; i < d->findings.len; i++) {
		const struct finding *f = &d->findings.data[i];

		json_line(&j);
		json_open(&j, '{');
		json_key_text(&j, "status", finding_status_name(f->status));
		json_key_text(&j, "check", f->check);
		json_key_text(&j, "detail", f->detail);
		if (f->cure)
			json_key_text(&j, "fix", f->cure);
		json_close(&j, '}');
	}
	json_line(&j);
	json_close(&j, ']');
	json_key_bool(&j, "can_sample", !d->cannot_sample);
	json_key_bool(&j, "can_sample_own", !d->cannot_sample || d->can_sample_own);
	json_key_uint(&j, "failures", doctor_count(d, FINDING_fail));
	json_key_uint(&j, "warnings", doctor_count(d, FINDING_warn));
	json_close(&j, '}');
	buf_char(out, '\n');
}

static int examine(const struct options *o, bool json)
{
	struct term t = term_of(STDOUT_FILENO, o->color);
	struct doctor d = {0};
	struct buf out = {0};
	int err = doctor_run(&d), code = EXIT_ERROR;

	if (err) {
		log_error("doctor: %s", strerror(-err));
	} else {
		if (json)
			print_json(&out, &d);
		else
			print_text(&out, &d, &t);
		fwrite(out.data, 1, out.len, stdout);
		code = doctor_count(&d, FINDING_fail) ? EXIT_NOT_PERMITTED : EXIT_OK;
	}
	buf_release(&out);
	doctor_release(&d);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	bool json = false;
	int id, n = 0, code;

	while ((id = options_next(&o)) >= 0)
		json = true;
	if (id == OPTIONS_END)
		options_operands(&o, &n);
	if (id != OPTIONS_END)
		code = options_exit_code(id);
	else if (n)
		code = usage_error(self, "takes no operand");
	else
		code = examine(&o, json);
	options_release(&o);
	return code;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "test what works on this machine, and say how to mend the rest",
	.synopsis = "[--json]",
	.examples = "  sudo kiln doctor              what works with all privileges\n"
		    "  kiln doctor                   what works for you, and what you lack\n"
		    "  kiln doctor --json | jq .     for programs\n",
	.options = options,
	.run = run,
	.samples = true,
};
