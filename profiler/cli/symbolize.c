// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"
#include "profiler/cli/addresses.h"
#include "profiler/cli/command.h"
#include "profiler/cli/fetch.h"
#include "profiler/cli/output.h"
#include "profiler/cli/symbolize_profile.h"
#include "profiler/debuginfod/debuginfod.h"
#include "symbolizer/symbolizer.h"

#define DEBUGINFOD_TIMEOUT_NS 30000000000ull

enum {
	OPT_OUTPUT,
	OPT_FORMAT,
	OPT_DEBUG_DIR,
	OPT_EXE_DIR,
	OPT_FORCE,
	OPT_NO_LINES,
	OPT_DEBUGINFOD,
	OPT_DEBUGINFOD_TIMEOUT,
	OPT_NO_SANDBOX,
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
	{"output", 'o', "FILE", "where to, format by suffix; - is standard output", OPT_OUTPUT},
	{"format", 0, OUTPUT_FORMAT_WORDS, "the format, whatever the suffix", OPT_FORMAT},
	{"debug-dir", 0, "DIR", "also look here for debug files, below .build-id; may be repeated",
	 OPT_DEBUG_DIR},
	{"exe-dir", 0, "DIR", "look here for programs and libraries; may be repeated", OPT_EXE_DIR},
	{"force", 0, NULL, "also name what has a name already", OPT_FORCE},
	{"no-lines", 0, NULL, "no source lines and no inlined calls: faster", OPT_NO_LINES},
	{"debuginfod", 0, "[URLS]", "ask these servers for debug files (those of DEBUGINFOD_URLS)",
	 OPT_DEBUGINFOD},
	{"debuginfod-timeout", 0, "TIME", "wait so long for them (30s)", OPT_DEBUGINFOD_TIMEOUT},
	{"no-sandbox", 0, NULL, "read foreign files in this process, with all its privileges",
	 OPT_NO_SANDBOX},
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

struct dirs { /* absolute paths, owned; NULL-terminated after parsing */
	VEC(char *) paths;
};

struct request {
	struct addresses_opts addresses;
	struct symbolize_profile_opts profile;
	struct dirs debug_dirs, exe_dirs;
	bool no_sandbox;  /* read foreign files in this process */
	bool ask;	  /* ask debuginfod servers */
	const char *urls; /* NULL: DEBUGINFOD_URLS */
	unsigned long long timeout_ns;
	struct debuginfod *debuginfod;
};

static void dirs_release(struct dirs *d)
{
	for (size_t i = 0; i < d->paths.len; i++)
		free(d->paths.data[i]);
	vec_release(&d->paths);
}

/* Adds a directory by its absolute path, which the symbolizer needs. A missing directory is an
 * error. */
static int add_dir(struct dirs *d, const struct options *o, const char *what)
{
	char *path = realpath(o->arg, NULL);

	if (!path) {
		usage_error(o->cmd, "%s %s: %s", what, o->arg, strerror(errno));
		return -EINVAL;
	}
	if (vec_push(&d->paths, path)) {
		free(path);
		return -ENOMEM;
	}
	return 0;
}

/* The options of -e. */
static void handle_address(const struct options *o, int id, struct addresses_opts *a)
{
	switch (id) {
	case OPT_EXE:
		a->exe = o->arg;
		break;
	case OPT_SECTION:
		a->section = o->arg;
		break;
	case OPT_ADDRESSES:
		a->addresses = true;
		break;
	case OPT_PRETTY:
		a->pretty = true;
		break;
	case OPT_BASENAMES:
		a->basenames = true;
		break;
	case OPT_JSON:
		a->json = true;
		break;
	case OPT_NO_FUNCTIONS:
		a->no_functions = true;
		break;
	case OPT_NO_INLINES:
		a->no_inlines = true;
		break;
	case OPT_NO_DEMANGLE:
		a->no_demangle = true;
		break;
	default:
		break;
	}
}

static int handle(const struct options *o, int id, struct request *r)
{
	switch (id) {
	case OPT_OUTPUT:
		r->profile.output.path = o->arg;
		return 0;
	case OPT_FORMAT:
		r->profile.output.format = o->arg;
		return 0;
	case OPT_DEBUG_DIR:
		return add_dir(&r->debug_dirs, o, "--debug-dir");
	case OPT_EXE_DIR:
		return add_dir(&r->exe_dirs, o, "--exe-dir");
	case OPT_DEBUGINFOD:
		r->ask = true;
		r->urls = o->arg;
		return 0;
	case OPT_DEBUGINFOD_TIMEOUT:
		return option_duration_ns(o, "--debuginfod-timeout", &r->timeout_ns);
	case OPT_FORCE:
		r->profile.force = true;
		return 0;
	case OPT_NO_LINES:
		r->profile.no_lines = true;
		return 0;
	case OPT_NO_SANDBOX:
		r->no_sandbox = true;
		return 0;
	default:
		handle_address(o, id, &r->addresses);
		return 0;
	}
}
static int end_dirs(struct request *r)
{
	char *system = strdup("/usr/lib/debug");

	if (!system || vec_push(&r->debug_dirs.paths, system)) {
		free(system);
		return -ENOMEM;
	}
	return vec_push(&r->debug_dirs.paths, NULL) ?: vec_push(&r->exe_dirs.paths, NULL);
}

static bool wait_for_debuginfod(void *ctx)
{
	struct request *r = ctx;

	return fetch_wait(r->debuginfod, r->timeout_ns);
}

static int ask_servers(struct request *r, struct symbolizer_opts *symbolizer)
{
	int code = fetch_begin(&r->debuginfod, r->urls);

	symbolizer->find_debug = debuginfod_find;
	symbolizer->find_ctx = r->debuginfod;
	r->addresses.wait = r->profile.wait = wait_for_debuginfod;
	r->addresses.wait_ctx = r->profile.wait_ctx = r;
	return code;
}

static int go(const struct command *cmd, struct request *r, char *const *operands, int n)
{
	struct symbolizer_opts symbolizer = {.names_only = r->profile.no_lines,
					     .sandbox = !r->no_sandbox};
	int code = EXIT_OK;

	if (!r->addresses.exe && n != 1)
		return usage_error(cmd, n ? "give one profile; `kiln export` merges several"
					  : "no profile: give a FILE, or addresses and -e FILE");
	if (end_dirs(r)) {
		log_error("%s: out of memory", cmd->name);
		return EXIT_ERROR;
	}
	symbolizer.debug_dirs = (const char *const *)r->debug_dirs.paths.data;
	r->profile.exe_dirs = (const char *const *)r->exe_dirs.paths.data;
	r->addresses.symbolizer = r->profile.symbolizer = &symbolizer;
	if (r->ask)
		code = ask_servers(r, &symbolizer);
	if (code != EXIT_OK)
		return code;
	code = r->addresses.exe ? addresses_run(cmd, &r->addresses, operands, n)
				: symbolize_profile(cmd, &r->profile, operands[0]);
	fetch_end(r->debuginfod);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct request r = {.timeout_ns = DEBUGINFOD_TIMEOUT_NS};
	int id, n, code = EXIT_USAGE;
	char **operands;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &r))
		;
	operands = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END)
		code = go(self, &r, operands, n);
	dirs_release(&r.debug_dirs);
	dirs_release(&r.exe_dirs);
	options_release(&o);
	return code;
}

const struct command command_symbolize = {
	.name = "symbolize",
	.summary = "name what a profile could not, or addresses of a file",
	.synopsis = "[options] FILE -o OUT\n       kiln symbolize [options] -e FILE [ADDRESS...]",
	.examples =
		"  kiln symbolize app.pb.gz -o named.pb.gz      with the debug packages now "
		"installed\n"
		"  kiln symbolize app.pb.gz -o named.pb.gz --exe-dir build\n"
		"  kiln symbolize -e ./app 0x1139               function and line, and what was "
		"inlined\n"
		"  kiln symbolize -e ./app -ap <addresses.txt   one line each, as addr2line -ap\n",
	.operands = "FILE",
	.options = options,
	.run = run,
};
