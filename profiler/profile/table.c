// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames are mapped to rows once for each location. Values are added up for each unique stack, and
 * then each unique stack is walked once.
 *
 * The best-known caller explains time in code that the reader of the report did not write. For a
 * function of a shared library or the kernel, it is the nearest frame up the stack outside of that
 * library or kernel. For other functions it is the nearest different function. Frames without a
 * name are skipped, and so is plumbing (frame_role.h): a standard library works for whoever called
 * it. Where there is nothing but plumbing the outermost is named, up to the engine that runs
 * byte code, whose callers say nothing. One or two frames with an address for a name are passed
 * by, too, below one with a name. Of several callers, the one with most of the row's total
 * wins, if it has a good part of it and no less than what has no caller: a stack that is cut off
 * in a function does not tell who called it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/table.h"
#include "profiler/profile/table_names.h"

/*
 * A pprof location may hold any number of inlined lines. So a small file can contain stacks far
 * longer than itself. A deeper stack keeps both ends. No unwinder gets near this depth.
 */
#define MAX_DEPTH 4096

/* A row while it is built. */
struct row_state {
	struct table_row row;
	struct row_key key;
	uint32_t domain;     /* module; all of the kernel counts as one */
	uint32_t last_stack; /* 1 + the last stack that is in its total */
	uint32_t best_pair;  /* its heaviest caller, or HTAB_NONE */
	int64_t called;	     /* of its total, what has a caller */
	/* Library or kernel code; a frame that cannot be named as a caller. */
	bool foreign, unnamed;
	bool vague;   /* named by where it starts */
	uint8_t role; /* enum frame_role */
};

struct stack_sum {
	int64_t value, both; /* with and without signs */
};

/* Value of a row below a caller. */
struct pair {
	uint32_t row, caller;
	int64_t value;
};

struct builder {
	const struct profile *p;
	const struct table_opts *o;
	struct table *t;
	VEC(struct row_state) rows;
	struct htab row_index, pair_index;
	VEC(struct pair) pairs;
	VEC(uint32_t) frame_rows;      /* row of each line of each location, innermost first */
	VEC(uint32_t) first_frame_row; /* per location, and one past the last */
	VEC(struct stack_sum) stacks;
	struct row_namer namer;
	VEC(uint32_t) path; /* rows of the current stack, leaf first */
	/* For each path index: next of another domain, next of another row; or NONE. */
	VEC(uint32_t) outside, other;
	uint32_t of_name; /* string of o->of in t, or PROFILE_NONE */
	uint32_t end_row; /* TABLE_NO_CALLER or TABLE_ITSELF */
};

static void builder_release(struct builder *b)
{
	vec_release(&b->rows);
	htab_release(&b->row_index);
	htab_release(&b->pair_index);
	vec_release(&b->pairs);
	vec_release(&b->frame_rows);
	vec_release(&b->first_frame_row);
	vec_release(&b->stacks);
	row_namer_release(&b->namer);
	vec_release(&b->path);
	vec_release(&b->outside);
	vec_release(&b->other);
	table_free(b->t);
}

static struct table *table_new(void)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->strings = strtab_new();
	if (t->strings)
		return t;
	free(t);
	return NULL;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	strtab_free(t->strings);
	vec_release(&t->rows);
	free(t);
}

/* --- rows -------------------------------------------------------------------------------------- */

struct row_search {
	const struct builder *b;
	const struct row_key *key;
};

static bool same_row(const void *ctx, uint32_t id)
{
	const struct row_search *s = ctx;
	const struct row_key *a = &s->b->rows.data[id].key, *b = s->key;

	return a->name == b->name && a->module == b->module && a->line_of == b->line_of;
}

