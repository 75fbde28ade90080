/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions by any part of their names that is enough. */
#ifndef KILN_CLI_FIND_FUNCTION_H
#define KILN_CLI_FIND_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/cli/command.h"
#include "profiler/profile/profile.h"

/*
 * Replaces *name by the whole name of the function that it fits best: the same, the same without
 * parameters and arguments, the last component, the last components, a part. The text is the
 * profile's. EXIT_OK; EXIT_USAGE after a list of those that fit equally well, heaviest of `value`
 * first; EXIT_ERROR after a guess what was meant.
 */
int find_function(const struct command *cmd, const struct profile *p, size_t value,
		  const char **name);
/* Whether a text finds this function and no other. False, too, if memory is out. */
bool finds_function(const struct profile *p, const char *typed, const char *name);

#endif
