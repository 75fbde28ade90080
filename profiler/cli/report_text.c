// SPDX-License-Identifier: GPL-2.0-or-later
/* `kiln report` as text: a table or a call tree. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/hints_text.h"
#include "profiler/cli/line.h"
#include "profiler/cli/report.h"
#include "profiler/cli/share.h"
#include "profiler/cli/summary.h"
#include "profiler/cli/table_text.h"
#include "profiler/formats/report_tree.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/calltree_fold.h"
#include "profiler/profile/short_name.h"
#include "profiler/profile/tree_rows.h"

/* Largest indentation. */
#define MAX_INDENT 40

/* What is shown is counted, so its part is exact however few its samples are. */
static void add_shown(struct buf *out, const struct report *r, const struct term *t)
{
	const int64_t left = profile_gross(r->p, r->table.value);
	const struct share_scale scale = {.whole = profile_gross(r->whole, r->table.value)};
	struct buf line = {0};

	if (left == scale.whole)
		return;
	buf_printf(&line, LINE_TITLE, "Shown");
	share_text(&line, &scale, left);
	buf_str(&line, " of the profile; shares are of what is shown");
	line_wrap(out, buf_cstr(&line), LINE_COLUMNS, t);
	buf_char(out, '\n');
	buf_release(&line);
}

static int add_top(struct buf *out, const struct report *r, const struct term *t)
{
	const struct summary summary = {r->p, r->quality, r->table.value};
	int err = answer_header(out, r->p, r->table.value, t);

	add_shown(out, r, t);
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

/* has_names: of functions, so that it matters which binaries lack them. */
static void add_bottom(struct buf *out, const struct report *r, bool has_names,
		       const struct term *t)
{
	if (!r->quality)
		return;
	answer_losses(out, r->quality, t);
	if (has_names)
		answer_blame(out, r->p, r->quality, t);
}

/* Columns that what is beside a name leaves to it. */
#define LEAST_NAME 20

/* Of whom, and how much that is: shares of rows say little where it is nearly nothing. */
static void add_relation(struct buf *out, const struct report *r, const struct table *tab,
			 const struct term *t)
{
	static const char of[] = "Callers of ";
	const struct share_scale scale = share_scale_of_table(tab);
	struct buf shares = {0}, line = {0};
	size_t before;

	buf_str(&shares, " (");
	share_text(&shares, &scale, tab->of_total);
	buf_str(&shares, "; ");
	share_text(&shares, &scale, tab->of_self);
	buf_str(&shares, " of its own)");
	buf_str(&line, r->table.relation == TABLE_CALLERS ? of : "Callees of ");
	before = strlen(of) + shares.len;
	if (t->columns && t->columns < before + LEAST_NAME)
		before = 0; /* it gets a line */
	table_add_name(&line, r->table.of, t, before);
	buf_str(&line, buf_cstr(&shares));
	line_wrap(out, buf_cstr(&line), 1, t);
	buf_char(out, '\n');
	buf_release(&line);
	buf_release(&shares);
}

int report_table(struct buf *out, const struct report *r, const struct term *t)
{
	_cleanup_(table_freep) struct table *tab = NULL;
	int err = table_build(&tab, r->p, &r->table) ?: add_top(out, r, t);

	if (err)
		return err;
	if (r->table.relation != TABLE_ALL)
		add_relation(out, r, tab, t);
	answer_table(out, tab, &r->table, t, r->n_rows);
	if (tab->n_cut)
		buf_printf(out, "note: %zu stack%s too deep: the middle is left out\n", tab->n_cut,
			   text_s(tab->n_cut));
	add_bottom(out, r, !table_by_label(r->table.by) && r->table.by != TABLE_MODULE, t);
	return out->err;
}

int report_summary(struct buf *out, const struct report *r, const struct term *t)
{
	const struct summary summary = {r->p, r->quality, r->table.value};
	int err = answer_header(out, r->p, r->table.value, t);

	add_shown(out, r, t);
	if (r->quality)
		answer_scope(out, r->whole, t);
	return err ?: summary_text(out, &summary, t, NULL);
}

/* --- tree -------------------------------------------------------------------------------------- */

/* Columns before the names: two shares, and "- "; in a narrow terminal one share. */
#define TREE_LEFT	 18
#define TREE_LEFT_NARROW 10
/* Without a terminal. */
#define TREE_FILE_COLUMNS 76
/* More than one row in so many is worth a word, and some of them. */
#define RECURSION_WORTH 8
#define RECURSION_LEAST 3

static bool is_narrow(const struct term *t)
{
	return t->columns && t->columns < TREE_LEFT + LEAST_NAME;
}

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
	struct share_scale scale;
	bool inverted; /* callers are below */
	/* By node: how many rows are below it, and how far its own one is to the right. */
	unsigned *n_below, *indent;
	struct short_name *names; /* by row; of what is left out it is not used */
	size_t n_names;
	VEC(char *) suffixes;
};

