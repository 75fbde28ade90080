// SPDX-License-Identifier: GPL-2.0-or-later
/* Lays what has grown out in preorder. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/calltree_internal.h"

struct layout {
	struct calltree_builder *b;
	uint32_t *first;    /* each sprout's first index in `children`; one more than sprouts */
	uint32_t *children; /* sprouts, by parent */
	VEC(struct pending {
		uint32_t sprout; /* CALLTREE_NONE: the hidden rest of the parent's children */
		uint32_t parent; /* node */
		uint32_t n_hidden;
		int64_t hidden;
	})
	stack;
	VEC(struct calltree_node) nodes;
	int64_t least; /* nodes with a smaller total are hidden */
};

static int compare_text(const struct calltree_builder *b, uint32_t x, uint32_t y)
{
	return x == y ? 0 : strcmp(strtab_get(b->strings, x), strtab_get(b->strings, y));
}

/* Heaviest first. The other keys make the order independent of the samples' order. */
static int compare_sprouts(const void *x, const void *y, void *ctx)
{
	const struct calltree_builder *b = ctx;
	const struct calltree_sprout *sx = &b->sprouts.data[*(const uint32_t *)x];
	const struct calltree_sprout *sy = &b->sprouts.data[*(const uint32_t *)y];
	const struct calltree_frame *fx, *fy;
	int r;

	if (sx->total != sy->total)
		return sx->total > sy->total ? -1 : 1;
	fx = &b->frames.data[sx->frame];
	fy = &b->frames.data[sy->frame];
	r = compare_text(b, fx->name, fy->name) ?: compare_text(b, fx->module, fy->module);
	r = r ?: compare_text(b, fx->file, fy->file);
	return r ?: fx->kind - fy->kind ?: fx->inlined - fy->inlined;
}

static int sort_children(struct layout *l)
{
	struct calltree_builder *b = l->b;
	size_t n = b->sprouts.len;

	l->first = calloc(n + 2, sizeof(*l->first));
	l->children = calloc(n, sizeof(*l->children));
	if (!l->first || !l->children)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++)
		l->first[b->sprouts.data[i].parent + 2]++;
	for (size_t i = 2; i < n + 2; i++)
		l->first[i] += l->first[i - 1];
	/* first[parent + 1] moves from the start to the end of its children, where the next
	 * parent's start. */
	for (size_t i = 1; i < n; i++)
		l->children[l->first[b->sprouts.data[i].parent + 1]++] = (uint32_t)i;
	for (size_t i = 0; i < n; i++)
		qsort_r(l->children + l->first[i], l->first[i + 1] - l->first[i],
			sizeof(*l->children), compare_sprouts, b);
	return 0;
}

static int emit_node(struct layout *l, const struct pending *at)
{
	struct calltree_builder *b = l->b;
	struct calltree_node node = {
		.parent = at->parent,
		.depth = l->nodes.len ? l->nodes.data[at->parent].depth + 1 : 0,
		.subtree_len = 1,
		.n_calls = 1,
		.kind = FRAME_ROOT_KIND,
	};
	char text[32];
	int r = 0;

	if (at->sprout == CALLTREE_NONE) {
		snprintf(text, sizeof(text), "+%" PRIu32 " hidden", at->n_hidden);
		node.kind = FRAME_SYNTHETIC;
		node.self = node.total = at->hidden;
		r = strtab_add(b->strings, text, &node.name)
			    ?: strtab_add(b->strings, MAPPING_KILN, &node.module);
	} else if (at->sprout == 0) {
		r = strtab_add(b->strings, "all", &node.name);
	} else {
		const struct calltree_frame *f = &b->frames.data[b->sprouts.data[at->sprout].frame];

		node.name = f->name;
		node.module = f->module;
		node.file = f->file;
		node.kind = f->kind;
		node.inlined = f->inlined;
	}
	if (at->sprout != CALLTREE_NONE) {
		node.self = b->sprouts.data[at->sprout].self;
		node.total = b->sprouts.data[at->sprout].total;
		node.n_calls = MAX(b->sprouts.data[at->sprout].n_calls, 1);
		node.cycle = b->sprouts.data[at->sprout].cycle;
	}
	return r ?: vec_push(&l->nodes, node);
}

/* Pushes the children so that the heaviest is popped first and the hidden rest last. */
static int push_children(struct layout *l, uint32_t sprout, uint32_t node)
{
	const struct calltree_sprout *sprouts = l->b->sprouts.data;
	uint32_t first = l->first[sprout], end = l->first[sprout + 1];
	struct pending rest = {.sprout = CALLTREE_NONE, .parent = node};

	while (end > first && !sprouts[l->children[end - 1]].total)
		end--;
	for (; end > first && sprouts[l->children[end - 1]].total < l->least; end--) {
		rest.hidden += sprouts[l->children[end - 1]].total;
		rest.n_hidden += sprouts[l->children[end - 1]].n_below;
	}
	if (rest.n_hidden && vec_push(&l->stack, rest))
		return -ENOMEM;
	for (; end > first; end--)
		if (vec_push(&l->stack, (struct pending){l->children[end - 1], node}))
			return -ENOMEM;
	return 0;
}

static int lay_out(struct layout *l)
{
	int64_t total = l->b->sprouts.data[0].total;
	int r = sort_children(l) ?: vec_push(&l->stack, (struct pending){0});

	/* Doubles above 2^53 are not exact, but neither is a share. */
	l->least = l->b->o->min_share > 0 ? (int64_t)((double)total * l->b->o->min_share) : 0;
	while (!r && l->stack.len) {
		struct pending at = l->stack.data[--l->stack.len];
		uint32_t node = (uint32_t)l->nodes.len;

		r = emit_node(l, &at);
		if (!r && at.sprout != CALLTREE_NONE)
			r = push_children(l, at.sprout, node);
	}
	for (size_t i = l->nodes.len; !r && i-- > 1;)
		l->nodes.data[l->nodes.data[i].parent].subtree_len += l->nodes.data[i].subtree_len;
	return r;
}

static void layout_release(struct layout *l)
{
	free(l->first);
	free(l->children);
	vec_release(&l->stack);
	vec_release(&l->nodes);
}

static int take_tree(struct calltree **out, struct layout *l)
{
	struct calltree *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->strings = steal_ptr(l->b->strings);
	t->n_nodes = l->nodes.len;
	t->nodes = steal_ptr(l->nodes.data);
	t->total = t->nodes[0].total;
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].depth > t->max_depth)
			t->max_depth = t->nodes[i].depth;
	*out = t;
	return 0;
}

int calltree_lay_out(struct calltree **out, struct calltree_builder *b)
{
	_cleanup_(layout_release) struct layout l = {.b = b};

	return lay_out(&l) ?: take_tree(out, &l);
}
