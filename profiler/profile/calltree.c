// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/profile/calltree_internal.h"

/*
 * A profile may be foreign, and a pprof location may hold any number of inlined lines. So a small
 * file can contain stacks far longer than itself. A deeper stack keeps both ends, with [truncated]
 * between them. No unwinder gets near this depth.
 */
#define MAX_DEPTH 4096
/* 200 MB of nodes. At the cap, whatever is below an existing node becomes its [truncated] child. */
#define MAX_NODES (1u << 22)

/* --- frames ----------------------------------------------------------------------------------- */

struct frame_key {
	const struct calltree_builder *b;
	const struct calltree_frame *f;
};

static bool frame_eq(const void *ctx, uint32_t id)
{
	const struct frame_key *k = ctx;
	const struct calltree_frame *a = &k->b->frames.data[id], *f = k->f;

	return a->name == f->name && a->module == f->module && a->file == f->file &&
	       a->kind == f->kind && a->inlined == f->inlined;
}

static int frame_intern(struct calltree_builder *b, const struct calltree_frame *f, uint32_t *id)
{
	uint64_t hash = hash_mix(hash_mix(hash_mix(f->name, f->module), f->file),
				 (uint64_t)f->kind << 1 | f->inlined);
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

static int frame_add(struct calltree_builder *b, const char *name, const char *module, uint8_t kind,
		     uint32_t *id)
{
	struct calltree_frame f = {.kind = kind};

	if (strtab_add(b->strings, name, &f.name) || strtab_add(b->strings, module, &f.module))
		return -ENOMEM;
	return frame_intern(b, &f, id);
}

/* "function", or "function (file.c:12)" where lines are wanted and known. */
static int add_line_frame(struct calltree_builder *b, struct calltree_frame f,
			  const struct profile_line *line)
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
	if (!r && b->o->with_files)
		r = strtab_add(b->strings, file, &f.file);
	buf_release(&text);
	return r ?: frame_intern(b, &f, &id) ?: vec_push(&b->location_frames, id);
}

static int add_bare_frame(struct calltree_builder *b, struct calltree_frame f, uint32_t location)
{
	char name[256];
	uint32_t id;

	profile_unresolved(b->p, location, name, sizeof(name));
	f.is_through = b->o->through && !strcmp(name, b->o->through);
	return strtab_add(b->strings, name, &f.name) ?: frame_intern(b, &f, &id) ?:
	       vec_push(&b->location_frames, id);
}

/* The row that a table has for it. line NULL: the location has none. */
static int add_group_frame(struct calltree_builder *b, uint32_t location,
			   const struct profile_line *line)
{
	struct row_key key;
	uint32_t id;
	int r = row_key_of_frame(&b->namer, location, line, &key);
	struct calltree_frame f = {.name = key.name, .kind = FRAME_NATIVE};

	return r ?: frame_intern(b, &f, &id) ?: vec_push(&b->location_frames, id);
}

static int add_location(struct calltree_builder *b, uint32_t location)
{
	const struct profile_location *loc = &b->p->locations.data[location];
	const char *module = profile_module(b->p, loc->mapping);
	struct calltree_frame f = {.kind = (uint8_t)profile_frame_kind(b->p, location)};
	bool grouped = b->o->detail == DETAIL_GROUP;
	int r = vec_push(&b->location_first, (uint32_t)b->location_frames.len)
			?: strtab_add(b->strings, module, &f.module);

	if (!r && !loc->n_lines)
		return grouped ? add_group_frame(b, location, NULL)
			       : add_bare_frame(b, f, location);
	for (uint32_t i = 0; !r && i < loc->n_lines; i++) {
		const struct profile_line *line = &b->p->lines.data[loc->first_line + i];

		f.inlined = i + 1 < loc->n_lines && !b->o->inlined_alike;
		r = grouped ? add_group_frame(b, location, line) : add_line_frame(b, f, line);
	}
	return r;
}

