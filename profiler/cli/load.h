/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads profile files of the command line. */
#ifndef KILN_CLI_LOAD_H
#define KILN_CLI_LOAD_H

#include "profiler/base/cleanup.h"
#include "profiler/cli/command.h"
#include "profiler/cli/load_store.h"
#include "profiler/profile/profile.h"

DEFINE_CLEANUP(profile, profile_free)

/*
 * Reads n files ("-" is standard input) and stores (directories), and merges them. Of stores only the range
 * counts; NULL: the command takes no stores. With a range and no file it is the configured store. Reports
 * errors on stderr: no file, an unreadable file, one without values, files that do not fit together.
 * EXIT_OK or an exit code.
 */
int load_profiles(const struct command *cmd, char *const *paths, int n,
		  const struct load_range *range, struct profile **out);

/* The same without the frames that drop_frames and keep_frames hide (profiler/profile/prune.h): for
 * commands that show a profile themselves. What is passed on as pprof keeps them. */
int load_shown(const struct command *cmd, char *const *paths, int n, const struct load_range *range,
	       struct profile **out);

struct load_base { /* all-zero: none */
	const char *path;
	bool normalize;
};

/* Options of every command that compares two profiles; their ids are id and id + 1. */
#define LOAD_BASE_OPTIONS(id)                                                                      \
	{"diff-base", 0, "FILE", "what changed: takes this profile from it; shares are of it",     \
	 id},                                                                                      \
	{                                                                                          \
		"normalize", 0, NULL, "scales --diff-base to the same total first", (id) + 1       \
	}
void load_base_set(struct load_base *b, int which, const char *value); /* which: from 0 */

/* Takes the base, if there is one, from p (profiler/profile/difference.h). shown: as load_shown(). EXIT_OK or an exit
 * code, and it is said. */
int load_base(const struct command *cmd, const struct load_base *b, bool shown, struct profile *p);

/* Index of the sample type that --value names (NULL: the default one). -EINVAL after an error on
 * stderr. */
int load_value(const struct command *cmd, const struct profile *p, const char *type);

#endif
