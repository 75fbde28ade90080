// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/profile/calltree.h"

/*
 * A profile may be foreign, and a pprof location may hold any number of inlined lines. So a small
 * file can contain stacks far longer than itself. A deeper stack keeps both ends, with [truncated]
 * between them. No unwinder gets near this depth.
 */
#define MAX_DEPTH 4096
/* 200 MB of nodes. At the cap, whatever is below an existing node becomes its [truncated] child. */
#define MAX_NODES (1u << 22)

#define NONE UINT32_MAX

struct frame {
	uint32_t name, module;
	uint8_t kind;
	bool inlined;
	bool is_through; /* all stacks must go through its function */
};

/* A node while the tree grows; a parent always has a lower index than its children. */
struct sprout {
	uint32_t parent, frame;
	uint32_t n_below; /* nodes of the subtree, itself included */
	int64_t self, total;
};

struct builder {
	const struct profile *p;
	const struct calltree_opts *o;
	struct strtab *strings;
	VEC(struct frame) frames;
	struct htab frame_index;
	VEC(uint32_t) location_first;  /* indices into location_frames; one more than locations */
	VEC(uint32_t) location_frames; /* innermost inlined call first */
	VEC(uint32_t) root_first;      /* indices into root_frames; one more than label sets */
	VEC(uint32_t) root_frames;     /* outermost first */
	VEC(struct sprout) sprouts;
	struct htab sprout_index;
	VEC(uint32_t) path; /* one stack, outermost frame first */
	uint32_t truncated; /* frame */
};

/* --- frames ----------------------------------------------------------------------------------- */

struct frame_key {
	const struct builder *b;
	const struct frame *f;
};

static bool frame_eq(const void *ctx, uint32_t id)
{
	const struct frame_key *k = ctx;
	const struct frame *a = &k->b->frames.data[id], *f = k->f;

	return a->name == f->name && a->module == f->module && a->kind == f->kind &&
	       a->inlined == f->inlined;
}

static int frame_intern(struct builder *b, const struct frame *f, uint32_t *id)
{
	uint64_t hash = hash_mix(hash_mix(f->name, f->module), (uint64_t)f->kind << 1 | f->inlined);
	struct frame_key key = {b, f};
	uint32_t found = htab_find(&b->frame_index, hash, frame_eq, &key);

	if (found == HTAB_NONE) {
		found = b->frames.len;
		if (vec_push(&b->frames, *f) || htab_insert(&b->frame_index, hash, found))
			return -ENOMEM;
	}
	b->frames.data[found].is_through |= f->is_through;
	*id = found;
	return 0;
}

static int frame_add(struct builder *b, const char *name, const char *module, uint8_t kind,
		     uint32_t *id)
{
	struct frame f = {.kind = kind};

	if (strtab_add(b->strings, name, &f.name) || strtab_add(b->strings, module, &f.module))
		return -ENOMEM;
	return frame_intern(b, &f, id);
}

/* "function", or "function (file.c:12)" where lines are wanted and known. */
static int add_line_frame(struct builder *b, struct frame f, const struct profile_line *line)
{
	const struct profile_function *fn = &b->p->functions.data[line->function];
	const char *name = profile_text(b->p, fn->name), *file = profile_text(b->p, fn->file);
	const char *base = strrchr(file, '/');
	struct buf text = {0};
	uint32_t id;
	int r;

	f.is_through = b->o->through && !strcmp(name, b->o->through);
	buf_str(&text, name);
	if (b->o->detail == DETAIL_LINE && *file && line->line > 0)
		buf_printf(&text, " (%s:%" PRId64 ")", base ? base + 1 : file, line->line);
	r = strtab_add(b->strings, buf_cstr(&text), &f.name) ?: text.err;
	buf_release(&text);
	return r ?: frame_intern(b, &f, &id) ?: vec_push(&b->location_frames, id);
}

static int add_bare_frame(struct builder *b, struct frame f, uint32_t location)
{
	char name[256];
	uint32_t id;

	profile_unresolved(b->p, location, name, sizeof(name));
	f.is_through = b->o->through && !strcmp(name, b->o->through);
	return strtab_add(b->strings, name, &f.name) ?: frame_intern(b, &f, &id) ?:
	       vec_push(&b->location_frames, id);
}

