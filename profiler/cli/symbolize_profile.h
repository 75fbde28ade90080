/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kiln symbolize FILE`: writes the same profile with more names. */
#ifndef KILN_CLI_SYMBOLIZE_PROFILE_H
#define KILN_CLI_SYMBOLIZE_PROFILE_H

#include <stdbool.h>

#include "profiler/cli/output.h"

struct symbolizer_opts;

struct symbolize_profile_opts {
	struct output output;
	const char *const *exe_dirs; /* NULL-terminated */
	bool force, no_lines;	     /* as in rename_opts */
	const struct symbolizer_opts *symbolizer;
	/* Waits for debug files that find_debug has asked for. True if some came. NULL: does not
	 * wait. */
	bool (*wait)(void *ctx);
	void *wait_ctx;
};

/* Reports on stderr what was named, what was not, and errors. Returns an exit code. */
int symbolize_profile(const struct command *cmd, const struct symbolize_profile_opts *o,
		      char *const path);

#endif
