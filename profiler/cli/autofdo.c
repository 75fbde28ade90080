// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/autofdo.h"
#include "profiler/cli/command.h"
#include "profiler/formats/autofdo.h"
#include "profiler/naming/rename.h"
#include "symbolizer/symbolizer.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)
DEFINE_CLEANUP(profile, profile_free)

static bool keep_all(void *ctx, const struct profile *src, size_t sample)
{
	(void)ctx, (void)src, (void)sample;
	return true;
}

static int look_up(struct profile *p, struct rename_result *result)
{
	static const char *const no_dirs[] = {NULL};
	static const char *const debug_dirs[] = {"/usr/lib/debug", NULL};
	struct symbolizer_opts opts = {.sandbox = true, .discriminators = true};
	struct elf_search search = {
		.exe_dirs = no_dirs,
		.debug_dirs = debug_dirs,
		.until_ns = p->time_ns > 0 ? saturating_sum(p->time_ns, p->duration_ns) : 0,
	};
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	struct rename_opts rename = {.search = &search, .force = true};
	int err = symbolizer_new(&s, &opts);

	rename.symbolizer = s;
	return err ?: rename_profile(p, &rename, result);
}

static const struct rename_file *file_of(const struct rename_result *r, uint32_t path)
{
	for (size_t i = 0; i < r->files.len; i++)
		if (r->files.data[i].path == path)
			return &r->files.data[i];
	return NULL;
}

static void say(const struct profile *p, const struct autofdo_result *r,
		const struct rename_result *names)
{
	const struct rename_file *f = file_of(names, r->file);
	const char *path = profile_text(p, r->file);

	log_info("%s: %zu function%s, %.1f %% of the profile", path, r->functions,
		 text_s(r->functions), 100.0 * (double)r->placed / (double)(r->all ? r->all : 1));
	if (f && f->problem != ELF_FIND_OK)
		log_warning("%s: %s: copies of a line are not told apart, and the compiler matches "
			    "less",
			    path, elf_find_text(f->problem));
}

int autofdo_write(struct buf *out, const struct command *cmd, const struct profile *p)
{
	_cleanup_(profile_freep) struct profile *own = NULL;
	_cleanup_(rename_result_release) struct rename_result names = {0};
	struct autofdo_result result;
	int err = profile_filter(&own, p, keep_all, NULL) ?: look_up(own, &names);

	err = err ?: export_autofdo(out, own, &result);
	if (err == -ENODATA) {
		log_error("%s: no sample has a line in a function that begins on a known line: "
			  "build with -g or -gmlt, for clang with -fdebug-info-for-profiling, too",
			  cmd->name);
		return EXIT_ERROR;
	}
	if (err) {
		log_error("%s: %s", cmd->name, strerror(-err));
		return EXIT_ERROR;
	}
	say(own, &result, &names);
	return EXIT_OK;
}