static int add_location(struct builder *b, uint32_t location)
{
	const struct profile_location *loc = &b->p->locations.data[location];
	const char *module = profile_module(b->p, loc->mapping);
	struct frame f = {.kind = (uint8_t)profile_frame_kind(b->p, location)};
	int r = vec_push(&b->location_first, (uint32_t)b->location_frames.len)
			?: strtab_add(b->strings, module, &f.module);

	if (!r && !loc->n_lines)
		return add_bare_frame(b, f, location);
	for (uint32_t i = 0; !r && i < loc->n_lines; i++) {
		f.inlined = i + 1 < loc->n_lines;
		r = add_line_frame(b, f, &b->p->lines.data[loc->first_line + i]);
	}
	return r;
}

static int add_locations(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; !r && i < b->p->locations.len; i++)
		r = add_location(b, (uint32_t)i);
	return r ?: vec_push(&b->location_first, (uint32_t)b->location_frames.len);
}

/* --- roots: who ran ----------------------------------------------------------------------------- */

/* The label's value as text, in *tmp if it is a number; NULL if there is no such label. */
static const char *label_text(const struct profile *p, uint32_t set, const char *key, char tmp[24])
{
	const struct profile_label *l = profile_find_label(p, set, key);

	if (!l)
		return NULL;
	if (l->str != PROFILE_NONE)
		return profile_text(p, l->str);
	snprintf(tmp, 24, "%" PRId64, l->num);
	return tmp;
}

static int add_root(struct builder *b, const char *name)
{
	uint32_t id;

	if (!name || !*name)
		return 0;
	return frame_add(b, name, "", FRAME_ROOT_KIND, &id) ?: vec_push(&b->root_frames, id);
}

static int add_task_root(struct builder *b, uint32_t set, bool with_tid)
{
	char pid_tmp[24], tid_tmp[24], comm_tmp[24];
	const char *comm = label_text(b->p, set, LABEL_COMM, comm_tmp);
	const char *pid = label_text(b->p, set, LABEL_PID, pid_tmp);
	const char *tid = with_tid ? label_text(b->p, set, LABEL_TID, tid_tmp) : NULL;
	struct buf text = {0};
	int r;

	buf_str(&text, comm ?: "");
	buf_printf(&text, "%s%s", comm && pid ? "-" : "", pid ?: "");
	buf_printf(&text, "%s%s", tid ? "/" : "", tid ?: "");
	r = text.err ?: add_root(b, buf_cstr(&text));
	buf_release(&text);
	return r;
}

static int add_labelset_roots(struct builder *b, uint32_t set)
{
	const struct profile *p = b->p;
	char tmp[24];

	switch (b->o->roots) {
	case ROOTS_NONE:
		return 0;
	case ROOTS_COMM:
		return add_root(b, label_text(p, set, LABEL_COMM, tmp));
	case ROOTS_PROCESS:
	case ROOTS_THREAD:
		return add_task_root(b, set, b->o->roots == ROOTS_THREAD);
	case ROOTS_CGROUP:
		return add_root(b, label_text(p, set, LABEL_UNIT, tmp) ?:
				   label_text(p, set, LABEL_CONTAINER, tmp) ?:
				   label_text(p, set, LABEL_CGROUP, tmp)) ?:
		       add_root(b, label_text(p, set, LABEL_COMM, tmp));
	case ROOTS_LABELSET:
		snprintf(tmp, sizeof(tmp), "%" PRIu32, set);
		return p->labelsets.data[set].len ? add_root(b, tmp) : 0;
	}
	return -EINVAL;
}

static int add_roots(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; !r && i < b->p->labelsets.len; i++)
		r = vec_push(&b->root_first, (uint32_t)b->root_frames.len)
			    ?: add_labelset_roots(b, (uint32_t)i);
	return r ?: vec_push(&b->root_first, (uint32_t)b->root_frames.len);
}

/* --- one stack as a path -------------------------------------------------------------------------- */

/* Appends the frames from..to - 1 of a stack, counted from the outermost. */
static int path_add(struct builder *b, const struct profile_stack *s, uint64_t from, uint64_t to)
{
	uint64_t at = 0;

	for (uint32_t i = s->len; i-- > 0 && at < to;) {
		uint32_t location = b->p->frames.data[s->first + i];
		uint32_t first = b->location_first.data[location];
		uint32_t n = b->location_first.data[location + 1] - first;
		uint64_t begin = from > at ? from - at : 0, end = to - at < n ? to - at : n;

		for (uint64_t k = begin; k < end; k++)
			if (vec_push(&b->path, b->location_frames.data[first + n - 1 - k]))
				return -ENOMEM;
		at += n;
	}
	return 0;
}