static int add_locations(struct calltree_builder *b)
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

static int add_root(struct calltree_builder *b, const char *name)
{
	uint32_t id;

	if (!name || !*name)
		return 0;
	return frame_add(b, name, "", FRAME_ROOT_KIND, &id) ?: vec_push(&b->root_frames, id);
}

static int add_group_root(struct calltree_builder *b, uint32_t set)
{
	struct row_key key;
	int r = row_key_of_labelset(&b->namer, set, &key);

	return r ?: add_root(b, strtab_get(b->strings, key.name));
}

static int add_labelset_roots(struct calltree_builder *b, uint32_t set)
{
	const struct profile *p = b->p;
	char tmp[24];

	switch (b->o->roots) {
	case ROOTS_NONE:
		return 0;
	case ROOTS_COMM:
		return add_root(b, label_text(p, set, LABEL_COMM, tmp));
	case ROOTS_GROUP:
		return add_group_root(b, set);
	case ROOTS_LABELSET:
		snprintf(tmp, sizeof(tmp), "%" PRIu32, set);
		return p->labelsets.data[set].len ? add_root(b, tmp) : 0;
	}
	return -EINVAL;
}

static int add_roots(struct calltree_builder *b)
{
	int r = 0;

	for (size_t i = 0; !r && i < b->p->labelsets.len; i++)
		r = vec_push(&b->root_first, (uint32_t)b->root_frames.len)
			    ?: add_labelset_roots(b, (uint32_t)i);
	return r ?: vec_push(&b->root_first, (uint32_t)b->root_frames.len);
}

/* --- one stack as a path -------------------------------------------------------------------------- */

/* Appends the frames from..to - 1 of a stack, counted from the outermost. */
static int path_add(struct calltree_builder *b, const struct profile_stack *s, uint64_t from,
		    uint64_t to)
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

/* What calls itself is one. */
static int path_join(struct calltree_builder *b)
{
	size_t n = 0;

	b->steps.len = 0;
	if (vec_reserve(&b->steps, b->path.len + 1))
		return -ENOMEM;
	for (size_t i = 0; i < b->path.len; i++) {
		if (n && b->path.data[i] == b->path.data[n - 1]) {
			b->steps.data[n - 1].n_calls++;
			continue;
		}
		b->path.data[n] = b->path.data[i];
		b->steps.data[n++] = (struct calltree_step){.n_calls = 1};
	}
	b->path.len = b->steps.len = n;
	return 0;
}

/* Whether the last len frames of n are the ones before them again. */
static bool is_again(const uint32_t *path, size_t n, size_t len)
{
	return n >= 2 * len && !memcmp(path + n - len, path + n - 2 * len, len * sizeof(*path));
}

static void keep_most(struct calltree_cycle *c, const struct calltree_cycle *other)
{
	if (other->n_times > c->n_times)
		*c = *other;
}

/* Drops the last frames, which are those before them again. */
static size_t drop_again(struct calltree_builder *b, size_t n, size_t len)
{
	struct calltree_step *steps = b->steps.data + n - 2 * len;
	struct calltree_cycle *ends = &steps[len - 1].ends;

	for (size_t i = 0; i < len; i++) {
		steps[i].n_calls = MAX(steps[i].n_calls, steps[len + i].n_calls);
		if (i)
			keep_most(&steps[i].begins, &steps[len + i].begins);
		if (i + 1 < len)
			keep_most(&steps[i].ends, &steps[len + i].ends);
	}
	*ends = (struct calltree_cycle){(uint32_t)len,
					ends->n_nodes == len ? ends->n_times + 1 : 2};
	steps[0].begins = *ends;
	return n - len;
}

/* Functions that call each other in turn are there once. After a part of the turn the path goes on: who called what is
 * below is never another function than it was. */