/* Finds or adds the row. 0 or -ENOMEM. */
static int get_row(struct builder *b, const struct row_key *key, enum frame_kind kind, uint32_t *id)
{
	struct row_search search = {b, key};
	uint64_t hash = hash_mix(hash_mix(key->name, key->module), key->line_of);
	const char *module = strtab_get(b->t->strings, key->module);
	struct row_state r = {
		.row = {.name = key->name, .module = key->module, .kind = kind},
		.key = *key,
		.domain = kind == FRAME_KERNEL ? PROFILE_NONE : key->module,
		.best_pair = HTAB_NONE,
		.foreign = kind == FRAME_KERNEL || profile_module_is_library(module),
	};

	*id = htab_find(&b->row_index, hash, same_row, &search);
	if (*id != HTAB_NONE)
		return 0;
	*id = (uint32_t)b->rows.len;
	return vec_push(&b->rows, r) ?: htab_insert(&b->row_index, hash, *id);
}

/* line NULL: the location has no function */
static int add_frame_row(struct builder *b, uint32_t location, const struct profile_line *line)
{
	enum frame_kind kind = profile_frame_kind(b->p, location);
	struct row_key key;
	struct row_state *r;
	const char *name;
	uint32_t id;
	int err = row_key_of_frame(&b->namer, location, line, &key) ?:
		  get_row(b, &key, kind, &id) ?: vec_push(&b->frame_rows, id);

	if (err)
		return err;
	r = &b->rows.data[id];
	name = strtab_get(b->t->strings, key.name);
	if (!row_has_function(b->p, location, line) || kind == FRAME_SYNTHETIC || *name == '[')
		r->unnamed = true;
	if (b->o->by <= TABLE_LINE) {
		r->role = frame_role_of(name, strtab_get(b->t->strings, key.module), kind);
		r->vague = frame_name_is_vague(name);
	}
	return 0;
}

static int add_locations(struct builder *b)
{
	const struct profile *p = b->p;

	for (size_t i = 0; i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];
		int err = vec_push(&b->first_frame_row, (uint32_t)b->frame_rows.len);

		for (uint32_t j = 0; !err && j < l->n_lines; j++)
			err = add_frame_row(b, (uint32_t)i, &p->lines.data[l->first_line + j]);
		if (!err && !l->n_lines)
			err = add_frame_row(b, (uint32_t)i, NULL);
		if (err)
			return err;
	}
	return vec_push(&b->first_frame_row, (uint32_t)b->frame_rows.len);
}

/* --- walking a stack --------------------------------------------------------------------------- */

static int push_rows(struct builder *b, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		if (vec_push(&b->path, b->frame_rows.data[i]))
			return -ENOMEM;
	}
	return 0;
}

static int load_path(struct builder *b, const struct profile_stack *s)
{
	const uint32_t *frames = s->len ? b->p->frames.data + s->first : NULL;
	const uint32_t *first = b->first_frame_row.data;
	size_t depth = 0, at = 0, cut = SIZE_MAX, resume = 0;
	int err = 0;

	for (uint32_t i = 0; i < s->len; i++)
		depth += first[frames[i] + 1] - first[frames[i]];
	if (depth > MAX_DEPTH) {
		cut = MAX_DEPTH / 2;
		resume = depth - MAX_DEPTH / 2;
		b->t->n_cut++;
	}
	b->path.len = 0;
	for (uint32_t i = 0; !err && i < s->len; i++) {
		size_t row = first[frames[i]], end = first[frames[i] + 1], len = end - row;

		/*
		 * of rows [at, at + len) of the path, those below `cut` and those from `resume` on
		 */
		if (at < cut)
			err = push_rows(b, row, row + MIN(len, cut - at));
		if (!err && cut != SIZE_MAX && at + len > resume)
			err = push_rows(b, row + MAX(at, resume) - at, end);
		at += len;
	}
	return err;
}

/* On the way from the root to the leaf: whom the frames below may name as their caller. */
struct candidates {
	uint32_t above,
		plumbing; /* path indices or PROFILE_NONE; plumbing where there is nobody above */
	unsigned n_vague; /* frames since `above` that have an address for a name */
};

/* A name such as "app+sub_12f0" says less than that of a near caller. */
#define MAX_VAGUE 2