static int path_of_sample(struct builder *b, const struct profile_sample *s)
{
	const struct profile_stack *stack = &b->p->stacks.data[s->stack];
	uint32_t root_end = b->root_first.data[s->labelset + 1];
	uint64_t len = 0;

	b->path.len = 0;
	for (uint32_t i = b->root_first.data[s->labelset]; i < root_end; i++)
		if (vec_push(&b->path, b->root_frames.data[i]))
			return -ENOMEM;
	for (uint32_t i = 0; i < stack->len; i++) {
		uint32_t loc = b->p->frames.data[stack->first + i];

		len += b->location_first.data[loc + 1] - b->location_first.data[loc];
	}
	if (len <= MAX_DEPTH)
		return path_add(b, stack, 0, len);
	return path_add(b, stack, 0, MAX_DEPTH / 2) ?: vec_push(&b->path, b->truncated) ?:
	       path_add(b, stack, len - MAX_DEPTH / 2, len);
}

/* Index in the path of the outermost frame of o->through; NONE if there is none. */
static size_t path_through(const struct builder *b)
{
	for (size_t i = 0; i < b->path.len; i++)
		if (b->frames.data[b->path.data[i]].is_through)
			return i;
	return NONE;
}

/* --- growing ------------------------------------------------------------------------------------- */

struct sprout_key {
	const struct builder *b;
	uint32_t parent, frame;
};

static bool sprout_eq(const void *ctx, uint32_t id)
{
	const struct sprout_key *k = ctx;
	const struct sprout *s = &k->b->sprouts.data[id];

	return s->parent == k->parent && s->frame == k->frame;
}

static int sprout_child(struct builder *b, uint32_t parent, uint32_t frame, uint32_t *child)
{
	uint64_t hash = hash_mix(parent, frame);
	struct sprout_key key = {b, parent, frame};
	uint32_t found = htab_find(&b->sprout_index, hash, sprout_eq, &key);

	if (found == HTAB_NONE) {
		struct sprout s = {.parent = parent, .frame = frame, .n_below = 1};

		if (b->sprouts.len >= MAX_NODES && frame != b->truncated)
			return -E2BIG;
		found = b->sprouts.len;
		if (vec_push(&b->sprouts, s) || htab_insert(&b->sprout_index, hash, found))
			return -ENOMEM;
	}
	*child = found;
	return 0;
}

/* Goes over n frames, path[from], path[from + step], ..., and adds the value to the last node. */
static int grow_path(struct builder *b, size_t from, size_t n, bool backwards, int64_t value)
{
	uint32_t node = 0;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = sprout_child(b, node, b->path.data[backwards ? from - i : from + i], &node);
	if (r == -E2BIG)
		r = sprout_child(b, node, b->truncated, &node);
	if (r)
		return r;
	b->sprouts.data[node].self += value;
	return 0;
}

static int grow_sample(struct builder *b, const struct profile_sample *s, int64_t value)
{
	size_t from = 0;
	int r = path_of_sample(b, s);

	if (r)
		return r;
	if (b->o->through)
		from = path_through(b);
	if (from == NONE)
		return 0;
	if (!b->o->inverted)
		return grow_path(b, from, b->path.len - from, false, value);
	if (b->o->through)
		return grow_path(b, from, from + 1, true, value);
	return grow_path(b, b->path.len - 1, b->path.len, true, value);
}

/* Whether the values without their signs add up within int64_t. Then every partial sum does, too. */
static bool sums_fit(const struct profile *p, size_t value)
{
	int64_t sum = 0;

	for (size_t i = 0; i < p->samples.len; i++) {
		int64_t v = p->values.data[p->samples.data[i].first_value + value];

		if (v < 0 ? __builtin_sub_overflow(sum, v, &sum)
			  : __builtin_add_overflow(sum, v, &sum))
			return false;
	}
	return true;
}

/* A node has a width, so what is below zero after all samples of its stack were added is left out. */
static int grow(struct builder *b)
{
	const struct profile *p = b->p;

	if (!sums_fit(p, b->o->value))
		return -EOVERFLOW;
	if (vec_push(&b->sprouts, (struct sprout){.frame = NONE, .n_below = 1}))
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		int64_t value = p->values.data[s->first_value + b->o->value];
		int r;

		r = value ? grow_sample(b, s, value) : 0;
		if (r)
			return r;
	}
	for (size_t i = b->sprouts.len; i-- > 0;) {
		struct sprout *s = &b->sprouts.data[i], *parent = &b->sprouts.data[s->parent];

		if (s->self < 0)
			s->self = 0;
		s->total += s->self;
		if (!i)
			break;
		parent->total += s->total;
		parent->n_below += s->total ? s->n_below : 0;
	}
	return 0;
}

/* --- laying out in preorder ---------------------------------------------------------------------- */

