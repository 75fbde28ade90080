/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kiln push sends: files as they are, and of stores each window by itself, in order. */
#ifndef KILN_CLI_PUSH_SOURCE_H
#define KILN_CLI_PUSH_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/cli/load_store.h"

struct profile;

struct push_source {
	const struct command *cmd;
	char *const *paths;
	int n;
	const struct load_range *range;
	bool merge;	  /* of a store: one profile */
	uint64_t windows; /* how many there are, as far as that is known yet */
	/* Gets a profile, which is the callee's. `name` for people. EXIT_OK, or an exit code, which ends it. */
	int (*take)(void *ctx, struct profile *p, const char *name);
	void *ctx;
};

/* EXIT_OK, or an exit code after an error on stderr. */
int push_source_run(struct push_source *s);

#endif
