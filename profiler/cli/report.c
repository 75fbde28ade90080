// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/cli/command.h"
#include "profiler/cli/find_function.h"
#include "profiler/cli/focus.h"
#include "profiler/cli/load.h"
#include "profiler/cli/load_fleet.h"
#include "profiler/cli/report.h"
#include "profiler/formats/export.h"
#include "profiler/profile/label_keys.h"

#define DEFAULT_ROWS	  20
#define DEFAULT_TREE_ROWS 100
#define MAX_ROWS	  1000000000

enum {
	OPT_BY,
	OPT_SORT,
	OPT_CALLERS,
	OPT_CALLEES,
	OPT_TREE,
	OPT_SUMMARY,
	OPT_TOP,
	OPT_JSON,
	OPT_VALUE,
	OPT_CONFIG,
	OPT_FULL_NAMES,
	OPT_FOCUS,				/* and above: FOCUS_OPTIONS */
	OPT_BASE = OPT_FOCUS + FOCUS_N_OPTIONS, /* and above: LOAD_BASE_OPTIONS */
	OPT_SINCE = OPT_BASE + 2, /* and above: LOAD_RANGE_OPTIONS, LOAD_FROM_OPTIONS */
};

static const struct option_spec options[] = {
	{"by", 0, TABLE_BY_WORDS,
	 "what a row is (function): also service, unit, any label; groups of --tree", OPT_BY},
	{"sort", 0, TABLE_SORT_WORDS, "time of its own, or with all it called (self)", OPT_SORT},
	{"callers", 0, "FUNCTION", "functions that call this one", OPT_CALLERS},
	{"callees", 0, "FUNCTION", "whom this function calls", OPT_CALLEES},
	{"tree", 0, NULL, "the call tree, also with --callers or --callees", OPT_TREE},
	{"summary", 0, NULL, "the first answer: load, kinds, the heaviest path, the top functions",
	 OPT_SUMMARY},
	{"top", 'n', "N", "rows to show, 0 = all (20; a tree 100; JSON all)", OPT_TOP},
	{"value", 0, "TYPE", "which value of the profile: samples, cpu, ... (its default)",
	 OPT_VALUE},
	LOAD_BASE_OPTIONS(OPT_BASE),
	FOCUS_OPTIONS(OPT_FOCUS),
	{"full-names", 0, NULL, "whole names, however wide the lines", OPT_FULL_NAMES},
	LOAD_RANGE_OPTIONS(OPT_SINCE),
	LOAD_FROM_OPTIONS(OPT_SINCE),
	LOAD_CONFIG_OPTION(OPT_CONFIG),
	{"json", 0, NULL, "print JSON", OPT_JSON},
	{0},
};

struct request {
	struct table_opts table;
	const char *value;
	struct transform transform;
	struct load_range range;
	struct load_base base;
	bool tree, summary, json, has_rows, full_names;
	unsigned long long n_rows;
};

/* What rows are decides which labels are of no use. The title needs the command. A summary has rows of commands,
 * with their processes, too; profile stores have no processes. */
static const char *const *unused_labels(const struct request *r)
{
	static const char *const no_threads[] = {LABEL_TID, NULL}, *const no_processes[] = {
									   LABEL_TID, LABEL_PID,
									   NULL};
	/* A fleet has many: but for rows by label only the command is needed. */
	static const char *const no_hosts[] = {LABEL_TID,  LABEL_PID,	    LABEL_HOST, LABEL_POD,
					       LABEL_UNIT, LABEL_NAMESPACE, NULL};

	const struct table_opts *t = &r->table;
	bool of_fleet = r->range.from && load_is_fleet(&r->range);
	/* Functions in a tree are below their commands. */
	bool by_command = r->summary ? !of_fleet : r->tree && table_by_function(t->by);

	switch (by_command ? TABLE_COMMAND : t->by) {
	case TABLE_PROCESS: /* is called as its main thread */
	case TABLE_COMMAND:
	case TABLE_THREAD:
		return NULL;
	case TABLE_LABEL:
		if (!strcmp(t->label, LABEL_PID))
			return no_threads;
		return strcmp(t->label, LABEL_TID) != 0 ? no_processes : NULL;
	case TABLE_CGROUP:
		return no_processes;
	default:
		return no_hosts;
	}
}

static int set_relation(const struct options *o, struct request *r, enum table_relation relation)
{
	if (r->table.relation != TABLE_ALL) {
		usage_error(o->cmd, "--callers and --callees: one function at a time");
		return -EINVAL;
	}
	if (!*o->arg) {
		usage_error(o->cmd, "--callers and --callees take the name of a function");
		return -EINVAL;
	}
	r->table.relation = relation;
	r->table.of = o->arg;
	return 0;
}

/* What is no word is a label; whether there is one the profile tells. */
static int set_by(const struct options *o, struct table_opts *t)
{
	/* "comm" is a label, and no short form of "command". */
	bool is_label = !strcmp(o->arg, LABEL_COMM);
	int word = is_label ? -ENOENT : option_find_word(o, TABLE_BY_WORDS);

	if (word == -EEXIST || !o->arg[0])
		return option_word(o, "--by", TABLE_BY_WORDS);
	t->by = word < 0 ? TABLE_LABEL : (enum table_by)word;
	t->label = word < 0 ? label_key_of_word(o->arg) : NULL;
	return 0;
}

