// SPDX-License-Identifier: GPL-2.0-or-later
/* Which rows of a call tree are shown: on one tree by hand, and as properties of random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/profile/tree_rows.h"
#include "tests/lib/profiles.h"

/* Adds a sample whose stack is "root;middle;leaf". */
static void add(struct profile *p, const char *stack, int64_t value)
{
	char text[256], *rest = text, *name;
	uint32_t frames[32], n = 32, id, set;

	snprintf(text, sizeof(text), "%s", stack);
	while ((name = strsep(&rest, ";")))
		frames[--n] = location_id(p, mapping_id(p, "/bin/app", "", true), 0, name);
	MUST(profile_stack(p, frames + n, 32 - n, &id));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, id, set, (int64_t[]){value, value * p->period}));
}

static struct calltree *tree_of(const struct profile *p)
{
	struct calltree_opts o = {.roots = ROOTS_NONE};
	struct calltree *t;

	assert_int_equal(calltree_build(&t, p, &o), 0);
	return t;
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10));
	return p;
}

/* "main a ...2=5": rows, and what is left out as its nodes and weight. */
static void print_rows(struct buf *b, const struct tree_rows *r, const struct calltree *t)
{
	buf_clear(b);
	for (size_t i = 0; i < r->rows.len; i++) {
		const struct tree_row *row = &r->rows.data[i];

		if (row->n_left)
			buf_printf(b, "...%u=%d ", row->n_left, (int)row->left);
		else
			buf_printf(b, "%s ", calltree_text(t, t->nodes[row->node].name));
	}
	buf_printf(b, "(%d in %d: %d)", (int)r->light.n_nodes, (int)r->light.n_places,
		   (int)r->light.left);
}

static void check_rows(const struct calltree *t, size_t max_rows, const char *expected)
{
	struct tree_rows rows = {0};
	struct buf b = {0};

	assert_int_equal(tree_rows_choose(&rows, t, max_rows), 0);
	print_rows(&b, &rows, t);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
	tree_rows_release(&rows);
}

static void heaviest_first_over_the_whole_tree(void **state)
{
	struct profile *p = new_profile();
	struct calltree *t;

	(void)state;
	add(p, "main;parse;lex", 30);
	add(p, "main;parse;read", 15);
	add(p, "main;parse;skip", 5);
	add(p, "main;emit;write", 28);
	add(p, "main;emit;flush", 2);
	add(p, "other;idle", 20);
	t = tree_of(p);
	check_rows(t, 0, "main parse lex read skip emit write flush other idle (0 in 0: 0)");
	check_rows(t, 10, "main parse lex read skip emit write flush other idle (0 in 0: 0)");
	check_rows(t, 9, "main parse lex read skip emit write other idle (1 in 1: 2)");
	check_rows(t, 8, "main parse lex read emit write other idle (2 in 2: 7)");
	/* With other, what is left out of parse and of other would have lines. */
	check_rows(t, 7, "main parse lex emit write (5 in 3: 42)");
	check_rows(t, 5, "main parse lex emit write (5 in 3: 42)");
	check_rows(t, 4, "main parse lex ...3=30 (4 in 2: 40)");
	check_rows(t, 1, "main (9 in 2: 100)");
	calltree_free(t);
	profile_free(p);
}

static void nothing_to_show(void **state)
{
	struct profile *p = new_profile();
	struct calltree *t = tree_of(p);

	(void)state;
	check_rows(t, 0, "(0 in 0: 0)");
	check_rows(t, 5, "(0 in 0: 0)");
	calltree_free(t);
	profile_free(p);
}

/* --- properties ---------------------------------------------------------------------------------- */

static void check_weights(const struct calltree *t, const bool *shown)
{
	int64_t lightest = INT64_MAX, heaviest_left = 0;

	for (size_t i = 1; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];

		if (!shown[i]) {
			heaviest_left = n->total > heaviest_left ? n->total : heaviest_left;
			continue;
		}
		lightest = n->total < lightest ? n->total : lightest;
		assert_true(!n->parent || shown[n->parent]);
	}
	assert_true(lightest >= heaviest_left);
}

/* For each node that is shown: itself, what is shown below it, and what is left out are its time. */
static void check_sums(const struct calltree *t, const struct tree_rows *r, const bool *shown)
{
	int64_t *sums = calloc(t->n_nodes, sizeof(*sums)), light = 0;
	size_t n_nodes = r->light.n_nodes, n_places = 0;

	for (size_t i = 0; i < t->n_nodes; i++) {
		sums[i] += t->nodes[i].self;
		if (i && shown[i])
			sums[t->nodes[i].parent] += t->nodes[i].total;
	}
	for (size_t i = 0; i < r->rows.len; i++) {
		if (r->rows.data[i].n_left)
			sums[r->rows.data[i].node] += r->rows.data[i].left;
		n_nodes += r->rows.data[i].n_left ?: 1;
	}
	assert_int_equal(n_nodes, t->n_nodes - 1);
	for (size_t i = 0; i < t->n_nodes; i++) {
		if (i && !shown[i])
			continue;
		assert_true(sums[i] <= t->nodes[i].total);
		n_places += sums[i] < t->nodes[i].total;
		light += t->nodes[i].total - sums[i];
	}
	assert_int_equal(light, r->light.left);
	assert_true(n_places <= r->light.n_places);
	free(sums);
}

/* In the tree's order, a line for what is left out last below its node. */
static void check_order(const struct calltree *t, const struct tree_rows *r)
{
	uint32_t last = 0;

	for (size_t i = 0; i < r->rows.len; i++) {
		const struct tree_row *row = &r->rows.data[i];

		if (!row->n_left) {
			assert_true(row->node > last);
			last = row->node;
			continue;
		}
		/* All rows before are of its subtree or before it, all behind are behind it. */
		assert_true(last < row->node + t->nodes[row->node].subtree_len);
		if (i + 1 < r->rows.len && !r->rows.data[i + 1].n_left)
			assert_true(r->rows.data[i + 1].node >=
				    row->node + t->nodes[row->node].subtree_len);
	}
}

static size_t check_choice(const struct calltree *t, size_t max_rows)
{
	bool *shown = calloc(t->n_nodes, sizeof(*shown));
	struct tree_rows rows = {0};
	size_t n_rows, n_shown = 0;

	assert_int_equal(tree_rows_choose(&rows, t, max_rows), 0);
	n_rows = rows.rows.len;
	assert_true(!max_rows || n_rows <= max_rows);
	for (size_t i = 0; i < n_rows; i++) {
		if (rows.rows.data[i].n_left)
			continue;
		assert_false(shown[rows.rows.data[i].node]);
		shown[rows.rows.data[i].node] = true;
		n_shown++;
	}
	check_weights(t, shown);
	check_sums(t, &rows, shown);
	check_order(t, &rows);
	free(shown);
	tree_rows_release(&rows);
	return n_shown;
}

static void properties_of_random_trees(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct profile *p = random_profile(seed, 60);
		struct calltree *t = tree_of(p);

		for (size_t max = 1; max < t->n_nodes + 3; max += 1 + max / 8) {
			assert_true(check_choice(t, max) > 0 || t->n_nodes == 1);
		}
		assert_int_equal(check_choice(t, 0), t->n_nodes - 1);
		calltree_free(t);
		profile_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heaviest_first_over_the_whole_tree),
		cmocka_unit_test(nothing_to_show),
		cmocka_unit_test(properties_of_random_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
