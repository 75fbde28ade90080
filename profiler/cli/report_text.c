// SPDX-License-Identifier: GPL-2.0-or-later
/* `kiln report` as text: a table or a call tree. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/hints_text.h"
#include "profiler/cli/report.h"
#include "profiler/cli/summary.h"
#include "profiler/cli/table_text.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/tree_rows.h"

/* Largest indentation. */
#define MAX_INDENT 40

static int add_top(struct buf *out, const struct report *r, const struct term *t)
{
	int64_t whole = profile_gross(r->whole, r->table.value);
	int64_t left = profile_gross(r->p, r->table.value);
	const struct summary summary = {r->p, r->quality, r->table.value};
	int err = answer_header(out, r->p, r->table.value, t);

	if (left != whole) {
		buf_str(out, "Shown   ");
		answer_share(out, left, whole);
		buf_str(out, " of the profile; shares are of what is shown\n");
	}
	if (r->quality) {
		answer_scope(out, r->whole, t);
		answer_rootless(out, r->whole, r->quality, t);
	}
	if (!err && r->table.relation == TABLE_ALL)
		err = summary_head(out, &summary, t);
	if (r->quality)
		answer_quality(out, r->quality, t);
	return err;
}

static void add_bottom(struct buf *out, const struct report *r, const struct term *t)
{
	if (!r->quality)
		return;
	answer_losses(out, r->quality, t);
	answer_blame(out, r->p, r->quality, t);
}

static void add_relation(struct buf *out, const struct report *r, const struct term *t)
{
	static const char of[] = "Callers of ";

	buf_str(out, r->table.relation == TABLE_CALLERS ? of : "Callees of ");
	table_add_name(out, r->table.of, t, strlen(of));
	buf_char(out, '\n');
}

int report_table(struct buf *out, const struct report *r, const struct term *t)
{
	_cleanup_(table_freep) struct table *tab = NULL;
	int err = table_build(&tab, r->p, &r->table) ?: add_top(out, r, t);

	if (err)
		return err;
	if (r->table.relation != TABLE_ALL)
		add_relation(out, r, t);
	answer_table(out, tab, r->table.by, t, r->n_rows);
	if (tab->n_cut)
		buf_printf(out, "note: %zu stacks were too deep: their middle is left out\n",
			   tab->n_cut);
	add_bottom(out, r, t);
	return out->err;
}

int report_summary(struct buf *out, const struct report *r, const struct term *t)
{
	const struct summary summary = {r->p, r->quality, r->table.value};
	int err = answer_header(out, r->p, r->table.value, t);

	if (r->quality)
		answer_scope(out, r->whole, t);
	return err ?: summary_text(out, &summary, t, NULL);
}

/* --- tree -------------------------------------------------------------------------------------- */

/* Columns before the names: two shares, and "- ". */
#define TREE_LEFT 18
/* Columns that any indentation leaves to a name. */
#define LEAST_NAME 20

static unsigned indent_columns(unsigned indent, const struct term *t)
{
	size_t columns = 2 * (indent < MAX_INDENT ? indent : MAX_INDENT), most = columns;

	if (t->columns)
		most = t->columns > TREE_LEFT + LEAST_NAME ? t->columns - TREE_LEFT - LEAST_NAME
							   : 0;
	return (unsigned)(columns < most ? columns : most);
}

struct tree_text {
	const struct calltree *tree;
	const struct term *term;
	int64_t whole;
	/* By node: how many rows are below it, and how far its own one is to the right. */
	unsigned *n_below, *indent;
};

static void tree_text_release(struct tree_text *t)
{
	free(t->n_below);
	free(t->indent);
}

static void add_indented(struct buf *out, const struct tree_text *t, unsigned indent, bool dash,
			 const char *name)
{
	unsigned columns = indent_columns(indent, t->term);

	buf_printf(out, "  %*s%s", (int)columns, "", dash ? "- " : "  ");
	table_add_name(out, name, t->term, TREE_LEFT + columns);
}

/* Of a node with other rows beside it, or at the top. */
static bool is_branch(const struct tree_text *t, uint32_t parent)
{
	return !parent || t->n_below[parent] > 1;
}

/* Single calls in a row stay in one column. A branch moves right and gets a dash. */
static void add_node(struct buf *out, struct tree_text *t, uint32_t i)
{
	const struct calltree_node *node = &t->tree->nodes[i];
	bool branch = is_branch(t, node->parent);

	t->indent[i] = t->indent[node->parent] + (node->parent && branch);
	answer_share(out, node->total, t->whole);
	buf_str(out, "  ");
	answer_share(out, node->self, t->whole);
	add_indented(out, t, t->indent[i], branch, calltree_text(t->tree, node->name));
	buf_char(out, '\n');
}

