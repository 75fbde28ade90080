// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/flamegraph.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/profile.h"

struct place {
	int64_t child_x; /* where the next child begins */
	int64_t end_x;	 /* of the last box of this depth */
};

/* Which boxes are drawn: the largest ones. Of those that are as large as the smallest, some may be too many. */
struct budget {
	int64_t least;
	size_t of_least; /* boxes of that size that are still drawn */
};

struct drawing {
	struct flamegraph *f;
	const struct calltree *t;
	struct budget budget;
	uint32_t *names;      /* by string of the tree: index + 1 */
	uint32_t other;	      /* index of that name; 0: not there yet */
	struct place *places; /* by depth */
};

void flamegraph_release(struct flamegraph *f)
{
	for (size_t i = 0; i < f->names.len; i++)
		free(f->names.data[i]);
	for (size_t i = 0; i < f->levels.len; i++)
		vec_release(&f->levels.data[i].values);
	vec_release(&f->names);
	vec_release(&f->levels);
}

static int add_name(struct flamegraph *f, const char *text)
{
	char *name = strdup(text);
	int err = name ? vec_push(&f->names, name) : -ENOMEM;

	if (err)
		free(name);
	return err;
}

static int name_of(struct drawing *d, uint32_t string, int64_t *index)
{
	int err;

	if (!d->names[string]) {
		err = add_name(d->f, calltree_text(d->t, string));
		if (err)
			return err;
		d->names[string] = (uint32_t)d->f->names.len;
	}
	*index = d->names[string] - 1;
	return 0;
}

static int add_box(struct drawing *d, uint32_t depth, const int64_t box[4])
{
	int err = 0;

	while (d->f->levels.len <= depth && !err)
		err = vec_push(&d->f->levels, (struct flamegraph_level){{0}});
	for (size_t i = 0; i < 4 && !err; i++)
		err = vec_push(&d->f->levels.data[depth].values, box[i]);
	if (box[2] > d->f->max_self)
		d->f->max_self = box[2];
	return err;
}

/* A node's own time is on its left, then come its children. */
static int draw(struct drawing *d, const struct calltree_node *n)
{
	struct place *here = &d->places[n->depth];
	int64_t x = n->depth ? d->places[n->depth - 1].child_x : 0, name = 0;
	int err = n->depth ? name_of(d, n->name, &name) : 0;

	err = err ?: add_box(d, n->depth, (int64_t[]){x - here->end_x, n->total, n->self, name});
	here->end_x = x + n->total;
	here->child_x = x + n->self;
	if (n->depth)
		d->places[n->depth - 1].child_x += n->total;
	return err;
}

/* What is left of the last box above, for its children that are not drawn. */
static int draw_other(struct drawing *d, uint32_t depth)
{
	struct place *here = &d->places[depth];
	int64_t x = d->places[depth - 1].child_x, rest = d->places[depth - 1].end_x - x;
	int err = d->other ? 0 : add_name(d->f, "other");

	if (!d->other)
		d->other = (uint32_t)d->f->names.len - 1;
	err = err ?: add_box(d, depth, (int64_t[]){x - here->end_x, rest, rest, d->other});
	here->end_x = x + rest;
	return err;
}

static bool take(struct budget *b, const struct calltree_node *n)
{
	if (!n->depth || n->total > b->least)
		return true;
	if (n->total < b->least || !b->of_least)
		return false;
	b->of_least--;
	return true;
}

/* Siblings come heaviest first: behind one that is not drawn there is none that is. */
static int draw_nodes(struct drawing *d)
{
	const struct calltree_node *nodes = d->t->nodes;
	int err = 0;

	for (size_t i = 0; i < d->t->n_nodes && !err;) {
		const struct calltree_node *n = &nodes[i];

		if (take(&d->budget, n)) {
			err = draw(d, n);
			i++;
		} else {
			err = draw_other(d, n->depth);
			i = n->parent + nodes[n->parent].subtree_len;
		}
	}
	return err;
}

static int compare(const void *va, const void *vb)
{
	const int64_t *a = va, *b = vb;

	return (*a < *b) - (*a > *b);
}

static int make_budget(struct budget *b, const struct calltree *t, size_t max_nodes)
{
	_cleanup_free_ int64_t *totals = NULL;

	*b = (struct budget){0};
	if (t->n_nodes <= max_nodes)
		return 0;
	totals = malloc(t->n_nodes * sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_nodes; i++)
		totals[i] = t->nodes[i].total;
	qsort(totals, t->n_nodes, sizeof(*totals), compare);
	b->least = totals[max_nodes];
	for (size_t i = max_nodes; i && totals[i - 1] == b->least; i--)
		b->of_least++;
	/* The root is drawn, whatever it takes. */
	if (b->of_least && b->least == t->total)
		b->of_least--;
	return 0;
}

static int draw_all(struct flamegraph *f, const struct calltree *t, size_t max_nodes)
{
	_cleanup_free_ uint32_t *names = calloc(strtab_count(t->strings) + 1ul, sizeof(*names));
	_cleanup_free_ struct place *places = calloc(t->max_depth + 2ul, sizeof(*places));
	struct drawing d = {.f = f, .t = t, .names = names, .places = places};
	int err = names && places ? make_budget(&d.budget, t, max_nodes) : -ENOMEM;

	f->total = t->total;
	return err ?: draw_nodes(&d);
}

int flamegraph_of(struct flamegraph *out, const struct profile *p, size_t value, size_t max_nodes)
{
	const struct calltree_opts o = {.value = value, .roots = ROOTS_NONE};
	_cleanup_(calltree_freep) struct calltree *t = NULL;
	struct flamegraph f = {0};
	int err = add_name(&f, "total");

	if (!err && value < p->sample_types.len && p->samples.len)
		err = calltree_build(&t, p, &o) ?: draw_all(&f, t, max_nodes ?: FLAMEGRAPH_NODES);
	if (err)
		flamegraph_release(&f);
	else
		*out = f;
	return err;
}
