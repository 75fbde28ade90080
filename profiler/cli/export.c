// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/cleanup.h"
#include "profiler/cli/command.h"
#include "profiler/cli/focus.h"
#include "profiler/cli/load.h"
#include "profiler/cli/output.h"

#define FOLDED_VALUE_WORDS "samples|ns"

enum {
	OPT_OUTPUT,
	OPT_FORMAT,
	OPT_TITLE,
	OPT_VALUE,
	OPT_DELIM,
	OPT_ANNOTATE,
	OPT_CONFIG,
	OPT_FOCUS,				/* and above: FOCUS_OPTIONS */
	OPT_BASE = OPT_FOCUS + FOCUS_N_OPTIONS, /* and above: LOAD_BASE_OPTIONS */
	OPT_SINCE = OPT_BASE + 2, /* and above: LOAD_RANGE_OPTIONS, LOAD_FROM_OPTIONS */
};

static const struct option_spec options[] = {
	{"output", 'o', "FILE", "output file; the suffix gives the format; - is standard output",
	 OPT_OUTPUT},
	{"format", 'f', OUTPUT_FORMAT_WORDS, "the format, whatever the suffix", OPT_FORMAT},
	{"title", 0, "TEXT", "svg, html: the title (what was profiled)", OPT_TITLE},
	{"value", 0, FOLDED_VALUE_WORDS, "folded: what to count (samples)", OPT_VALUE},
	{"folded-delim", 0, NULL, "folded: \"-\" between user and kernel frames", OPT_DELIM},
	{"annotate", 0, NULL, "folded: _[k] kernel, _[i] inlined, _[j] JIT after names",
	 OPT_ANNOTATE},
	LOAD_BASE_OPTIONS(OPT_BASE),
	FOCUS_OPTIONS(OPT_FOCUS),
	LOAD_RANGE_OPTIONS(OPT_SINCE),
	LOAD_FROM_OPTIONS(OPT_SINCE),
	LOAD_CONFIG_OPTION(OPT_CONFIG),
	{0},
};

struct request {
	struct output output;
	struct export_opts opts;
	struct transform transform;
	struct load_range range;
	struct load_base base;
};

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
	case OPT_OUTPUT:
		r->output.path = o->arg;
		return 0;
	case OPT_FORMAT:
		r->output.format = o->arg;
		return 0;
	case OPT_TITLE:
		r->opts.title = o->arg;
		return 0;
	case OPT_VALUE:
		word = option_word(o, "--value", FOLDED_VALUE_WORDS);
		r->opts.folded_ns = word == 1;
		return word < 0 ? word : 0;
	case OPT_DELIM:
		r->opts.folded_delim = true;
		return 0;
	case OPT_ANNOTATE:
		r->opts.folded_annotate = true;
		return 0;
	default:
		r->range.config = o->arg;
		return 0;
	}
}

static int export(const struct command *cmd, struct request *r, enum export_format format,
		  const struct profile *whole)
{
	_cleanup_(profile_freep) struct profile *part = NULL;
	int code = focus_apply(cmd, &r->transform, whole, &part);

	if (code != EXIT_OK)
		return code;
	return output_profile(&r->output, cmd, part ? part : whole, format, &r->opts);
}

static int load_and_export(const struct command *cmd, struct request *r, char *const *files, int n)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int format = output_format(&r->output, cmd), code;
	bool shown;

	if (format < 0)
		return EXIT_USAGE;
	/* The reader of a pprof file drops frames itself. */
	shown = !export_is_binary((enum export_format)format);
	code = (shown ? load_shown : load_profiles)(cmd, files, n, &r->range, &p);
	if (code == EXIT_OK)
		code = load_base(cmd, &r->base, shown, p);
	r->opts.base = r->base.path;
	return code == EXIT_OK ? export(cmd, r, (enum export_format)format, p) : code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct request r = {0};
	int id, n, code = EXIT_USAGE;
	char **files;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &r))
		;
	files = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END)
		code = load_and_export(self, &r, files, n);
	transform_release(&r.transform);
	options_release(&o);
	return code;
}

const struct command command_export = {
	.name = "export",
	.summary = "write a profile in another format, or several as one",
	.synopsis = "[options] FILE|STORE... -o OUT",
	.examples = "  kiln export app.pb.gz -o app.svg             a flame graph as a picture\n"
		    "  kiln export app.pb.gz -o app.html            a page to look into, offline\n"
		    "  kiln export new.pb.gz --diff-base old.pb.gz -o change.html\n"
		    "  kiln export app.pb.gz -f folded | sort       stacks for scripts\n"
		    "  kiln export a.pb.gz b.pb.gz -o both.pb.gz    several as one\n"
		    "  kiln export --since 1h -o hour.pb.gz         what kiln agent has stored\n",
	.operands = "FILE",
	.options = options,
	.run = run,
};
