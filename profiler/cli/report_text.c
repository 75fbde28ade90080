// SPDX-License-Identifier: GPL-2.0-or-later
/* `kiln report` as text: a table or a call tree. */
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/hints_text.h"
#include "profiler/cli/report.h"
#include "profiler/profile/calltree.h"

/* Smaller branches of a tree are hidden in "+N hidden". */
#define TREE_MIN_SHARE 0.005
/* Largest indentation. */
#define MAX_INDENT 40

static int add_top(struct buf *out, const struct report *r, const struct term *t)
{
	int64_t whole = profile_gross(r->whole, r->table.value);
	int64_t left = profile_gross(r->p, r->table.value);
	int err = answer_header(out, r->p, r->table.value);

	if (r->whole != r->p) {
		buf_str(out, "Shown   ");
		answer_share(out, left, whole);
		buf_str(out, " of the profile; shares are of what is shown\n");
	}
	if (r->quality) {
		answer_scope(out, r->whole);
		answer_rootless(out, r->whole, r->quality);
		answer_quality(out, r->quality, t);
	}
	return err;
}

static void add_bottom(struct buf *out, const struct report *r, const struct term *t)
{
	if (!r->quality)
		return;
	answer_losses(out, r->quality, t);
	answer_blame(out, r->p, r->quality);
}

int report_table(struct buf *out, const struct report *r, const struct term *t)
{
	_cleanup_(table_freep) struct table *tab = NULL;
	int err = table_build(&tab, r->p, &r->table) ?: add_top(out, r, t);

	if (err)
		return err;
	if (r->table.relation != TABLE_ALL)
		buf_printf(out, "%s of %s\n",
			   r->table.relation == TABLE_CALLERS ? "Callers" : "Callees", r->table.of);
	answer_table(out, tab, r->table.by, t, r->n_rows);
	if (tab->n_cut)
		buf_printf(out, "note: %zu stacks were too deep: their middle is left out\n",
			   tab->n_cut);
	add_bottom(out, r, t);
	return out->err;
}

/* --- tree -------------------------------------------------------------------------------------- */

/* A node with siblings, or a root. */
static bool is_branch(const struct calltree *tree, size_t i)
{
	const struct calltree_node *node = &tree->nodes[i];

	return !node->parent || tree->nodes[node->parent].subtree_len != node->subtree_len + 1;
}

/* Columns before the names: two shares, and "- ". */
#define TREE_LEFT 18

static void add_node(struct buf *out, const struct calltree *tree, size_t i, int64_t whole,
		     unsigned indent, const struct term *t)
{
	const struct calltree_node *node = &tree->nodes[i];
	unsigned columns = 2 * (indent < MAX_INDENT ? indent : MAX_INDENT);
	const char *name = calltree_text(tree, node->name);
	size_t left = t->columns > columns + TREE_LEFT ? t->columns - columns - TREE_LEFT : 0;

	answer_share(out, node->total, whole);
	buf_str(out, "  ");
	answer_share(out, node->self, whole);
	buf_printf(out, "  %*s%s", (int)columns, "", is_branch(tree, i) ? "- " : "  ");
	if (left && text_columns(name) > left)
		term_fit(out, name, left);
	else
		buf_str(out, name);
	buf_char(out, '\n');
}

/* Single calls in a row stay in one column. A branch moves right and gets a dash. */
static int add_tree(struct buf *out, const struct calltree *tree, const struct report *r,
		    const struct term *t)
{
	_cleanup_free_ unsigned *indent = calloc(tree->n_nodes, sizeof(*indent));
	int64_t whole = profile_gross(r->p, r->table.value);
	size_t shown = 0;

	if (!indent)
		return -ENOMEM;
	for (size_t i = 1; i < tree->n_nodes && (!r->n_rows || shown < r->n_rows); i++) {
		uint32_t parent = tree->nodes[i].parent;

		indent[i] = indent[parent] + (parent && is_branch(tree, i));
		add_node(out, tree, i, whole, indent[i], t);
		shown++;
	}
	if (shown + 1 < tree->n_nodes)
		buf_printf(out, "(%zu more)\n", tree->n_nodes - 1 - shown);
	return out->err;
}

int report_tree(struct buf *out, const struct report *r, const struct term *t)
{
	struct calltree_opts o = {
		.value = r->table.value,
		.through = r->table.of,
		.inverted = r->table.relation == TABLE_CALLERS,
		.min_share = TREE_MIN_SHARE,
	};
	_cleanup_(calltree_freep) struct calltree *tree = NULL;
	int err = calltree_build(&tree, r->p, &o) ?: add_top(out, r, t);

	if (err)
		return err;
	term_style(t, out, STYLE_HEAD);
	buf_str(out, " total    self    function");
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
	err = add_tree(out, tree, r, t);
	add_bottom(out, r, t);
	return err ?: out->err;
}
