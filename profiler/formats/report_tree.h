/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The call tree of a report, which text and JSON show: as `report --tree`. */
#ifndef KILN_FORMATS_REPORT_TREE_H
#define KILN_FORMATS_REPORT_TREE_H

#include "profiler/formats/report_shown.h"
#include "profiler/profile/calltree.h"

struct json;

/* What the rows of a table are, the tree's nodes are; rows by label are its roots. 0 or as calltree_build(). */
int report_tree_build(struct calltree **out, const struct report *r);

/*
 * Appends to an open object: "nodes", an array in preorder, since deep trees are more than readers of JSON take. Each
 * has its "parent", an index in it or null, "depth", "name", "module", "kind", "self" and "total"; "calls", and
 * "cycle_nodes" with "cycle_times", where calls are joined (calltree.h). With r->n_rows the heaviest, as
 * tree_rows_choose() takes them: "left_out" nodes have "total" below their "parent", and what weighs less is summed up
 * in the object "left_out".
 */
int report_tree_json(struct json *j, const struct report *r);

#endif