static void tree_text_release(struct tree_text *t)
{
	free(t->n_below);
	free(t->indent);
	if (t->names)
		short_names_release(t->names, t->n_names);
	free(t->names);
	for (size_t i = 0; i < t->suffixes.len; i++)
		free(t->suffixes.data[i]);
	vec_release(&t->suffixes);
}

static void add_indented(struct buf *out, const struct tree_text *t, unsigned indent, bool dash,
			 const char *name)
{
	buf_printf(out, "  %*s%s%s", (int)indent_columns(indent, t->term), "", dash ? "- " : "  ",
		   name);
}

/* Of a node with other rows beside it, or at the top. */
static bool is_branch(const struct tree_text *t, uint32_t parent)
{
	return !parent || t->n_below[parent] > 1;
}

/* Single calls in a row stay in one column. A branch moves right and gets a dash. */
static void indent_node(struct tree_text *t, uint32_t i)
{
	uint32_t parent = t->tree->nodes[i].parent;

	t->indent[i] = t->indent[parent] + (parent && is_branch(t, parent));
}

static void add_node(struct buf *out, struct tree_text *t, uint32_t i, const char *name)
{
	const struct calltree_node *node = &t->tree->nodes[i];

	share_cell(out, &t->scale, node->total);
	if (!is_narrow(t->term)) {
		buf_str(out, "  ");
		share_cell(out, &t->scale, node->self);
	}
	add_indented(out, t, t->indent[i], is_branch(t, node->parent), name);
	buf_char(out, '\n');
}

static void add_left_out(struct buf *out, const struct tree_text *t, const struct tree_row *row)
{
	bool branch = is_branch(t, row->node);
	char text[64], number[32];

	snprintf(text, sizeof(text), "… %s%s",
		 text_format_count(row->n_left, number, sizeof(number)),
		 is_narrow(t->term) ? "" : " more");
	term_style(t->term, out, STYLE_DIM);
	share_cell(out, &t->scale, row->left);
	buf_printf(out, "%*s", is_narrow(t->term) ? 0 : 2 + SHARE_CELL, "");
	add_indented(out, t, t->indent[row->node] + (row->node && branch), branch, text);
	term_style(t->term, out, STYLE_END);
	buf_char(out, '\n');
}

static void add_light(struct buf *out, const struct tree_rows *rows, const struct tree_text *t)
{
	char nodes[32], places[32];
	struct buf line = {0};

	if (!rows->light.n_nodes)
		return;
	buf_printf(&line, "(%s more in %s %s, ",
		   text_format_count(rows->light.n_nodes, nodes, sizeof(nodes)),
		   text_format_count(rows->light.n_places, places, sizeof(places)),
		   rows->light.n_places == 1 ? "place" : "places");
	share_text(&line, &t->scale, rows->light.left);
	buf_str(&line, " in all)");
	line_wrap(out, buf_cstr(&line), 1, t->term);
	buf_char(out, '\n');
	buf_release(&line);
}

