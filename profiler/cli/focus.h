/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --focus and --ignore: only the samples that are asked about. */
#ifndef KILN_CLI_FOCUS_H
#define KILN_CLI_FOCUS_H

#include <regex.h>
#include <stdbool.h>

#include "profiler/base/vec.h"
#include "profiler/cli/command.h"
#include "profiler/profile/profile.h"

struct focus_pattern {
	regex_t re;
	bool wanted; /* --focus; else --ignore */
};

/* All-zero keeps everything. */
struct focus {
	VEC(struct focus_pattern) patterns;
};

/* Adds an option's value, an extended regular expression, or says what is wrong with it on stderr.
 * 0, -EINVAL or -ENOMEM. */
int focus_add(struct focus *f, const struct options *o, bool wanted);
void focus_release(struct focus *f);

/*
 * The samples with a frame matching each wanted pattern and none of the others, as a new profile.
 * A frame is matched by its function name and by its module. 0 or -errno.
 */
int focus_apply(const struct focus *f, const struct profile *p, struct profile **out);

#endif