static void path_turn(struct calltree_builder *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->path.len; i++) {
		b->path.data[n] = b->path.data[i];
		b->steps.data[n++] = b->steps.data[i];
		for (size_t len = 2; len <= CALLTREE_CYCLE_MAX; len++) {
			if (is_again(b->path.data, n, len)) {
				n = drop_again(b, n, len);
				break;
			}
		}
	}
	b->path.len = b->steps.len = n;
}

static int add_stack(struct calltree_builder *b, const struct profile_stack *s, uint64_t len)
{
	int r;

	if (len <= MAX_DEPTH)
		return path_add(b, s, 0, len);
	r = path_add(b, s, 0, MAX_DEPTH / 2) ?: vec_push(&b->path, b->truncated);
	return r ?: path_add(b, s, len - MAX_DEPTH / 2, len);
}

static int path_of_sample(struct calltree_builder *b, const struct profile_sample *s)
{
	const struct profile_stack *stack = &b->p->stacks.data[s->stack];
	uint32_t root_end = b->root_first.data[s->labelset + 1];
	uint64_t len = 0;
	int r;

	b->path.len = 0;
	for (uint32_t i = b->root_first.data[s->labelset]; i < root_end; i++)
		if (vec_push(&b->path, b->root_frames.data[i]))
			return -ENOMEM;
	for (uint32_t i = 0; i < stack->len; i++) {
		uint32_t loc = b->p->frames.data[stack->first + i];

		len += b->location_first.data[loc + 1] - b->location_first.data[loc];
	}
	r = add_stack(b, stack, len);
	if (!r && (b->o->detail == DETAIL_GROUP || b->o->join_calls))
		r = path_join(b);
	if (!r && b->o->join_calls)
		path_turn(b);
	return r;
}

/* Index in the path of the outermost frame of o->through; CALLTREE_NONE if there is none. */
static size_t path_through(const struct calltree_builder *b)
{
	for (size_t i = 0; i < b->path.len; i++)
		if (b->frames.data[b->path.data[i]].is_through)
			return i;
	return CALLTREE_NONE;
}

/* --- growing ------------------------------------------------------------------------------------- */

struct sprout_key {
	const struct calltree_builder *b;
	uint32_t parent, frame;
};

static bool sprout_eq(const void *ctx, uint32_t id)
{
	const struct sprout_key *k = ctx;
	const struct calltree_sprout *s = &k->b->sprouts.data[id];

	return s->parent == k->parent && s->frame == k->frame;
}

static int sprout_child(struct calltree_builder *b, uint32_t parent, uint32_t frame,
			uint32_t *child)
{
	uint64_t hash = hash_mix(parent, frame);
	struct sprout_key key = {b, parent, frame};
	uint32_t found = htab_find(&b->sprout_index, hash, sprout_eq, &key);

	if (found == HTAB_NONE) {
		struct calltree_sprout s = {.parent = parent, .frame = frame, .n_below = 1};

		if (b->sprouts.len >= MAX_NODES && frame != b->truncated)
			return -E2BIG;
		found = b->sprouts.len;
		if (vec_push(&b->sprouts, s) || htab_insert(&b->sprout_index, hash, found))
			return -ENOMEM;
	}
	*child = found;
	return 0;
}

/* What a frame is of, as far as it is on the way from `from` on. */
static void note_calls(struct calltree_builder *b, uint32_t node, size_t from, size_t at,
		       bool backwards)
{
	struct calltree_sprout *s = &b->sprouts.data[node];
	const struct calltree_step *step = &b->steps.data[at];
	const struct calltree_cycle *cycle = backwards ? &step->begins : &step->ends;
	size_t way = backwards ? from - at : at - from;

	s->n_calls = MAX(s->n_calls, step->n_calls);
	if (cycle->n_nodes <= way + 1)
		keep_most(&s->cycle, cycle);
}

/* Goes over n frames, path[from], path[from + step], ..., and adds the value to the last node. Backwards only the
 * first one's time may be its own: where the stack's leaf is its function. */
