/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that show less of a profile: profiler/profile/transform.h. */
#ifndef KILN_CLI_FOCUS_H
#define KILN_CLI_FOCUS_H

#include "profiler/cli/command.h"
#include "profiler/profile/transform.h"

/* Rows of a table of options, with ids from `first` on. */
#define FOCUS_OPTIONS(first)                                                                       \
	{"focus", 0, "REGEX", "only samples with a matching function or module; may be repeated",  \
	 (first) + TRANSFORM_FOCUS},                                                               \
		{"ignore", 0, "REGEX",                                                             \
		 "no samples with a matching function or module; may be repeated",                 \
		 (first) + TRANSFORM_IGNORE},                                                      \
		{"show-from", 0, "REGEX", "stacks begin at the outermost match; others go",        \
		 (first) + TRANSFORM_SHOW_FROM},                                                   \
		{"collapse", 0, "REGEX", "matching functions that call each other are one",        \
		 (first) + TRANSFORM_COLLAPSE},                                                    \
	{                                                                                          \
		"no-inline", 0, NULL, "inlined calls are of the function they are in",             \
			(first) + FOCUS_NO_INLINE                                                  \
	}
#define FOCUS_NO_INLINE (TRANSFORM_COLLAPSE + 1)
#define FOCUS_N_OPTIONS (FOCUS_NO_INLINE + 1)

/* Takes an option by its id less `first`. 0, -EINVAL after an error on stderr, or -ENOMEM. */
int focus_set(struct transform *t, const struct options *o, int option);

/* *out: what is to be shown, owned by the caller; NULL: all, as it is. Says on stderr which expression matches nothing.
 * EXIT_OK, or EXIT_ERROR after an error on stderr. */
int focus_apply(const struct command *cmd, struct transform *t, const struct profile *p,
		struct profile **out);

#endif
