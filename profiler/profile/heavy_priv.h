/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internals that heavy_items.c (stacks become paths, and items) and heavy_path.c (items become lines) share.
 */
#ifndef KILN_PROFILE_HEAVY_PRIV_H
#define KILN_PROFILE_HEAVY_PRIV_H

#include "profiler/base/hash.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/heavy_path.h"
#include "profiler/profile/table_names.h"

/* A line that loses its main() has the share of what is left. */
#define KEEPS_OF_MAIN 0.85

struct function {
	uint32_t name, module; /* strings */
	enum frame_kind kind;
	enum frame_role role;
	const struct interpreter *of;	/* in whose language it was written, or NULL */
	const struct interpreter *loop; /* whose loop it is, or NULL */
	uint32_t place;			/* 1 + index in the path that is made */
	bool begins;			/* a path, where no main() called it */
	uint32_t only; /* of main(): 1 + what it calls nearly always, if that begins paths */
};

struct path {
	uint32_t first, len; /* in steps */
};

/* What a main() calls. */
struct first_call {
	uint32_t main, next; /* functions */
	int64_t value;
};

struct item {
	uint32_t stack, command;
	int64_t value;
};

/* A line while it may get branches: items [begin, end) have the same first `depth` steps. */
struct branch {
	struct heavy_line line;
	size_t begin, end, depth;
	uint32_t parent; /* branch, or NONE */
	uint32_t step;	 /* the line's first */
	bool expanded;
};
#define NONE UINT32_MAX

struct builder {
	const struct profile *p;
	const struct heavy_opts *o;
	struct heavy_path *out;
	struct row_namer namer;
	VEC(struct function) functions;
	struct htab function_index;
	VEC(uint32_t) location_first; /* in frames; one more than locations */
	VEC(uint32_t) frames;	      /* functions, innermost first */
	VEC(uint32_t) raw, path;      /* of one stack, outermost first */
	VEC(struct path) paths;	      /* of each stack */
	VEC(uint32_t) steps;	      /* functions */
	VEC(struct item) items;
	struct htab item_index;
	VEC(struct first_call) first_calls;
	VEC(struct branch) branches;
	VEC(int64_t) sums;     /* by function, then by command; 0 but for those in `touched` */
	VEC(uint32_t) touched; /* heaviest first */
	int64_t gross;
};

/* Makes the items of a profile, whose functions have no lines yet. 0 or -ENOMEM. */
int heavy_items_build(struct builder *b);

#endif
