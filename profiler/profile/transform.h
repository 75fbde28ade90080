/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a profile of a profile, for a reader who wants to see less of it: without some samples, or with frames taken
 * together. Values of the samples that stay do not change. Words and meanings are those of pprof, where it has them.
 */
#ifndef KILN_PROFILE_TRANSFORM_H
#define KILN_PROFILE_TRANSFORM_H

#include <stdbool.h>

#include "profiler/base/regex_budget.h"
#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"

enum transform_kind {
	TRANSFORM_FOCUS,     /* only samples with a frame that matches */
	TRANSFORM_IGNORE,    /* only samples without one */
	TRANSFORM_SHOW_FROM, /* stacks begin at the outermost frame that matches; others go */
	TRANSFORM_COLLAPSE,  /* frames that match and call each other are one, the outermost */
};

/* Matches a frame whose function's name or module has a part that it describes. */
struct transform_pattern {
	enum transform_kind kind;
	struct regex_budget re;
	bool unmatched; /* after transform_apply(): there were samples, and no frame matched */
};

struct transform { /* all-zero changes nothing */
	VEC(struct transform_pattern) patterns;
	const struct transform_pattern *costly; /* that took too long */
	bool no_inline; /* inlined calls are of the function they were inlined into */
};

/* Adds an extended regular expression. -EINVAL with *why, a sentence without a full stop, if it is none or would cost
 * too much; or -ENOMEM. */
int transform_add(struct transform *t, enum transform_kind kind, const char *regex,
		  const char **why);
void transform_release(struct transform *t);

static inline bool transform_is_set(const struct transform *t)
{
	return t->patterns.len || t->no_inline;
}

/*
 * Makes the new profile: first selects samples, then cuts, then folds inlined calls, then collapses. A location that
 * a cut begins in the middle of, among its inlined calls, loses what is outside everywhere, as in pprof. 0, -ENOMEM, or
 * -ETIMEDOUT: t->costly is a pattern that cost too much.
 */
int transform_apply(struct transform *t, const struct profile *p, struct profile **out);

#endif
