// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/command.h"
#include "profiler/cli/fetch.h"
#include "profiler/cli/load.h"
#include "profiler/cli/symbolize_profile.h"
#include "profiler/profile/profile.h"
#include "profiler/naming/rename.h"
#include "symbolizer/symbolizer.h"

/* Files without names to print, worst first; -v prints all. */
#define FILES_SAID 10

DEFINE_CLEANUP(symbolizer, symbolizer_free)

/* Worst first: files without names, then files without lines. */
static int compare_files(const void *x, const void *y)
{
	const struct rename_file *a = x, *b = y;

	if (a->unnamed != b->unnamed)
		return a->unnamed > b->unnamed ? -1 : 1;
	if (a->lineless != b->lineless)
		return a->lineless > b->lineless ? -1 : 1;
	return a->path < b->path ? -1 : a->path > b->path;
}

/* What is wrong with a file that was found, and what to do. */
static const char *found_problem(const struct rename_file *f)
{
	if (f->unnamed)
		return "the file and its debug file, if there is one, have no symbol there; "
		       "install "
		       "its debug package, or give --debug-dir";
	if (f->knows_lines)
		return "its debug information has none for them";
	return "no debug information: install its debug package, or give --debug-dir";
}

static void say_file(const struct profile *p, const struct rename_file *f)
{
	const char *path = profile_text(p, f->path), *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : path;
	const char *id = profile_text(p, f->build_id);
	struct buf b = {0};
	char count[32];

	buf_printf(&b, "%s (%s%.16s%s): ", *name ? name : "a file without a name",
		   *id ? "build id " : "no build id", id, strlen(id) > 16 ? "..." : "");
	if (f->unnamed)
		buf_printf(&b, "%s of ", text_format_count(f->unnamed, count, sizeof(count)));
	else if (f->lineless)
		buf_printf(&b, "no source line for %s of ",
			   text_format_count(f->lineless, count, sizeof(count)));
	buf_printf(&b, "%s address%s", text_format_count(f->looked_up, count, sizeof(count)),
		   f->looked_up == 1 ? "" : "es");
	buf_str(&b, f->unnamed ? " without a name" : f->lineless ? "" : " named");
	if (f->problem != ELF_FIND_OK) {
		buf_printf(&b, ": %s", elf_find_text(f->problem));
		if (*elf_find_cure(f->problem))
			buf_printf(&b, "; %s", elf_find_cure(f->problem));
	} else if (f->unnamed || f->lineless) {
		buf_printf(&b, ": %s", found_problem(f));
	}
	log_info("%s", buf_cstr(&b));
	buf_release(&b);
}

static void count_files(const struct rename_result *r, uint64_t *looked_up, uint64_t *improved)
{
	*looked_up = *improved = 0;
	for (size_t i = 0; i < r->files.len; i++) {
		*looked_up += r->files.data[i].looked_up;
		*improved += r->files.data[i].improved;
	}
}

static void say_result(const struct profile *p, const struct rename_result *r,
		       const struct symbolize_profile_opts *o, uint64_t looked_up,
		       uint64_t improved)
{
	char a[32], b[32], c[32];
	uint64_t unnamed = 0;
	bool has_id = false; /* of a file that lacks something */
	size_t said = 0;

	if (r->files.len)
		qsort(r->files.data, r->files.len, sizeof(*r->files.data), compare_files);
	for (size_t i = 0; i < r->files.len; i++)
		unnamed += r->files.data[i].unnamed;
	log_info("%s of %s address%s got better names, %s still without",
		 text_format_count(improved, a, sizeof(a)),
		 text_format_count(looked_up, b, sizeof(b)), looked_up == 1 ? "" : "es",
		 text_format_count(unnamed, c, sizeof(c)));
	for (size_t i = 0; i < r->files.len; i++) {
		const struct rename_file *f = &r->files.data[i];
		/* some addresses without lines are assembly; if all lack lines, the file may have
		 * no debug information */
		bool lacking = f->unnamed || (f->lineless == f->looked_up && !o->no_lines);

		has_id |=
			lacking && (f->unnamed || !f->knows_lines) && *profile_text(p, f->build_id);
		if (log_level() < LOG_VERBOSE && (!lacking || said == FILES_SAID))
			continue;
		say_file(p, f);
		said++;
	}
	if (has_id && !o->wait)
		fetch_advise("debug information that is not here");
	if (r->no_file)
		log_info("%s addresses of the kernel, of generated code or of nothing that was "
			 "mapped have no name: those are known only while they run",
			 text_format_count(r->no_file, a, sizeof(a)));
}

static int rename_once(const struct symbolize_profile_opts *o, struct profile *p,
		       struct rename_result *result)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	struct elf_search search = {
		.exe_dirs = o->exe_dirs,
		.debug_dirs = o->symbolizer->debug_dirs,
		.until_ns = p->time_ns > 0 ? saturating_sum(p->time_ns, p->duration_ns) : 0,
		.find_debug = o->symbolizer->find_debug,
		.find_ctx = o->symbolizer->find_ctx,
	};
	struct rename_opts opts = {.search = &search, .force = o->force, .no_lines = o->no_lines};
	int err = symbolizer_new(&s, o->symbolizer);

	opts.symbolizer = s;
	return err ?: rename_profile(p, &opts, result);
}

/* The first round asks for debug files; the second uses them. */
static int rename_all(const struct symbolize_profile_opts *o, struct profile *p)
{
	struct rename_result first = {0}, second = {0};
	struct rename_result *last = &first;
	uint64_t looked_up, improved;
	int err = rename_once(o, p, &first);

	count_files(&first, &looked_up, &improved);
	if (!err && o->wait && o->wait(o->wait_ctx)) {
		uint64_t again, more;

		err = rename_once(o, p, &second);
		count_files(&second, &again, &more);
		improved += more;
		last = &second;
	}
	if (!err)
		say_result(p, last, o, looked_up, improved);
	rename_result_release(&first);
	rename_result_release(&second);
	return err;
}

int symbolize_profile(const struct command *cmd, const struct symbolize_profile_opts *o,
		      char *const path)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct output output = o->output;
	const struct export_opts opts = {0};
	int format, code, err;

	if (output.path && !strcmp(output.path, "-") && !output.format)
		output.format = "pb.gz";
	format = output_format(&output, cmd);
	if (format < 0)
		return EXIT_USAGE;
	code = load_profiles(cmd, &path, 1, NULL, &p);
	if (code != EXIT_OK)
		return code;
	err = rename_all(o, p);
	if (err) {
		log_error("%s: %s", cmd->name, strerror(-err));
		return EXIT_ERROR;
	}
	return output_profile(&output, cmd, p, (enum export_format)format, &opts);
}
