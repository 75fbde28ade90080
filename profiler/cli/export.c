// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/cli/command.h"
#include "profiler/cli/focus.h"
#include "profiler/cli/load.h"
#include "profiler/export/export.h"

#define FOLDED_VALUE_WORDS "samples|ns"

enum {
	OPT_OUTPUT,
	OPT_FORMAT,
	OPT_TITLE,
	OPT_VALUE,
	OPT_DELIM,
	OPT_ANNOTATE,
	OPT_FOCUS,
	OPT_IGNORE
};

static const struct option_spec options[] = {
	{"output", 'o', "FILE", "where to; the suffix says the format; - is standard output",
	 OPT_OUTPUT},
	{"format", 'f', "pb.gz|pb.zst|pb|folded|svg|html|json", "the format, whatever the suffix",
	 OPT_FORMAT},
	{"title", 0, "TEXT", "svg, html: the title (what was profiled)", OPT_TITLE},
	{"value", 0, FOLDED_VALUE_WORDS, "folded: what to count (samples)", OPT_VALUE},
	{"folded-delim", 0, NULL, "folded: \"-\" between user and kernel frames", OPT_DELIM},
	{"annotate", 0, NULL, "folded: _[k] kernel, _[i] inlined, _[j] JIT after names",
	 OPT_ANNOTATE},
	{"focus", 0, "REGEX", "only samples with a matching function or module; may be repeated",
	 OPT_FOCUS},
	{"ignore", 0, "REGEX", "no samples with a matching function or module; may be repeated",
	 OPT_IGNORE},
	{0},
};

struct request {
	const char *output, *format;
	struct export_opts opts;
	struct focus focus;
};

static int handle(const struct options *o, int id, struct request *r)
{
	int word;

	switch (id) {
	case OPT_OUTPUT:
		r->output = o->arg;
		return 0;
	case OPT_FORMAT:
		r->format = o->arg;
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
		return focus_add(&r->focus, o, id == OPT_FOCUS);
	}
}

/* The format asked for, or -EINVAL, said on stderr. */
static int choose_format(const struct command *cmd, const struct request *r)
{
	const char *from = r->format ? r->format : r->output;
	int format;

	if (!r->output && !r->format) {
		usage_error(cmd, "where to? Give -o FILE with one of the suffixes %s",
			    export_suffixes());
		return -EINVAL;
	}
	if (!r->format && !strcmp(r->output, "-")) {
		usage_error(cmd, "-o - has no suffix: say the format with -f");
		return -EINVAL;
	}
	format = export_format_of(from);
	if (format < 0)
		usage_error(cmd, "\"%s\" is no known format; known suffixes: %s", from,
			    export_suffixes());
	return format;
}

static int write_output(const char *path, const struct buf *b)
{
	struct outfile *f;
	int err;

	if (!path || !strcmp(path, "-"))
		return io_write(STDOUT_FILENO, b->data, b->len);
	err = outfile_open(&f, path);
	if (err)
		return err;
	outfile_write(f, b->data, b->len);
	return outfile_commit(f);
}

static int export(const struct command *cmd, const struct request *r, enum export_format format,
		  const struct profile *whole)
{
	_cleanup_(profile_freep) struct profile *part = NULL;
	const struct profile *p = whole;
	struct buf out = {0};
	int err = 0;

	if (r->focus.patterns.len) {
		err = focus_apply(&r->focus, whole, &part);
		p = part;
	}
	err = err ?: export_profile(&out, p, format, &r->opts);
	if (err) {
		log_error("%s: %s", cmd->name, strerror(-err));
	} else {
		err = write_output(r->output, &out);
		if (err)
			log_error("%s: %s",
				  r->output && strcmp(r->output, "-") ? r->output
								      : "standard output",
				  strerror(-err));
	}
	buf_release(&out);
	return err ? EXIT_ERROR : EXIT_OK;
}

static int load_and_export(const struct command *cmd, const struct request *r, char *const *files,
			   int n)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	bool to_stdout = !r->output || !strcmp(r->output, "-");
	int format = choose_format(cmd, r), code;

	if (format < 0)
		return EXIT_USAGE;
	if (to_stdout && export_is_binary(format) && isatty(STDOUT_FILENO))
		return usage_error(cmd, "not writing a binary format to a terminal; give -o FILE");
	code = load_profiles(cmd, files, n, &p);
	return code == EXIT_OK ? export(cmd, r, format, p) : code;
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
	focus_release(&r.focus);
	options_release(&o);
	return code;
}

const struct command command_export = {
	.name = "export",
	.summary = "write a profile in another format, or several as one",
	.synopsis = "[options] FILE... -o OUT",
	.examples = "  kiln export app.pb.gz -o app.svg             a flame graph as a picture\n"
		    "  kiln export app.pb.gz -o app.html            a page to look into, offline\n"
		    "  kiln export app.pb.gz -f folded | sort       stacks for scripts\n"
		    "  kiln export a.pb.gz b.pb.gz -o both.pb.gz    several as one\n",
	.operands = "FILE",
	.options = options,
	.run = run,
};