struct placed {
	uint32_t indent, row;
};

static int compare_placed(const void *x, const void *y)
{
	const struct placed *a = x, *b = y;

	if (a->indent != b->indent)
		return a->indent < b->indent ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/* "its caller", "its 2 callers": the others of a cycle, above a node. */
static void add_cycle(struct buf *text, const struct tree_text *t, const struct calltree_cycle *c)
{
	buf_str(text, "with its ");
	if (c->n_nodes > 2)
		buf_printf(text, "%" PRIu32 " ", c->n_nodes - 1);
	buf_printf(text, "%s%s up to %" PRIu32 " times in a row", t->inverted ? "callee" : "caller",
		   c->n_nodes > 2 ? "s" : "", c->n_times);
}

/* How many calls are one row. */
static int set_suffix(struct tree_text *t, struct short_name *s, const struct calltree_node *node)
{
	struct buf text = {0};
	char *suffix;

	s->suffix = "";
	if (node->n_calls < 2 && !node->cycle.n_nodes)
		return 0;
	buf_str(&text, " (");
	if (node->n_calls > 1)
		buf_printf(&text, "up to %" PRIu32 " in a row", node->n_calls);
	if (node->n_calls > 1 && node->cycle.n_nodes)
		buf_str(&text, ", ");
	if (node->cycle.n_nodes)
		add_cycle(&text, t, &node->cycle);
	buf_char(&text, ')');
	suffix = buf_take(&text);
	if (!suffix)
		return -ENOMEM;
	s->suffix = suffix;
	if (!vec_push(&t->suffixes, suffix))
		return 0;
	free(suffix);
	return -ENOMEM;
}

/* Names that differ do so also when they are short: those of one column are shortened at once. */
static int shorten_column(struct tree_text *t, const struct placed *s, size_t n, unsigned indent)
{
	_cleanup_free_ struct short_name *names = calloc(n, sizeof(*names));
	size_t before, columns = t->term->columns ?: TREE_FILE_COLUMNS;
	int err = names ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++)
		names[i] = t->names[s[i].row];
	before = (is_narrow(t->term) ? TREE_LEFT_NARROW : TREE_LEFT) +
		 indent_columns(indent, t->term);
	err = err ?: short_names(names, n, columns > before ? columns - before : 1);
	for (size_t i = 0; i < n && names; i++)
		t->names[s[i].row] = names[i];
	return err;
}

static int shorten_rows(struct tree_text *t, const struct tree_rows *rows)
{
	size_t n = rows->rows.len, n_nodes = 0;
	_cleanup_free_ struct placed *order = malloc((n + 1) * sizeof(*order));
	int err = order ? 0 : -ENOMEM;

	t->n_names = n;
	for (size_t i = 0; i < n && !err; i++) {
		const struct tree_row *row = &rows->rows.data[i];
		const struct calltree_node *node = &t->tree->nodes[row->node];

		t->names[i].name = t->names[i].suffix = "";
		if (row->n_left)
			continue;
		t->names[i].name = calltree_text(t->tree, node->name);
		t->names[i].is_plain = node->is_chain;
		err = set_suffix(t, &t->names[i], node);
		order[n_nodes++] = (struct placed){t->indent[row->node], (uint32_t)i};
	}
	if (!err)
		qsort(order, n_nodes, sizeof(*order), compare_placed);
	/* caller and callee need not be in one column */
	if (!err && n_nodes)
		err = shorten_column(t, order, n_nodes, order[n_nodes - 1].indent);
	for (size_t i = 0, end; i < n_nodes && !err; i = end) {
		for (end = i + 1; end < n_nodes && order[end].indent == order[i].indent; end++)
			;
		err = shorten_column(t, order + i, end - i, order[i].indent);
	}
	return err;
}

