// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"
#include "profiler/cli/addresses.h"
#include "profiler/cli/command.h"
#include "symbolizer/symbolizer.h"

enum {
	OPT_DEBUG_DIR,
	OPT_EXE,
	OPT_SECTION,
	OPT_ADDRESSES,
	OPT_PRETTY,
	OPT_BASENAMES,
	OPT_JSON,
	OPT_NO_FUNCTIONS,
	OPT_NO_INLINES,
	OPT_NO_DEMANGLE,
	OPT_DEFAULT,
};

static const struct option_spec options[] = {
	{"debug-dir", 0, "DIR", "also look here for debug files, below .build-id; may be repeated",
	 OPT_DEBUG_DIR},
	{"exe", 'e', "FILE", "answer addresses of this program, library, module or debug file",
	 OPT_EXE},
	{"section", 'j', "NAME", "-e: addresses count from the start of this section", OPT_SECTION},
	{"addresses", 'a', NULL, "-e: begin each answer with its address", OPT_ADDRESSES},
	{"pretty-print", 'p', NULL, "-e: one line for each function", OPT_PRETTY},
	{"basenames", 's', NULL, "-e: source files without their directories", OPT_BASENAMES},
	{"json", 0, NULL, "-e: print a JSON object a line", OPT_JSON},
	{"functions", 'f', NULL, "-e: function names (they are shown anyway)", OPT_DEFAULT},
	{"inlines", 'i', NULL, "-e: inlined calls (they are shown anyway)", OPT_DEFAULT},
	{"demangle", 'C', NULL, "-e: readable C++, Rust and D names (they are anyway)",
	 OPT_DEFAULT},
	{"no-functions", 0, NULL, "-e: source lines only", OPT_NO_FUNCTIONS},
	{"no-inlines", 0, NULL, "-e: only the innermost function", OPT_NO_INLINES},
	{"no-demangle", 0, NULL, "-e: names as the symbol table has them", OPT_NO_DEMANGLE},
	{0},
};

struct request {
	struct addresses_opts addresses;
	VEC(const char *) debug_dirs; /* absolute, owned; NULL-terminated once parsed */
};

/* The symbolizer wants absolute paths; a directory that is not there is a mistake. */
static int add_dir(struct request *r, const struct options *o, const char *what)
{
	char *path = realpath(o->arg, NULL);

	if (!path) {
		usage_error(o->cmd, "%s %s: %s", what, o->arg, strerror(errno));
		return -EINVAL;
	}
	if (vec_push(&r->debug_dirs, path)) {
		free(path);
		return -ENOMEM;
	}
	return 0;
}

static int handle(const struct options *o, int id, struct request *r)
{
	switch (id) {
	case OPT_DEBUG_DIR:
		return add_dir(r, o, "--debug-dir");
	case OPT_EXE:
		r->addresses.exe = o->arg;
		return 0;
	case OPT_SECTION:
		r->addresses.section = o->arg;
		return 0;
	case OPT_ADDRESSES:
		r->addresses.addresses = true;
		return 0;
	case OPT_PRETTY:
		r->addresses.pretty = true;
		return 0;
	case OPT_BASENAMES:
		r->addresses.basenames = true;
		return 0;
	case OPT_JSON:
		r->addresses.json = true;
		return 0;
	case OPT_NO_FUNCTIONS:
		r->addresses.no_functions = true;
		return 0;
	case OPT_NO_INLINES:
		r->addresses.no_inlines = true;
		return 0;
	case OPT_NO_DEMANGLE:
		r->addresses.no_demangle = true;
		return 0;
	default:
		return 0;
	}
}

static int go(const struct command *cmd, struct request *r, char *const *operands, int n)
{
	char *system = strdup("/usr/lib/debug");
	struct symbolizer_opts symbolizer = {0};

	if (!system || vec_push(&r->debug_dirs, system)) {
		free(system);
		return EXIT_ERROR;
	}
	if (vec_push(&r->debug_dirs, NULL))
		return EXIT_ERROR;
	symbolizer.debug_dirs = r->debug_dirs.data;
	r->addresses.symbolizer = &symbolizer;
	if (r->addresses.exe)
		return addresses_run(cmd, &r->addresses, operands, n);
	return usage_error(cmd, "addresses of which file? Give it with -e");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct request r = {0};
	int id, n, code = EXIT_USAGE;
	char **operands;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &r))
		;
	operands = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END)
		code = go(self, &r, operands, n);
	for (size_t i = 0; i < r.debug_dirs.len; i++)
		free((char *)r.debug_dirs.data[i]);
	vec_release(&r.debug_dirs);
	options_release(&o);
	return code;
}

const struct command command_symbolize = {
	.name = "symbolize",
	.summary = "say the functions and lines of addresses",
	.synopsis = "[options] -e FILE [ADDRESS...]",
	.examples =
		"  kiln symbolize -e ./app 0x1139               a function and line, with what was "
		"inlined\n"
		"  kiln symbolize -e ./app -ap <addresses.txt   one line each, as addr2line -ap\n",
	.operands = NULL,
	.options = options,
	.run = run,
};
