// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A chain is a run of nodes in preorder, each the parent of the next. So folding takes one pass that copies nodes to
 * the front; what a node's place became is kept for its children.
 */
#include "profiler/profile/calltree_fold.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/buf.h"
#include "profiler/profile/frame_role.h"

#define ARROW	    " > "
#define NAMES_SHOWN 3 /* of a chain; of a longer one the ends */

static bool is_ceremony(const struct calltree *t, const struct calltree_node *n)
{
	enum frame_role role;

	if (n->kind == FRAME_SYNTHETIC || n->kind == FRAME_ROOT_KIND)
		return false;
	role = frame_role_of(calltree_text(t, n->name), calltree_text(t, n->module),
			     (enum frame_kind)n->kind);
	return role == ROLE_CEREMONY || role == ROLE_MAIN;
}

/* How many nodes from i on are a chain; 1: it is none. */
static size_t chain_len(const struct calltree *t, size_t i)
{
	size_t n = 1;

	if (!is_ceremony(t, &t->nodes[i]))
		return 1;
	while (i + n < t->n_nodes && t->nodes[i + n].parent == i + n - 1 &&
	       t->nodes[i + n].total == t->nodes[i].total && is_ceremony(t, &t->nodes[i + n]))
		n++;
	return n;
}

static int join_names(struct calltree *t, size_t first, size_t n, uint32_t *name)
{
	struct buf text = {0};
	int err;

	for (size_t i = 0; i < n; i++) {
		if (n > NAMES_SHOWN && i && i + 1 < n) {
			buf_str(&text, i == 1 ? ARROW ".." : "");
			continue;
		}
		buf_printf(&text, "%s%s", i ? ARROW : "",
			   calltree_text(t, t->nodes[first + i].name));
	}
	err = strtab_add(t->strings, buf_cstr(&text), name) ?: text.err;
	buf_release(&text);
	return err;
}

/* Names come first, so that a failure leaves the tree as it was. */
static int find_chains(struct calltree *t, uint32_t *lens, uint32_t *names)
{
	for (size_t i = 0, n; i < t->n_nodes; i += n) {
		n = chain_len(t, i);
		lens[i] = (uint32_t)n;
		if (n > 1 && join_names(t, i, n, &names[i]))
			return -ENOMEM;
	}
	return 0;
}

static void fold(struct calltree *t, const uint32_t *lens, const uint32_t *names, uint32_t *place)
{
	size_t kept = 0;

	t->max_depth = 0;
	for (size_t i = 0, n; i < t->n_nodes; i += n) {
		struct calltree_node node;

		n = lens[i];
		node = t->nodes[i + n - 1];
		if (n > 1)
			node.name = names[i];
		node.is_chain = n > 1;
		node.parent = i ? place[t->nodes[i].parent] : 0;
		node.depth = i ? t->nodes[node.parent].depth + 1 : 0;
		node.subtree_len = 1;
		if (node.depth > t->max_depth)
			t->max_depth = node.depth;
		for (size_t k = 0; k < n; k++)
			place[i + k] = (uint32_t)kept;
		t->nodes[kept++] = node;
	}
	t->n_nodes = kept;
	for (size_t i = kept; i-- > 1;)
		t->nodes[t->nodes[i].parent].subtree_len += t->nodes[i].subtree_len;
}

int calltree_fold_ceremony(struct calltree *t)
{
	_cleanup_free_ uint32_t *lens = calloc(t->n_nodes + 1, sizeof(*lens));
	_cleanup_free_ uint32_t *names = calloc(t->n_nodes + 1, sizeof(*names));
	_cleanup_free_ uint32_t *place = calloc(t->n_nodes + 1, sizeof(*place));

	if (!lens || !names || !place || find_chains(t, lens, names))
		return -ENOMEM;
	fold(t, lens, names, place);
	return 0;
}
