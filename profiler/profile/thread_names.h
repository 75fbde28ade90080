/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile by what its threads are called. Threads of one kind have one name and a number: "GC Thread#0", "worker-12". */
#ifndef KILN_PROFILE_THREAD_NAMES_H
#define KILN_PROFILE_THREAD_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"

/* Whether a name is one of several by its number: "worker-12" is, "python3" is not. */
bool thread_is_numbered(const char *name);

struct thread_name {
	const char *name; /* without its number */
	int64_t value;
};

struct thread_names { /* all-zero: empty */
	struct strtab *texts;
	VEC(struct thread_name) rows; /* heaviest first; samples without a name are in none */
};

/* Release what it wrote in any case. 0 or -ENOMEM. */
int thread_names_build(struct thread_names *out, const struct profile *p, size_t value);
void thread_names_release(struct thread_names *t);

#endif