struct layout {
	struct builder *b;
	uint32_t *first;    /* each sprout's first index in `children`; one more than sprouts */
	uint32_t *children; /* sprouts, by parent */
	VEC(struct pending {
		uint32_t sprout; /* NONE: the hidden rest of the parent's children */
		uint32_t parent; /* node */
		uint32_t n_hidden;
		int64_t hidden;
	})
	stack;
	VEC(struct calltree_node) nodes;
	int64_t least; /* nodes with a smaller total are hidden */
};

static int compare_text(const struct builder *b, uint32_t x, uint32_t y)
{
	return x == y ? 0 : strcmp(strtab_get(b->strings, x), strtab_get(b->strings, y));
}

/* Heaviest first. The other keys make the order independent of the samples' order. */
static int compare_sprouts(const void *x, const void *y, void *ctx)
{
	const struct builder *b = ctx;
	const struct sprout *sx = &b->sprouts.data[*(const uint32_t *)x];
	const struct sprout *sy = &b->sprouts.data[*(const uint32_t *)y];
	const struct frame *fx, *fy;
	int r;

	if (sx->total != sy->total)
		return sx->total > sy->total ? -1 : 1;
	fx = &b->frames.data[sx->frame];
	fy = &b->frames.data[sy->frame];
	r = compare_text(b, fx->name, fy->name) ?: compare_text(b, fx->module, fy->module);
	return r ?: fx->kind - fy->kind ?: fx->inlined - fy->inlined;
}

static int sort_children(struct layout *l)
{
	struct builder *b = l->b;
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
	struct builder *b = l->b;
	struct calltree_node node = {
		.parent = at->parent,
		.depth = l->nodes.len ? l->nodes.data[at->parent].depth + 1 : 0,
		.subtree_len = 1,
		.kind = FRAME_ROOT_KIND,
	};
	char text[32];
	int r = 0;

	if (at->sprout == NONE) {
		snprintf(text, sizeof(text), "+%" PRIu32 " hidden", at->n_hidden);
		node.kind = FRAME_SYNTHETIC;
		node.self = node.total = at->hidden;
		r = strtab_add(b->strings, text, &node.name)
			    ?: strtab_add(b->strings, MAPPING_KILN, &node.module);
	} else if (at->sprout == 0) {
		r = strtab_add(b->strings, "all", &node.name);
	} else {
		const struct frame *f = &b->frames.data[b->sprouts.data[at->sprout].frame];

		node.name = f->name;
		node.module = f->module;
		node.kind = f->kind;
		node.inlined = f->inlined;
	}
	if (at->sprout != NONE) {
		node.self = b->sprouts.data[at->sprout].self;
		node.total = b->sprouts.data[at->sprout].total;
	}
	return r ?: vec_push(&l->nodes, node);
}

/* Pushes the children so that the heaviest is popped first and the hidden rest last. */
static int push_children(struct layout *l, uint32_t sprout, uint32_t node)
{
	const struct sprout *sprouts = l->b->sprouts.data;
	uint32_t first = l->first[sprout], end = l->first[sprout + 1];
	struct pending rest = {.sprout = NONE, .parent = node};

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
		if (!r && at.sprout != NONE)
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

/* --- the whole ------------------------------------------------------------------------------------ */

static void builder_release(struct builder *b)
{
	strtab_free(b->strings);
	vec_release(&b->frames);
	htab_release(&b->frame_index);
	vec_release(&b->location_first);
	vec_release(&b->location_frames);
	vec_release(&b->root_first);
	vec_release(&b->root_frames);
	vec_release(&b->sprouts);
	htab_release(&b->sprout_index);
	vec_release(&b->path);
}

static int build(struct builder *b)
{
	b->strings = strtab_new();
	if (!b->strings)
		return -ENOMEM;
	return frame_add(b, FRAME_TRUNCATED, MAPPING_KILN, FRAME_SYNTHETIC, &b->truncated) ?:
	       add_locations(b) ?: add_roots(b) ?: grow(b);
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

int calltree_build(struct calltree **out, const struct profile *p, const struct calltree_opts *o)
{
	_cleanup_(builder_release) struct builder b = {.p = p, .o = o};
	_cleanup_(layout_release) struct layout l = {.b = &b};

	if (o->value >= p->sample_types.len || !(o->min_share < 1))
		return -EINVAL;
	return build(&b) ?: lay_out(&l) ?: take_tree(out, &l);
}

void calltree_free(struct calltree *t)
{
	if (!t)
		return;
	strtab_free(t->strings);
	free(t->nodes);
	free(t);
}