static void pass_by(const struct builder *b, size_t i, struct candidates *c)
{
	const struct row_state *r = &b->rows.data[b->path.data[i]];

	if (r->unnamed || r->role == ROLE_CEREMONY)
		return;
	if (r->role == ROLE_ENGINE) {
		c->above = c->plumbing = PROFILE_NONE;
	} else if (r->role == ROLE_PLUMBING) {
		if (c->plumbing == PROFILE_NONE)
			c->plumbing = (uint32_t)i;
	} else if (!r->vague || c->above == PROFILE_NONE || ++c->n_vague > MAX_VAGUE) {
		c->above = (uint32_t)i;
		c->n_vague = r->vague ? MAX_VAGUE : 0;
	}
}

static bool same_function(const struct row_state *a, const struct row_state *b)
{
	return a->row.name == b->row.name && a->row.module == b->row.module;
}

/* From root to leaf: a frame's candidate is the frame above it, or that frame's own candidate. */
static int find_callers(struct builder *b)
{
	struct candidates c = {PROFILE_NONE, PROFILE_NONE, 0};

	if (vec_reserve(&b->outside, b->path.len) || vec_reserve(&b->other, b->path.len))
		return -ENOMEM;
	for (size_t i = b->path.len; i-- > 0;) {
		const struct row_state *r = &b->rows.data[b->path.data[i]], *up;

		b->outside.data[i] = b->other.data[i] = c.above;
		if (c.above != PROFILE_NONE) {
			up = &b->rows.data[b->path.data[c.above]];
			if (up->domain == r->domain)
				b->outside.data[i] = b->outside.data[c.above];
			if (same_function(up, r))
				b->other.data[i] = b->other.data[c.above];
		}
		if (b->other.data[i] == PROFILE_NONE && c.plumbing != PROFILE_NONE &&
		    !same_function(&b->rows.data[b->path.data[c.plumbing]], r))
			b->other.data[i] = c.plumbing;
		pass_by(b, i, &c);
	}
	return 0;
}

struct pair_key {
	const struct builder *b;
	uint32_t row, caller;
};

static bool same_pair(const void *ctx, uint32_t id)
{
	const struct pair_key *k = ctx;
	const struct pair *pair = &k->b->pairs.data[id];

	return pair->row == k->row && pair->caller == k->caller;
}

static int add_caller(struct builder *b, size_t i, int64_t value)
{
	uint32_t row = b->path.data[i], at = b->other.data[i], id;
	struct pair_key key = {.b = b, .row = row};
	uint64_t hash;

	if (b->rows.data[row].foreign && b->outside.data[i] != PROFILE_NONE)
		at = b->outside.data[i];
	if (at == PROFILE_NONE)
		return 0;
	key.caller = b->path.data[at];
	hash = hash_mix(row, key.caller);
	id = htab_find(&b->pair_index, hash, same_pair, &key);
	if (id == HTAB_NONE) {
		struct pair pair = {.row = row, .caller = key.caller};

		id = (uint32_t)b->pairs.len;
		if (vec_push(&b->pairs, pair) || htab_insert(&b->pair_index, hash, id))
			return -ENOMEM;
	}
	b->pairs.data[id].value = saturating_sum(b->pairs.data[id].value, value);
	return 0;
}

static void add_total(struct builder *b, uint32_t row, uint32_t stack, int64_t value)
{
	struct row_state *r = &b->rows.data[row];

	if (r->last_stack == stack + 1)
		return;
	r->last_stack = stack + 1;
	r->row.total = saturating_sum(r->row.total, value);
}

static void add_self(struct builder *b, uint32_t row, int64_t value)
{
	b->rows.data[row].row.self = saturating_sum(b->rows.data[row].row.self, value);
}

static int add_all(struct builder *b, uint32_t stack, int64_t value)
{
	int err = find_callers(b);

	for (size_t i = 0; !err && i < b->path.len; i++) {
		bool first = b->rows.data[b->path.data[i]].last_stack != stack + 1;

		if (i == 0)
			add_self(b, b->path.data[i], value);
		add_total(b, b->path.data[i], stack, value);
		if (first && table_by_function(b->o->by))
			err = add_caller(b, i, value);
	}
	return err;
}

