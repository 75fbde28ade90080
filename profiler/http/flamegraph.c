// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/flamegraph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/profile.h"

struct place {
	int64_t child_x; /* where the next child begins */
	int64_t end_x;	 /* of the last box of this depth */
};

struct drawing {
	struct flamegraph *f;
	const struct calltree *t;
	uint32_t *names;      /* by string of the tree: index + 1 */
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

/* A node's own time is on its left, then come its children. */
static int draw(struct drawing *d, const struct calltree_node *n)
{
	struct place *here = &d->places[n->depth];
	int64_t x = n->depth ? d->places[n->depth - 1].child_x : 0, name = 0;
	int err = n->depth ? name_of(d, n->name, &name) : 0;
	const int64_t box[] = {x - here->end_x, n->total, n->self, name};

	while (d->f->levels.len <= n->depth && !err)
		err = vec_push(&d->f->levels, (struct flamegraph_level){{0}});
	for (size_t i = 0; i < 4 && !err; i++)
		err = vec_push(&d->f->levels.data[n->depth].values, box[i]);
	here->end_x = x + n->total;
	here->child_x = x + n->self;
	if (n->depth)
		d->places[n->depth - 1].child_x += n->total;
	if (n->self > d->f->max_self)
		d->f->max_self = n->self;
	return err;
}

static int draw_all(struct flamegraph *f, const struct calltree *t)
{
	_cleanup_free_ uint32_t *names = calloc(strtab_count(t->strings) + 1ul, sizeof(*names));
	_cleanup_free_ struct place *places = calloc(t->max_depth + 2ul, sizeof(*places));
	struct drawing d = {f, t, names, places};
	int err = names && places ? 0 : -ENOMEM;

	for (size_t i = 0; i < t->n_nodes && !err; i++)
		err = draw(&d, &t->nodes[i]);
	f->total = t->total;
	return err;
}

static int compare(const void *va, const void *vb)
{
	const int64_t *a = va, *b = vb;

	return (*a < *b) - (*a > *b);
}

/* The share below which a node is one too many. */
static int share_of(const struct calltree *t, size_t max_nodes, double *share)
{
	_cleanup_free_ int64_t *totals = malloc(t->n_nodes * sizeof(*totals));

	if (!totals)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_nodes; i++)
		totals[i] = t->nodes[i].total;
	qsort(totals, t->n_nodes, sizeof(*totals), compare);
	*share = ((double)totals[max_nodes] + 0.5) / (double)(t->total ?: 1);
	if (*share >= 1)
		*share = 0.999;
	return 0;
}

static int build(struct calltree **out, const struct profile *p, size_t value, size_t max_nodes)
{
	struct calltree_opts o = {.value = value, .roots = ROOTS_NONE};
	struct calltree *whole;
	int err = calltree_build(&whole, p, &o);

	if (err)
		return err;
	if (whole->n_nodes <= max_nodes) {
		*out = whole;
		return 0;
	}
	err = share_of(whole, max_nodes, &o.min_share);
	calltree_free(whole);
	return err ?: calltree_build(out, p, &o);
}

int flamegraph_of(struct flamegraph *out, const struct profile *p, size_t value, size_t max_nodes)
{
	_cleanup_(calltree_freep) struct calltree *t = NULL;
	struct flamegraph f = {0};
	int err = add_name(&f, "total");

	if (!err && value < p->sample_types.len && p->samples.len)
		err = build(&t, p, value, max_nodes ?: FLAMEGRAPH_NODES) ?: draw_all(&f, t);
	if (err)
		flamegraph_release(&f);
	else
		*out = f;
	return err;
}
