/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call tree of a profile: what a flame graph draws and `report --tree` prints. Nodes stand in
 * preorder; children follow their parent, heaviest first.
 */
#ifndef KILN_PROFILE_CALLTREE_H
#define KILN_PROFILE_CALLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"

enum calltree_roots {
	ROOTS_COMM, /* label comm, or no extra root where a profile has none */
	ROOTS_NONE,
	ROOTS_PROCESS,	/* comm-pid */
	ROOTS_THREAD,	/* comm-pid/tid */
	ROOTS_CGROUP,	/* unit or container or cgroup, then comm */
	ROOTS_LABELSET, /* one per label set that is not empty, named by its index in decimal: for
			   readers that group by label themselves */
};

enum calltree_detail { DETAIL_FUNCTION, DETAIL_LINE /* function, file:line */ };

struct calltree_opts {
	size_t value; /* sample type index */
	enum calltree_roots roots;
	enum calltree_detail detail;
	bool inverted; /* leaf first: callers below */
	/* Only stacks through this function (exact name), rooted there (or, when inverted, its
	 * callers); NULL = all. Where it recurses, the outermost call is the one: each stack counts
	 * once. */
	const char *through;
	/* Drop nodes below this share of the total into "+N hidden", their parent's last child;
	 * 0 = keep, below 1. */
	double min_share;
};

struct calltree_node {
	uint32_t name;	      /* string id in the tree's own table */
	uint32_t module;      /* likewise; "" for roots */
	uint32_t parent;      /* node index; the root is node 0 and its own parent */
	uint32_t depth;	      /* root 0 */
	uint32_t subtree_len; /* nodes below, itself included: next sibling is i + subtree_len */
	int64_t self, total;
	uint8_t kind; /* enum frame_kind; FRAME_ROOT_KIND for process roots */
	bool inlined;
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
 * Children of equal weight stand in the order of their texts, so the tree does not depend on the
 * order of samples. Samples of value 0 and below (a pprof difference) are left out. Stacks of more
 * than 4,096 frames keep both ends around a [truncated], and nodes beyond 4 Mi become [truncated]
 * children: the total stays that of the samples. 0, -ENOMEM, -EINVAL for options out of range,
 * -EOVERFLOW where the values add up to more than int64_t holds.
 */
int calltree_build(struct calltree **out, const struct profile *p, const struct calltree_opts *o);
void calltree_free(struct calltree *t);
DEFINE_CLEANUP(calltree, calltree_free)
static inline const char *calltree_text(const struct calltree *t, uint32_t id)
{
	return strtab_get(t->strings, id);
}

#endif
