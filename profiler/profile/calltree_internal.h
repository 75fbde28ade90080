/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call tree while it is built. For calltree*.c only. */
#ifndef KILN_PROFILE_CALLTREE_INTERNAL_H
#define KILN_PROFILE_CALLTREE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/table_names.h"

#define CALLTREE_NONE UINT32_MAX

struct calltree_frame {
	uint32_t name, module, file;
	uint8_t kind;
	bool inlined;
	bool is_through; /* all stacks must go through its function */
};

/* A node while the tree grows; a parent always has a lower index than its children. */
struct calltree_sprout {
	uint32_t parent, frame;
	uint32_t n_below; /* nodes of the subtree, itself included */
	uint32_t n_calls; /* at most, in a row */
	struct calltree_cycle cycle;
	int64_t ends, total; /* of stacks that end here, and of all */
	int64_t self; /* of stacks with its function as their leaf, where that is not `ends` */
};

/* Calls that are one frame of a path. */
struct calltree_step {
	uint32_t n_calls;
	/* Frames that it begins, and that it ends, and how often in a row. */
	struct calltree_cycle begins, ends;
};

struct calltree_builder {
	const struct profile *p;
	const struct calltree_opts *o;
	struct strtab *strings;
	struct row_namer namer; /* of groups */
	VEC(struct calltree_frame) frames;
	struct htab frame_index;
	VEC(uint32_t) location_first;  /* indices into location_frames; one more than locations */
	VEC(uint32_t) location_frames; /* innermost inlined call first */
	VEC(uint32_t) root_first;      /* indices into root_frames; one more than label sets */
	VEC(uint32_t) root_frames;     /* outermost first */
	VEC(struct calltree_sprout) sprouts;
	struct htab sprout_index;
	VEC(uint32_t) path; /* one stack, outermost frame first */
	VEC(struct calltree_step)
	steps;		    /* of each frame of the path, joined; empty: one call each */
	uint32_t truncated; /* frame */
};

/* Makes the tree of what has grown. Takes b->strings. 0 or -ENOMEM. */
int calltree_lay_out(struct calltree **out, struct calltree_builder *b);

#endif
