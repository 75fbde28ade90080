/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rows of a call tree to show where there is room for some only: the heaviest nodes of the whole
 * tree, and below each what is left out of it.
 */
#ifndef KILN_PROFILE_TREE_ROWS_H
#define KILN_PROFILE_TREE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/profile/calltree.h"

/* A node; or with n_left, a line for nodes below it that have no row. */
struct tree_row {
	uint32_t node;
	uint32_t n_left; /* 0: the node itself */
	int64_t left;	 /* time of these nodes' */
};

/*
 * In the tree's order; a line for what is left out comes last below its node. Such a line is a row, too, where
 * it weighs as much as the lightest node that is shown. What weighs less is summed up in `light`: it is in as
 * many places, for which there are no lines.
 */
struct tree_rows { /* all-zero: empty */
	VEC(struct tree_row) rows;
	struct {
		size_t n_nodes, n_places;
		int64_t left;
	} light;
};

/*
 * Takes the heaviest nodes but for the root, of equal ones the first ones, as many as fit into max_rows with the lines
 * for what is left out; 0: all. No node is shown without its parent, and none before a heavier one. 0 or -ENOMEM.
 */
int tree_rows_choose(struct tree_rows *out, const struct calltree *t, size_t max_rows);
void tree_rows_release(struct tree_rows *r);

#endif