static int handle(const struct options *o, int id, struct request *r)
{
	int word;

	if (id >= OPT_SINCE) {
		load_range_set(&r->range, id - OPT_SINCE, o->arg);
		return 0;
	}
	if (id >= OPT_BASE) {
		load_base_set(&r->base, id - OPT_BASE, o->arg);
		return 0;
	}
	if (id >= OPT_FOCUS)
		return focus_set(&r->transform, o, id - OPT_FOCUS);
	switch (id) {
	case OPT_BY:
		return set_by(o, &r->table);
	case OPT_SORT:
		word = option_word(o, "--sort", TABLE_SORT_WORDS);
		r->table.sort = word < 0 ? 0 : (enum table_sort)word;
		return word < 0 ? word : 0;
	case OPT_CALLERS:
		return set_relation(o, r, TABLE_CALLERS);
	case OPT_CALLEES:
		return set_relation(o, r, TABLE_CALLEES);
	case OPT_TOP:
		r->has_rows = true;
		return option_u64(o, "--top", 0, MAX_ROWS, &r->n_rows);
	case OPT_VALUE:
		r->value = o->arg;
		return 0;
	case OPT_CONFIG:
		r->range.config = o->arg;
		return 0;
	case OPT_FULL_NAMES:
		r->full_names = true;
		return 0;
	case OPT_TREE:
		r->tree = true;
		return 0;
	case OPT_SUMMARY:
		r->summary = true;
		return 0;
	default:
		r->json = true;
		return 0;
	}
}

static int check_label(const struct command *cmd, const struct profile *p, const char *label)
{
	struct buf text = {0};

	if (!label || !p->samples.len || label_key_is_there(p, label))
		return EXIT_OK;
	label_key_missing(&text, p, label, TABLE_BY_WORDS);
	usage_error(cmd, "--by: %s", buf_cstr(&text));
	buf_release(&text);
	return EXIT_USAGE;
}

static int print(const struct command *cmd, const struct report *r, const struct request *req,
		 const struct options *o)
{
	struct term term = term_of(STDOUT_FILENO, o->color);
	struct buf out = {0};
	int err;

	if (req->full_names)
		term.columns = TERM_ENDLESS;
	if (req->json)
		err = report_json(&out, r);
	else if (req->summary)
		err = report_summary(&out, r, &term);
	else if (req->tree)
		err = report_tree(&out, r, &term);
	else
		err = report_table(&out, r, &term);
	if (err)
		log_error("%s: %s", cmd->name, export_strerror(err));
	else
		fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
	return err ? EXIT_ERROR : EXIT_OK;
}

static size_t rows_wanted(const struct request *req)
{
	if (req->has_rows || req->json)
		return (size_t)req->n_rows;
	return req->tree ? DEFAULT_TREE_ROWS : DEFAULT_ROWS;
}

static int report(const struct command *cmd, const struct options *o, struct request *req,
		  const struct profile *whole)
{
	_cleanup_(profile_freep) struct profile *part = NULL;
	struct quality quality = {0};
	struct report r = {.p = whole,
			   .whole = whole,
			   .table = req->table,
			   .n_rows = rows_wanted(req),
			   .tree = req->tree};
	int value = load_value(cmd, whole, req->value), code;

	if (value < 0)
		return EXIT_USAGE;
	r.table.value = (size_t)value;
	code = check_label(cmd, whole, r.table.label);
	if (code == EXIT_OK && r.table.of)
		code = find_function(cmd, whole, r.table.value, &r.table.of);
	if (code != EXIT_OK)
		return code;
	code = focus_apply(cmd, &req->transform, whole, &part);
	if (code != EXIT_OK)
		return code;
	r.p = part ? part : whole;
	if (!quality_load(&quality, whole))
		r.quality = &quality;
	code = print(cmd, &r, req, o);
	quality_release(&quality);
	if (code == EXIT_OK && !r.p->samples.len) {
		log_info("no samples%s", whole->samples.len ? " match" : " in the profile");
		return EXIT_NO_SAMPLES;
	}
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct request req = {0};
	char **files;
	int id, n, code = EXIT_USAGE;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &req))
		;
	files = options_operands(&o, &n);
	req.range.without = unused_labels(&req);
	req.range.label = req.table.label;
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END && req.table.of && !table_by_function(req.table.by))
		usage_error(self, "--callers and --callees need --by function or --by line");
	else if (id == OPTIONS_END)
		code = load_shown(self, files, n, &req.range, &p);
	if (id == OPTIONS_END && p)
		code = load_base(self, &req.base, true, p);
	if (id == OPTIONS_END && p && code == EXIT_OK)
		code = report(self, &o, &req, p);
	transform_release(&req.transform);
	options_release(&o);
	return code;
}

const struct command command_report = {
	.name = "report",
	.summary = "show where the time went in a profile",
	.synopsis = "[options] FILE|STORE...",
	.examples = "  kiln report app.pb.gz                     functions, most time first\n"
		    "  kiln report app.pb.gz --summary           the answer that record ends with\n"
		    "  kiln report app.pb.gz --callers malloc    who calls malloc\n"
		    "  kiln report app.pb.gz --tree -n 50        the call tree\n"
		    "  kiln report app.pb.gz --by module         by program and library\n"
		    "  kiln report all.pb.gz --by command --tree each program with its call tree\n"
		    "  kiln report new.pb.gz --diff-base old.pb.gz  what changed\n"
		    "  kiln report a.pb.gz b.pb.gz --json        several as one, for programs\n"
		    "  kiln report --since 3h --where comm=gcc   what kiln agent has stored\n",
	.operands = "FILE",
	.options = options,
	.run = run,
};
