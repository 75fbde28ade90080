/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a profile's weight goes, as a tree of a few lines. A line is a row of calls that keep nearly all of its
 * weight; it branches where several share the weight, and stops where it scatters.
 *
 * Stacks are shortened first. The ceremony of beginning (frame_role.h) is left out, and so is everything before the
 * first function of a program's own, but for main(): its branches belong together. Where one of them keeps nearly all,
 * main() is left out, too, and what threads do in the same function is added to it. What a function that recurses does
 * between two calls of itself counts as done by the outer one, so that its weight is in one place.
 */
#ifndef KILN_PROFILE_HEAVY_PATH_H
#define KILN_PROFILE_HEAVY_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/profile/commands.h"
#include "profiler/profile/profile.h"

/* How much a call tells a reader, the most first. */
enum heavy_rank {
	HEAVY_OWN,     /* of the program itself, and it has a name */
	HEAVY_OTHERS,  /* of a library or the kernel, or code that is made */
	HEAVY_SERVANT, /* no code to blame (frame_role.h): standard libraries, runtimes, main() */
	HEAVY_NAMELESS /* "libfoo.so+sub_1290" */
};
#define HEAVY_RANKS 4

struct heavy_call {
	uint32_t name; /* string */
	enum heavy_rank rank;
	int64_t total; /* of its line's items */
};

/* Calls of a line: a command and functions. */
#define HEAVY_CALLS 129

struct heavy_line {
	uint32_t first, len; /* in calls: whom each calls, outermost first; up to HEAVY_CALLS */
	uint32_t level;	     /* lines above it */
	int64_t total;	     /* of the first; the last keeps 90 % of it or more */
};

struct heavy_path { /* all-zero: empty */
	struct strtab *strings;
	VEC(struct heavy_call) calls;
	VEC(struct heavy_line) lines; /* each before its branches, heaviest first */
};

struct heavy_opts {
	size_t value;			 /* sample type index */
	const struct commands *commands; /* begin with these: the first calls of lines; or NULL */
	size_t max_lines;
	double min_share; /* of the profile: what weighs less gets no line */
};

/* Values of 0 and below do not count. Release what it wrote in any case. 0 or -ENOMEM. */
int heavy_path_build(struct heavy_path *out, const struct profile *p, const struct heavy_opts *o);
void heavy_path_release(struct heavy_path *h);

#endif
