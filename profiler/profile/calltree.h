/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call tree of a profile, for flame graphs and `report --tree`. Nodes are in preorder: children
 * follow their parent, heaviest first.
 */
#ifndef KILN_PROFILE_CALLTREE_H
#define KILN_PROFILE_CALLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/table_by.h"

enum calltree_roots {
	ROOTS_COMM, /* label comm; no extra root if the profile has none */
	ROOTS_NONE,
	ROOTS_GROUP, /* the row of a table by opts.by, which is one of those by label */
	/* One for each label set that is not empty, named by its index in decimal, for callers
	 * that group by label themselves. */
	ROOTS_LABELSET,
};

enum calltree_detail {
	DETAIL_FUNCTION,
	DETAIL_LINE,  /* function, file:line */
	DETAIL_GROUP, /* rows of a table by opts.by; what calls itself is one node */
};

struct calltree_opts {
	size_t value; /* sample type index */
	enum calltree_roots roots;
	enum calltree_detail detail;
	enum table_by by;  /* of ROOTS_GROUP and DETAIL_GROUP */
	const char *label; /* of TABLE_LABEL */
	bool inverted;	   /* leaf first, so callers are below */
	bool without_lost; /* leave out stacks of lost samples */
	bool join_calls; /* functions that call themselves, or a few each other in turn, are nodes once */
	bool inlined_alike; /* a call is the same node, whether it was inlined or not */
	/* Sums of a stack that are below 0 (a difference of profiles) stay, as self; totals have their size. */
	bool with_less;
	bool with_files; /* functions of different files are different nodes, and have `file` */
	/*
	 * Take only stacks through this function (exact name), rooted there; inverted: its callers.
	 * NULL: all. If it recurses, the outermost call counts, so each stack counts once.
	 */
	const char *through;
	/* Replace nodes below this share of the total by "+N hidden", their parent's last child.
	 * 0: keep all; must be below 1. */
	double min_share;
};

/* Functions that call each other in turn: so many nodes from an end on, this one included; at most, in a row. */
struct calltree_cycle {
	uint32_t n_nodes, n_times; /* 0: none */
};
#define CALLTREE_CYCLE_MAX 8 /* nodes of one */

struct calltree_node {
	uint32_t name;	 /* string id in the tree's own table */
	uint32_t module; /* string id, too; "" for roots */
	uint32_t parent; /* node index; the root is node 0 and its own parent */
	uint32_t depth;	 /* 0 for the root */
	/* Nodes of the subtree, itself included: the next sibling is i + subtree_len. */
	uint32_t subtree_len;
	uint32_t
		n_calls; /* that are one node where calls are joined: of itself in a row, at most; else 1 */
	/* Where calls are joined: of the innermost of its nodes; inverted, of the outermost. Its others are above. */
	struct calltree_cycle cycle;
	/* self: with nothing called. Inverted, only the nodes that all others are callers of have
	 * any; else it and the children's totals add up to the total. */
	int64_t self, total;
	uint32_t file; /* string id: source file of the function, "" if it is not known or wanted */
	uint8_t kind;  /* enum frame_kind; FRAME_ROOT_KIND for process roots */
	bool inlined;
	bool is_chain; /* the name is of several: calltree_fold.h */
};
#define FRAME_ROOT_KIND 7

struct calltree {
	struct strtab *strings;
	struct calltree_node *nodes; /* nodes[0] is "all" */
	size_t n_nodes;
	int64_t total;
	uint32_t max_depth;
};

/*
 * Builds the tree. Children of equal weight are ordered by their texts, so the order of samples
 * does not matter. Equal stacks are added up first, and sums of 0 and below (a difference of
 * profiles) are left out: the total is that of what grew. Stacks of
 * more than 4,096 frames keep both ends, with [truncated] between them. Nodes beyond 4 Mi become
 * [truncated] children, so the total stays that of the samples. 0, -ENOMEM, -EINVAL for options out
 * of range, -EOVERFLOW if the sum of the values without their signs exceeds int64_t.
 */
int calltree_build(struct calltree **out, const struct profile *p, const struct calltree_opts *o);
void calltree_free(struct calltree *t);
DEFINE_CLEANUP(calltree, calltree_free)
static inline const char *calltree_text(const struct calltree *t, uint32_t id)
{
	return strtab_get(t->strings, id);
}

#endif