static int grow_path(struct calltree_builder *b, size_t from, size_t n, bool backwards,
		     int64_t value)
{
	uint32_t leaf = b->path.len ? vec_last(&b->path) : CALLTREE_NONE, node = 0;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		size_t at = backwards ? from - i : from + i;

		r = sprout_child(b, node, b->path.data[at], &node);
		if (!r && b->o->join_calls)
			note_calls(b, node, from, at, backwards);
		if (!r && backwards && !i && (!b->o->through || b->frames.data[leaf].is_through))
			b->sprouts.data[node].self += value;
	}
	if (r == -E2BIG)
		r = sprout_child(b, node, b->truncated, &node);
	if (r)
		return r;
	b->sprouts.data[node].ends += value;
	return 0;
}

static int grow_sample(struct calltree_builder *b, const struct profile_sample *s, int64_t value)
{
	size_t from = 0;
	int r = path_of_sample(b, s);

	if (r)
		return r;
	if (b->o->through)
		from = path_through(b);
	if (from == CALLTREE_NONE)
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

/*
 * A node has a width: what is below zero after all samples of its stack were added is left out, or as wide as it is
 * large.
 */
static void widen(struct calltree_builder *b, struct calltree_sprout *s)
{
	if (!b->o->with_less)
		s->ends = MAX(s->ends, 0);
	s->total += s->ends < 0 ? -s->ends : s->ends;
}

static int grow(struct calltree_builder *b)
{
	const struct profile *p = b->p;

	if (!sums_fit(p, b->o->value))
		return -EOVERFLOW;
	if (vec_push(&b->sprouts, (struct calltree_sprout){.frame = CALLTREE_NONE, .n_below = 1}))
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		int64_t value = p->values.data[s->first_value + b->o->value];
		int r;

		if (!value || (b->o->without_lost && profile_stack_is_lost(p, s->stack)))
			continue;
		r = grow_sample(b, s, value);
		if (r)
			return r;
	}
	for (size_t i = b->sprouts.len; i-- > 0;) {
		struct calltree_sprout *s = &b->sprouts.data[i],
				       *parent = &b->sprouts.data[s->parent];

		widen(b, s);
		s->self = b->o->inverted && i ? MIN(MAX(s->self, 0), s->total) : s->ends;
		if (!i)
			break;
		parent->total += s->total;
		parent->n_below += s->total ? s->n_below : 0;
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------------ */

static void builder_release(struct calltree_builder *b)
{
	strtab_free(b->strings);
	row_namer_release(&b->namer);
	vec_release(&b->frames);
	htab_release(&b->frame_index);
	vec_release(&b->location_first);
	vec_release(&b->location_frames);
	vec_release(&b->root_first);
	vec_release(&b->root_frames);
	vec_release(&b->sprouts);
	htab_release(&b->sprout_index);
	vec_release(&b->path);
	vec_release(&b->steps);
}

static int build(struct calltree_builder *b)
{
	b->strings = strtab_new();
	if (!b->strings)
		return -ENOMEM;
	b->namer = (struct row_namer){
		.p = b->p, .strings = b->strings, .by = b->o->by, .label = b->o->label};
	return frame_add(b, FRAME_TRUNCATED, MAPPING_KILN, FRAME_SYNTHETIC, &b->truncated) ?:
	       add_locations(b) ?: add_roots(b) ?: grow(b);
}

int calltree_build(struct calltree **out, const struct profile *p, const struct calltree_opts *o)
{
	_cleanup_(builder_release) struct calltree_builder b = {.p = p, .o = o};

	if (o->value >= p->sample_types.len || !(o->min_share < 1))
		return -EINVAL;
	return build(&b) ?: calltree_lay_out(out, &b);
}

void calltree_free(struct calltree *t)
{
	if (!t)
		return;
	strtab_free(t->strings);
	free(t->nodes);
	free(t);
}
