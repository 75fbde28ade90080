/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --focus and --ignore: select samples. */
#ifndef KILN_CLI_FOCUS_H
#define KILN_CLI_FOCUS_H

#include <regex.h>
#include <stdbool.h>

#include "profiler/base/vec.h"
#include "profiler/cli/command.h"
#include "profiler/profile/profile.h"

struct focus_pattern {
	regex_t re;
	bool wanted; /* true: --focus; false: --ignore */
};

/* All-zero keeps everything. */
struct focus {
	VEC(struct focus_pattern) patterns;
};

/* Adds an option's value, an extended regular expression. 0, -EINVAL after an error on stderr,
 * or -ENOMEM. */
int focus_add(struct focus *f, const struct options *o, bool wanted);
void focus_release(struct focus *f);

/*
 * Makes a new profile of the samples that have a frame for each wanted pattern and none for the
 * others. A pattern matches a frame's function name or module. 0 or -errno.
 */
int focus_apply(const struct focus *f, const struct profile *p, struct profile **out);

#endif
