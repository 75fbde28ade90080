/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profile files named on the command line. */
#ifndef KILN_CLI_LOAD_H
#define KILN_CLI_LOAD_H

#include "profiler/base/cleanup.h"
#include "profiler/cli/command.h"
#include "profiler/profile/profile.h"

DEFINE_CLEANUP(profile, profile_free)

/*
 * Reads n files ("-" is standard input) and merges them into one profile. What is wrong is said on
 * stderr. EXIT_OK, or the exit code to end with: no file at all, one that cannot be read or has no
 * value to sum up, files that do not go together.
 */
int load_profiles(const struct command *cmd, char *const *paths, int n, struct profile **out);

/* Index of the sample type --value names (NULL: the default one), or -EINVAL, said on stderr. */
int load_value(const struct command *cmd, const struct profile *p, const char *type);

#endif
