/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile store of the command line: a URL, or one of the configuration's destinations by name. */
#ifndef KILN_CLI_PUSH_TARGET_H
#define KILN_CLI_PUSH_TARGET_H

#include "profiler/cli/target_args.h"

struct command;

struct push_target_args {
	const char *option;	 /* that names it: "--to" */
	const char *to, *config; /* config NULL: the usual file, if it is there */
	struct target_args args;
};

/* Also the path of the configuration's store, malloc'd, where `store` is not NULL. EXIT_OK, or an exit code after an
 * error on stderr. */
int push_target_open(struct upload_target **out, const struct command *cmd,
		     const struct push_target_args *a, char **store);

#endif
