// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node weighs at most what its parent does, and comes after it. So the first n nodes by weight, and by place
 * where weights are equal, include the parents of each. The number of rows grows with n: a node that is added
 * takes a row and ends at most one line, that of its parent.
 */
#include "profiler/profile/tree_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"

struct chooser {
	const struct calltree *t;
	uint32_t *by_weight; /* nodes, heaviest first; [0] is the root */
	uint32_t *rank;	     /* of a node in by_weight */
	/* Below each shown node: what is not shown. */
	struct rest {
		int64_t left;
		uint32_t n_nodes;
	} * rests;
	bool no_lines; /* for what is left out: there is no room for them and a node */
};

static void chooser_release(struct chooser *c)
{
	free(c->by_weight);
	free(c->rank);
	free(c->rests);
}

void tree_rows_release(struct tree_rows *r)
{
	vec_release(&r->rows);
}

static int compare(const void *va, const void *vb, void *ctx)
{
	const struct calltree *t = ctx;
	uint32_t a = *(const uint32_t *)va, b = *(const uint32_t *)vb;
	int64_t x = t->nodes[a].total, y = t->nodes[b].total;

	return x != y ? (x < y) - (x > y) : (a > b) - (a < b);
}

static int rank_nodes(struct chooser *c)
{
	size_t n = c->t->n_nodes;

	c->by_weight = malloc(n * sizeof(*c->by_weight));
	c->rank = malloc(n * sizeof(*c->rank));
	c->rests = malloc(n * sizeof(*c->rests));
	if (!c->by_weight || !c->rank || !c->rests)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		c->by_weight[i] = (uint32_t)i;
	/* The root comes first, whatever it weighs. */
	qsort_r(c->by_weight + 1, n - 1, sizeof(*c->by_weight), compare, (void *)c->t);
	for (size_t i = 0; i < n; i++)
		c->rank[c->by_weight[i]] = (uint32_t)i;
	return 0;
}

/* A line of its own has what weighs as much as the lightest of the n nodes. */
static bool has_line(const struct chooser *c, const struct rest *r, size_t n)
{
	return r->n_nodes && !c->no_lines && r->left >= c->t->nodes[c->by_weight[n]].total;
}

/* Rows that n nodes take, the root not counted. Sets their rests. */
static size_t count_rows(struct chooser *c, size_t n)
{
	size_t rows = n;

	for (size_t i = 0; i <= n; i++)
		c->rests[c->by_weight[i]] = (struct rest){0};
	for (size_t i = 1; i < c->t->n_nodes;) {
		const struct calltree_node *node = &c->t->nodes[i];

		if (c->rank[i] <= n) {
			i++;
			continue;
		}
		c->rests[node->parent].left += node->total;
		c->rests[node->parent].n_nodes += node->subtree_len;
		i += node->subtree_len;
	}
	for (size_t i = 0; i <= n; i++)
		rows += has_line(c, &c->rests[c->by_weight[i]], n);
	return rows;
}

/* The most nodes that fit, and at least one. */
static size_t how_many(struct chooser *c, size_t max_rows)
{
	size_t all = c->t->n_nodes - 1, most = all, least = 0;

	if (!max_rows)
		return all;
	most = max_rows < most ? max_rows : most;
	while (least < most) {
		size_t n = least + (most - least + 1) / 2;

		if (count_rows(c, n) <= max_rows)
			least = n;
		else
			most = n - 1;
	}
	c->no_lines = !least;
	return least ?: max_rows < all ? max_rows : all;
}

static int add_left(struct tree_rows *out, const struct chooser *c, uint32_t node, size_t n)
{
	const struct rest *r = &c->rests[node];

	if (has_line(c, r, n))
		return vec_push(&out->rows, (struct tree_row){node, r->n_nodes, r->left});
	out->light.n_nodes += r->n_nodes;
	out->light.n_places += r->n_nodes > 0;
	out->light.left += r->left;
	return 0;
}

/* Lines of what is left out come where the subtree of their node ends: from the innermost on. */
static int put_rows(struct tree_rows *out, const struct chooser *c, size_t n)
{
	const struct calltree_node *nodes = c->t->nodes;
	uint32_t open = 0; /* the node whose subtree we are in */
	int err = 0;

	for (size_t i = 1; i < c->t->n_nodes && !err;) {
		for (; open != nodes[i].parent && !err; open = nodes[open].parent)
			err = add_left(out, c, open, n);
		if (c->rank[i] > n) {
			i += nodes[i].subtree_len;
			continue;
		}
		err = err ?: vec_push(&out->rows, (struct tree_row){.node = (uint32_t)i});
		open = (uint32_t)i++;
	}
	for (; open && !err; open = nodes[open].parent)
		err = add_left(out, c, open, n);
	return err ?: add_left(out, c, 0, n);
}

int tree_rows_choose(struct tree_rows *out, const struct calltree *t, size_t max_rows)
{
	_cleanup_(chooser_release) struct chooser c = {.t = t};
	struct tree_rows rows = {0};
	size_t n;
	int err = rank_nodes(&c);

	if (err)
		return err;
	n = how_many(&c, max_rows);
	count_rows(&c, n);
	err = put_rows(&rows, &c, n);
	if (err)
		tree_rows_release(&rows);
	else
		*out = rows;
	return err;
}