static void add_left_out(struct buf *out, const struct tree_text *t, const struct tree_row *row)
{
	bool branch = is_branch(t, row->node);
	char text[64], number[32];

	snprintf(text, sizeof(text), "… %s more",
		 text_format_count(row->n_left, number, sizeof(number)));
	term_style(t->term, out, STYLE_DIM);
	answer_share(out, row->left, t->whole);
	buf_printf(out, "  %6s", "");
	add_indented(out, t, t->indent[row->node] + (row->node && branch), branch, text);
	term_style(t->term, out, STYLE_END);
	buf_char(out, '\n');
}

static void add_light(struct buf *out, const struct tree_rows *rows, int64_t whole)
{
	char nodes[32], places[32];

	if (!rows->light.n_nodes)
		return;
	buf_printf(out, "(%s more in %s %s,",
		   text_format_count(rows->light.n_nodes, nodes, sizeof(nodes)),
		   text_format_count(rows->light.n_places, places, sizeof(places)),
		   rows->light.n_places == 1 ? "place" : "places");
	answer_share(out, rows->light.left, whole);
	buf_str(out, " in all)\n");
}

static int add_tree(struct buf *out, const struct calltree *tree, const struct report *r,
		    const struct term *term)
{
	_cleanup_(tree_text_release) struct tree_text t = {
		.tree = tree,
		.term = term,
		.whole = profile_gross(r->p, r->table.value),
		.n_below = calloc(tree->n_nodes, sizeof(*t.n_below)),
		.indent = calloc(tree->n_nodes, sizeof(*t.indent)),
	};
	_cleanup_(tree_rows_release) struct tree_rows rows = {0};
	int err = t.n_below && t.indent ? tree_rows_choose(&rows, tree, r->n_rows) : -ENOMEM;

	for (size_t i = 0; i < rows.rows.len; i++) {
		const struct tree_row *row = &rows.rows.data[i];

		t.n_below[row->n_left ? row->node : tree->nodes[row->node].parent]++;
	}
	for (size_t i = 0; i < rows.rows.len; i++) {
		if (rows.rows.data[i].n_left)
			add_left_out(out, &t, &rows.rows.data[i]);
		else
			add_node(out, &t, rows.rows.data[i].node);
	}
	add_light(out, &rows, t.whole);
	return err ?: out->err;
}

/* Functions have their commands as roots, where there are several. */
static int add_commands(struct calltree_opts *o, const struct profile *p)
{
	_cleanup_(processes_release) struct processes processes = {0};
	int err = processes_load(&processes, p);

	if (err || !processes_have_commands(&processes, p))
		return err;
	o->roots = ROOTS_GROUP;
	o->by = TABLE_COMMAND;
	return 0;
}

/* What the rows of a table are, the tree's nodes are; rows by label are its roots. */
static int tree_opts(struct calltree_opts *o, const struct report *r)
{
	*o = (struct calltree_opts){
		.value = r->table.value,
		.roots = table_by_label(r->table.by) ? ROOTS_GROUP : ROOTS_NONE,
		.by = r->table.by,
		.label = r->table.label,
		.through = r->table.of,
		.inverted = r->table.relation == TABLE_CALLERS,
		.without_lost = true,
		.inlined_alike = true,
	};
	if (table_by_function(o->by)) {
		o->detail = o->by == TABLE_LINE ? DETAIL_LINE : DETAIL_FUNCTION;
		return add_commands(o, r->p);
	}
	if (!table_by_label(o->by))
		o->detail = DETAIL_GROUP;
	return 0;
}

static void add_tree_head(struct buf *out, enum table_by by, const struct term *t)
{
	term_style(t, out, STYLE_HEAD);
	buf_printf(out, " total    self    %s%s", table_by_title(by),
		   table_by_label(by) ? ", function" : "");
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
}

int report_tree(struct buf *out, const struct report *r, const struct term *t)
{
	_cleanup_(calltree_freep) struct calltree *tree = NULL;
	struct calltree_opts o;
	int err = tree_opts(&o, r) ?: calltree_build(&tree, r->p, &o) ?: add_top(out, r, t);

	if (err)
		return err;
	add_tree_head(out, r->table.by, t);
	err = add_tree(out, tree, r, t);
	add_bottom(out, r, t);
	return err ?: out->err;
}