static void count_and_indent(struct tree_text *t, const struct tree_rows *rows)
{
	for (size_t i = 0; i < rows->rows.len; i++) {
		const struct tree_row *row = &rows->rows.data[i];

		t->n_below[row->n_left ? row->node : t->tree->nodes[row->node].parent]++;
	}
	for (size_t i = 0; i < rows->rows.len; i++)
		if (!rows->rows.data[i].n_left)
			indent_node(t, rows->rows.data[i].node);
}

static bool is_below_itself(const struct calltree *t, uint32_t node)
{
	const struct calltree_node *n = &t->nodes[node];

	for (uint32_t up = n->parent; up; up = t->nodes[up].parent)
		if (t->nodes[up].name == n->name && t->nodes[up].module == n->module)
			return true;
	return false;
}

/* Rows that a function takes that calls itself by way of others; only where rows are few. */
static void add_recursion(struct buf *out, const struct calltree *tree,
			  const struct tree_rows *rows, size_t max_rows, const struct term *term)
{
	struct buf line = {0};
	size_t n = 0;

	for (size_t i = 0; i < rows->rows.len && max_rows; i++)
		n += !rows->rows.data[i].n_left && is_below_itself(tree, rows->rows.data[i].node);
	if (n < RECURSION_LEAST || n <= rows->rows.len / RECURSION_WORTH)
		return;
	buf_printf(&line,
		   "(%zu of these rows are of functions that call themselves by way of others: "
		   "--collapse REGEX makes one of those that match)",
		   n);
	line_wrap(out, buf_cstr(&line), 1, term);
	buf_char(out, '\n');
	buf_release(&line);
}

static int add_tree(struct buf *out, const struct calltree *tree, const struct report *r,
		    const struct term *term)
{
	_cleanup_(tree_rows_release) struct tree_rows rows = {0};
	_cleanup_(tree_text_release) struct tree_text t = {
		.tree = tree,
		.term = term,
		.scale = share_scale_of(r->p, r->table.value),
		.inverted = r->table.relation == TABLE_CALLERS,
		.n_below = calloc(tree->n_nodes, sizeof(*t.n_below)),
		.indent = calloc(tree->n_nodes, sizeof(*t.indent)),
	};
	int err = t.n_below && t.indent ? tree_rows_choose(&rows, tree, r->n_rows) : -ENOMEM;

	if (!err) {
		t.names = calloc(rows.rows.len + 1, sizeof(*t.names));
		count_and_indent(&t, &rows);
		err = t.names ? shorten_rows(&t, &rows) : -ENOMEM;
	}
	for (size_t i = 0; i < rows.rows.len && !err; i++) {
		if (rows.rows.data[i].n_left)
			add_left_out(out, &t, &rows.rows.data[i]);
		else
			add_node(out, &t, rows.rows.data[i].node, t.names[i].text);
	}
	add_light(out, &rows, &t);
	add_recursion(out, tree, &rows, r->n_rows, term);
	return err ?: out->err;
}

static void add_tree_head(struct buf *out, const struct table_opts *o, const struct term *t)
{
	term_style(t, out, STYLE_HEAD);
	buf_printf(out, " total    %s%s%s", is_narrow(t) ? "" : "self    ", table_title(o),
		   table_by_label(o->by) ? ", function" : "");
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
}

int report_tree(struct buf *out, const struct report *r, const struct term *t)
{
	_cleanup_(calltree_freep) struct calltree *tree = NULL;
	int err = report_tree_build(&tree, r);

	if (!err && r->table.relation != TABLE_CALLERS &&
	    (r->table.by == TABLE_FUNCTION || table_by_label(r->table.by)))
		err = calltree_fold_ceremony(tree);
	err = err ?: add_top(out, r, t);

	if (err)
		return err;
	if (profile_is_difference(r->p, r->table.value))
		buf_str(out, "Tree     of the stacks that grew\n");
	add_tree_head(out, &r->table, t);
	err = add_tree(out, tree, r, t);
	add_bottom(out, r, r->table.by != TABLE_MODULE, t);
	return err ?: out->err;
}
