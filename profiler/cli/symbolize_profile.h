/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kiln symbolize FILE`: a profile in, the same profile with more names out. */
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
	/* Waits for debug files that find_debug was asked for: true if some came. NULL: no. */
	bool (*wait)(void *ctx);
	void *wait_ctx;
};

/* An exit code; what was named and what was not, or what is wrong, is said on stderr. */
int symbolize_profile(const struct command *cmd, const struct symbolize_profile_opts *o,
		      char *const path);

#endif
