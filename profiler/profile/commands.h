/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile by command: all processes and threads of one program together (processes.h). */
#ifndef KILN_PROFILE_COMMANDS_H
#define KILN_PROFILE_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/profile.h"

struct command_sum {
	const char *name; /* NO_PROCESS for samples without one */
	int64_t value;
	uint32_t n_processes; /* 0: not known */
	uint32_t place;	      /* private */
};

struct commands { /* all-zero: empty */
	struct processes processes;
	struct strtab *names;
	VEC(struct command_sum) rows; /* heaviest first */
	VEC(uint32_t) of_labelset;    /* row of each label set */
};

/* Release what it wrote in any case. 0 or -ENOMEM. */
int commands_build(struct commands *out, const struct profile *p, size_t value);
void commands_release(struct commands *c);

/* How many have a name and some time. */
size_t commands_named(const struct commands *c);

#endif