static void add_related(struct builder *b, uint32_t stack, int64_t value)
{
	bool callers = b->o->relation == TABLE_CALLERS, seen = false;
	struct table *t = b->t;

	for (size_t i = 0; i < b->path.len; i++) {
		bool at_end = callers ? i + 1 == b->path.len : i == 0;
		uint32_t row;

		if (b->rows.data[b->path.data[i]].row.name != b->of_name)
			continue;
		if (!i)
			t->of_self = saturating_sum(t->of_self, value);
		if (!seen)
			t->of_total = saturating_sum(t->of_total, value);
		seen = true;
		row = at_end ? b->end_row : b->path.data[callers ? i + 1 : i - 1];
		add_total(b, row, stack, value);
		if (callers ? i == 0 : i <= 1)
			add_self(b, row, value);
	}
}

static int64_t sample_value(const struct builder *b, const struct profile_sample *s)
{
	return b->p->values.data[s->first_value + b->o->value];
}

static int sum_stacks(struct builder *b)
{
	const struct profile *p = b->p;

	if (vec_reserve(&b->stacks, p->stacks.len + 1))
		return -ENOMEM;
	memset(b->stacks.data, 0, p->stacks.len * sizeof(*b->stacks.data));
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		struct stack_sum *sum = &b->stacks.data[s->stack];
		int64_t v = sample_value(b, s);

		sum->value = saturating_sum(sum->value, v);
		sum->both = saturating_sum(sum->both, v < 0 ? saturating_difference(0, v) : v);
	}
	return 0;
}

static int prepare_relation(struct builder *b)
{
	bool callers = b->o->relation == TABLE_CALLERS;
	struct row_key end = {0};

	if (b->o->relation == TABLE_ALL)
		return 0;
	b->of_name = strtab_lookup(b->t->strings, b->o->of);
	return strtab_add(b->t->strings, callers ? TABLE_NO_CALLER : TABLE_ITSELF, &end.name) ?:
	       strtab_add(b->t->strings, MAPPING_KILN, &end.module) ?:
	       get_row(b, &end, FRAME_SYNTHETIC, &b->end_row);
}

static void add_both(struct builder *b, int64_t both)
{
	struct table_row *r = b->path.len ? &b->rows.data[b->path.data[0]].row : NULL;

	if (r)
		r->both_self = saturating_sum(r->both_self, both);
}

static int walk_stacks(struct builder *b)
{
	int err = sum_stacks(b) ?: add_locations(b) ?: prepare_relation(b);

	for (size_t i = 0; !err && i < b->p->stacks.len; i++) {
		int64_t value = b->stacks.data[i].value, both = b->stacks.data[i].both;

		if (!(b->o->with_both ? both : value) ||
		    (!b->o->with_lost && profile_stack_is_lost(b->p, (uint32_t)i)))
			continue;
		err = load_path(b, &b->p->stacks.data[i]);
		if (err)
			break;
		if (b->o->with_both)
			add_both(b, both);
		if (b->o->relation == TABLE_ALL)
			err = add_all(b, (uint32_t)i, value);
		else
			add_related(b, (uint32_t)i, value);
	}
	return err;
}

/* --- tables by label --------------------------------------------------------------------------- */

static int walk_labelsets(struct builder *b)
{
	const struct profile *p = b->p;
	VEC(uint32_t) rows = {0}; /* for each label set */
	int err = 0;

	for (size_t i = 0; !err && i < p->labelsets.len; i++) {
		struct row_key key;
		uint32_t row;

		err = row_key_of_labelset(&b->namer, (uint32_t)i, &key) ?:
		      get_row(b, &key, FRAME_UNKNOWN, &row) ?: vec_push(&rows, row);
	}
	for (size_t i = 0; !err && i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];

		if (!b->o->with_lost && profile_stack_is_lost(p, s->stack))
			continue;
		add_self(b, rows.data[s->labelset], sample_value(b, s));
		b->rows.data[rows.data[s->labelset]].last_stack = 1;
	}
	for (size_t i = 0; i < b->rows.len; i++)
		b->rows.data[i].row.total = b->rows.data[i].row.self;
	vec_release(&rows);
	return err;
}

/* --- the end ----------------------------------------------------------------------------------- */

static const char *row_name(const struct builder *b, uint32_t row)
{
	return strtab_get(b->t->strings, b->rows.data[row].row.name);
}

/* Of callers with equal values the first by name wins, so that equal profiles give equal tables. */
static bool better_pair(const struct builder *b, const struct pair *pair, const struct pair *best)
{
	int by_value = compare_sizes(pair->value, best->value);

	return (by_value ?: strcmp(row_name(b, pair->caller), row_name(b, best->caller))) < 0;
}

/* A caller with less of a row says nothing of it. */
#define LEAST_BLAME 0.25

static bool is_to_blame(const struct row_state *r, int64_t value)
{
	double size = (double)size_of_number(value);

	return size >= LEAST_BLAME * (double)size_of_number(r->row.total) &&
	       size >= (double)size_of_number(saturating_difference(r->row.total, r->called));
}

static void choose_callers(struct builder *b)
{
	for (size_t i = 0; i < b->pairs.len; i++) {
		const struct pair *pair = &b->pairs.data[i];
		struct row_state *r = &b->rows.data[pair->row];

		r->called = saturating_sum(r->called, pair->value);
		if (r->best_pair == HTAB_NONE || better_pair(b, pair, &b->pairs.data[r->best_pair]))
			r->best_pair = (uint32_t)i;
	}
	for (size_t i = 0; i < b->rows.len; i++) {
		struct row_state *r = &b->rows.data[i];

		if (r->best_pair != HTAB_NONE && is_to_blame(r, b->pairs.data[r->best_pair].value))
			r->row.caller = b->rows.data[b->pairs.data[r->best_pair].caller].row.name;
	}
}

/* Takes the rows that were on a stack. Lines become part of their names. */
static int take_rows(struct builder *b)
{
	for (size_t i = 0; i < b->rows.len; i++) {
		const struct row_state *r = &b->rows.data[i];
		struct table_row row = r->row;

		if (!r->last_stack)
			continue;
		if (r->key.line_of && row_key_text(&b->namer, &r->key, &row.name))
			return -ENOMEM;
		if (vec_push(&b->t->rows, row))
			return -ENOMEM;
	}
	return 0;
}

struct order {
	const struct table *t;
	enum table_sort sort;
};

static int compare_rows(const void *left, const void *right, void *ctx)
{
	const struct table_row *a = left, *b = right;
	const struct order *o = ctx;
	int by_self = compare_sizes(a->self, b->self), by_total = compare_sizes(a->total, b->total);
	int by_value = o->sort == TABLE_SORT_SELF ? by_self ?: by_total : by_total ?: by_self;

	return by_value ?: strcmp(table_text(o->t, a->name), table_text(o->t, b->name)) ?:
	       strcmp(table_text(o->t, a->module), table_text(o->t, b->module));
}

static int finish(struct builder *b)
{
	struct order order = {b->t, b->o->sort};
	int err;

	choose_callers(b);
	err = take_rows(b);
	if (err)
		return err;
	if (b->t->rows.len)
		qsort_r(b->t->rows.data, b->t->rows.len, sizeof(struct table_row), compare_rows,
			&order);
	b->t->total = profile_total(b->p, b->o->value);
	b->t->gross = profile_gross(b->p, b->o->value);
	b->t->n_samples = profile_samples(b->p);
	b->t->is_difference = profile_is_difference(b->p, b->o->value);
	return 0;
}

int table_build(struct table **out, const struct profile *p, const struct table_opts *o)
{
	struct builder b __attribute__((cleanup(builder_release))) = {.p = p, .o = o};
	int err;

	b.t = table_new();
	if (!b.t)
		return -ENOMEM;
	b.namer =
		(struct row_namer){.p = p, .strings = b.t->strings, .by = o->by, .label = o->label};
	err = (table_by_label(o->by) ? walk_labelsets(&b) : walk_stacks(&b)) ?: finish(&b);
	if (!err)
		*out = steal_ptr(b.t);
	return err;
}
