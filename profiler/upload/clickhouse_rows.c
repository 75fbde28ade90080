// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/clickhouse_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/service.h"

/* A function in a mapping, which is one of the rows. */
struct known_function {
	uint32_t function, mapping; /* of the profile, or PROFILE_NONE */
	uint32_t row;
};

struct known_stack {
	bool is_known;
	uint64_t hash;
	uint32_t first, n;
};

struct known_labels {
	bool is_known;
	uint32_t service, namespace, pod, unit, comm;
};

struct builder {
	const struct profile *p;
	struct clickhouse_rows *r;
	struct hash_memo *memo;
	VEC(struct known_function) functions;
	struct htab function_index, id_index, stack_index, sample_index;
	struct known_stack *stacks;  /* by the profile's ids */
	struct known_labels *labels; /* likewise */
	uint32_t *types;	     /* texts; UINT32_MAX: left out */
	VEC(uint32_t) rows;	     /* of the frames of a stack, leaf first */
	VEC(uint32_t) lines;	     /* theirs */
};

static void builder_release(struct builder *b)
{
	vec_release(&b->functions);
	htab_release(&b->function_index);
	htab_release(&b->id_index);
	htab_release(&b->stack_index);
	htab_release(&b->sample_index);
	free(b->stacks);
	free(b->labels);
	free(b->types);
	vec_release(&b->rows);
	vec_release(&b->lines);
}

void clickhouse_rows_release(struct clickhouse_rows *r)
{
	strtab_free(r->texts);
	vec_release(&r->samples);
	vec_release(&r->stacks);
	vec_release(&r->functions);
	vec_release(&r->funcs);
	vec_release(&r->lines);
	*r = (struct clickhouse_rows){0};
}

/* --- functions ------------------------------------------------------------------------------------ */

struct function_search {
	const struct builder *b;
	uint32_t function, mapping;
};

static bool same_function(const void *ctx, uint32_t id)
{
	const struct function_search *s = ctx;
	const struct known_function *f = &s->b->functions.data[id];

	return f->function == s->function && f->mapping == s->mapping;
}

struct id_search {
	const struct builder *b;
	uint64_t id;
};

static bool same_id(const void *ctx, uint32_t row)
{
	const struct id_search *s = ctx;

	return s->b->r->functions.data[row].id == s->id;
}

/* "[libx.so]", as kiln report has it for what has no name. */
static int name_unknown(struct builder *b, const char *module, const char **out)
{
	struct buf text = {0};
	int err;

	buf_printf(&text, *module == '[' ? "%s" : "[%s]", module);
	*out = strtab_keep(b->r->texts, buf_cstr(&text), text.len);
	err = text.err ?: *out ? 0 : -ENOMEM;
	buf_release(&text);
	return err;
}

static int name_function(struct builder *b, uint32_t function, uint32_t mapping,
			 struct clickhouse_function *out)
{
	const struct profile *p = b->p;
	const struct profile_function *f =
		function == PROFILE_NONE ? NULL : &p->functions.data[function];
	bool has_mapping = mapping < p->mappings.len;

	*out = (struct clickhouse_function){.module = profile_module(p, mapping), .file = ""};
	out->build = has_mapping ? profile_text(p, p->mappings.data[mapping].build_id) : "";
	if (!f || !*profile_text(p, f->name))
		return name_unknown(b, out->module, &out->func);
	out->func = profile_text(p, f->name);
	out->file = profile_text(p, f->file);
	return 0;
}

/* Finds or adds the row with this id. */
static int add_function(struct builder *b, const struct clickhouse_function *f, uint32_t *row)
{
	const struct id_search search = {b, f->id};
	uint64_t hash = hash_u64(f->id);

	*row = htab_find(&b->id_index, hash, same_id, &search);
	if (*row != HTAB_NONE)
		return 0;
	*row = (uint32_t)b->r->functions.len;
	return vec_push(&b->r->functions, *f) ?: htab_insert(&b->id_index, hash, *row);
}

/* SHA-256 of each function was a quarter of a window's cost. */
static int identify(struct builder *b, struct clickhouse_function *f)
{
	struct hash_memo_key key =
		hash_memo_key(b->memo, f->func, strlen(f->func), f->module, strlen(f->module));
	int err;

	if (hash_memo_find(b->memo, &key, &f->id))
		return 0;
	err = ch_function_id(&f->id, f->func, f->module);
	if (!err)
		hash_memo_add(b->memo, &key, f->id);
	return err;
}

static int find_function(struct builder *b, uint32_t function, uint32_t mapping, uint32_t *row)
{
	const struct function_search search = {b, function, mapping};
	uint64_t hash = hash_mix(function, mapping);
	uint32_t known = htab_find(&b->function_index, hash, same_function, &search);
	struct clickhouse_function f;
	int err;

	if (known != HTAB_NONE) {
		*row = b->functions.data[known].row;
		return 0;
	}
	err = name_function(b, function, mapping, &f);
	err = err ?: identify(b, &f);
	err = err ?: add_function(b, &f, row);
	known = (uint32_t)b->functions.len;
	err = err ?: vec_push(&b->functions, (struct known_function){function, mapping, *row});
	return err ?: htab_insert(&b->function_index, hash, known);
}

/* --- stacks --------------------------------------------------------------------------------------- */

static int add_frame(struct builder *b, uint32_t function, uint32_t mapping, int64_t line)
{
	uint32_t row;
	int err = find_function(b, function, mapping, &row);

	err = err ?: vec_push(&b->rows, row);
	return err ?: vec_push(&b->lines, line > 0 && line <= UINT32_MAX ? (uint32_t)line : 0);
}

static size_t lines_of(const struct profile *p, uint32_t location)
{
	uint32_t n = p->locations.data[location].n_lines;

	return n ? n : 1;
}

/* Frames [skip, end) of a location. */
static int add_location(struct builder *b, uint32_t location, size_t skip, size_t end)
{
	const struct profile_location *l = &b->p->locations.data[location];
	int err = 0;

	if (!l->n_lines)
		return skip < end ? add_frame(b, PROFILE_NONE, l->mapping, 0) : 0;
	for (size_t i = skip; i < end && !err; i++) {
		const struct profile_line *line = &b->p->lines.data[l->first_line + i];

		err = add_frame(b, line->function, l->mapping, line->line);
	}
	return err;
}

static size_t clamp(size_t v, size_t low, size_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* Of a stack that is too deep both ends: frames before `cut` and from `resume` on, as profiler/profile/table.c. */
static int load_frames(struct builder *b, const struct profile_stack *s)
{
	size_t depth = 0, at = 0, cut, resume;
	int err = 0;

	for (uint32_t i = 0; i < s->len; i++)
		depth += lines_of(b->p, b->p->frames.data[s->first + i]);
	cut = depth > CH_MAX_FRAMES ? CH_MAX_FRAMES / 2 : depth;
	resume = depth > CH_MAX_FRAMES ? depth - CH_MAX_FRAMES / 2 : depth;
	b->rows.len = b->lines.len = 0;
	for (uint32_t i = 0; i < s->len && !err; i++) {
		uint32_t location = b->p->frames.data[s->first + i];
		size_t n = lines_of(b->p, location);

		err = add_location(b, location, 0, clamp(cut, at, at + n) - at);
		err = err ?: add_location(b, location, clamp(resume, at, at + n) - at, n);
		at += n;
	}
	return err;
}

static uint64_t hash_stack(struct builder *b, const uint64_t *funcs, const uint32_t *lines,
			   uint32_t n)
{
	struct hash_memo_key key =
		hash_memo_key(b->memo, funcs, n * sizeof(*funcs), lines, n * sizeof(*lines));
	uint64_t hash;

	if (hash_memo_find(b->memo, &key, &hash))
		return hash;
	hash = ch_stack_hash(funcs, lines, n);
	hash_memo_add(b->memo, &key, hash);
	return hash;
}

static int add_ids(struct builder *b, struct known_stack *out)
{
	struct clickhouse_rows *r = b->r;

	out->first = (uint32_t)r->funcs.len;
	out->n = (uint32_t)b->rows.len;
	if (r->funcs.len + b->rows.len >= UINT32_MAX)
		return -EFBIG;
	if (vec_reserve(&r->funcs, r->funcs.len + out->n) ||
	    vec_reserve(&r->lines, r->lines.len + out->n))
		return -ENOMEM;
	for (uint32_t i = 0; i < out->n; i++) {
		r->funcs.data[r->funcs.len++] = r->functions.data[b->rows.data[i]].id;
		r->lines.data[r->lines.len++] = b->lines.data[i];
	}
	out->hash = hash_stack(b, r->funcs.data + out->first, r->lines.data + out->first, out->n);
	out->is_known = true;
	return 0;
}

static int find_stack(struct builder *b, uint32_t stack, const struct known_stack **out)
{
	struct known_stack *k = &b->stacks[stack];
	int err = 0;

	if (!k->is_known)
		err = load_frames(b, &b->p->stacks.data[stack]) ?: add_ids(b, k);
	*out = k;
	return err;
}

struct stack_search {
	const struct builder *b;
	uint32_t service;
	uint64_t hash;
};

static bool same_stack(const void *ctx, uint32_t id)
{
	const struct stack_search *s = ctx;
	const struct clickhouse_stack *k = &s->b->r->stacks.data[id];

	return k->service == s->service && k->hash == s->hash;
}

static int add_stack(struct builder *b, uint32_t service, const struct known_stack *k)
{
	const struct stack_search search = {b, service, k->hash};
	const struct clickhouse_stack row = {service, k->hash, k->first, k->n};
	uint64_t hash = hash_mix(service, k->hash);
	uint32_t id = (uint32_t)b->r->stacks.len;

	if (htab_find(&b->stack_index, hash, same_stack, &search) != HTAB_NONE)
		return 0;
	return vec_push(&b->r->stacks, row) ?: htab_insert(&b->stack_index, hash, id);
}

/* --- labels and types ----------------------------------------------------------------------------- */

static int add_label(struct builder *b, uint32_t labelset, const char *key, uint32_t *out)
{
	return strtab_add(b->r->texts, profile_text_label(b->p, labelset, key), out);
}

static int find_labels(struct builder *b, uint32_t labelset, const struct known_labels **out)
{
	struct known_labels *k = &b->labels[labelset];
	int err = 0;

	*out = k;
	if (k->is_known)
		return 0;
	err = strtab_add(b->r->texts, service_name(b->p, labelset, NULL), &k->service);
	err = err ?: add_label(b, labelset, LABEL_NAMESPACE, &k->namespace);
	err = err ?: add_label(b, labelset, LABEL_POD, &k->pod);
	err = err ?: add_label(b, labelset, LABEL_UNIT, &k->unit);
	err = err ?: add_label(b, labelset, LABEL_COMM, &k->comm);
	k->is_known = !err;
	return err;
}

static bool is_count(const struct profile *p, const struct profile_value_type *t)
{
	return p->sample_types.len > 1 && !strcmp(profile_text(p, t->type), "samples") &&
	       !strcmp(profile_text(p, t->unit), "count");
}

static int name_types(struct builder *b)
{
	const struct profile *p = b->p;
	struct buf text = {0};
	int err = 0;

	for (size_t i = 0; i < p->sample_types.len && !err; i++) {
		const struct profile_value_type *t = &p->sample_types.data[i];

		b->types[i] = UINT32_MAX;
		if (is_count(p, t))
			continue;
		buf_clear(&text);
		buf_printf(&text, "%s/%s", profile_text(p, t->type), profile_text(p, t->unit));
		err = strtab_add(b->r->texts, buf_cstr(&text), &b->types[i]) ?: text.err;
	}
	buf_release(&text);
	return err;
}

/* --- samples -------------------------------------------------------------------------------------- */

struct sample_search {
	const struct builder *b;
	const struct clickhouse_sample *s;
};

static bool same_sample(const void *ctx, uint32_t id)
{
	const struct sample_search *search = ctx;
	const struct clickhouse_sample *a = &search->b->r->samples.data[id], *b = search->s;

	return a->hash == b->hash && a->type == b->type && a->service == b->service &&
	       a->comm == b->comm && a->pod == b->pod && a->unit == b->unit &&
	       a->namespace == b->namespace;
}

static int add_sample(struct builder *b, const struct clickhouse_sample *s)
{
	const struct sample_search search = {b, s};
	uint64_t hash = hash_mix(hash_mix(s->hash, s->type), s->comm);
	uint32_t id = htab_find(&b->sample_index, hash, same_sample, &search);
	int64_t *value;

	if (id != HTAB_NONE) {
		value = &b->r->samples.data[id].value;
		*value = saturating_sum(*value, s->value);
		return 0;
	}
	if (b->r->samples.len >= CLICKHOUSE_MAX_ROWS)
		return -EFBIG;
	id = (uint32_t)b->r->samples.len;
	return vec_push(&b->r->samples, *s) ?: htab_insert(&b->sample_index, hash, id);
}

static int add_values(struct builder *b, const struct profile_sample *sample)
{
	const struct known_labels *l;
	const struct known_stack *k;
	int err = find_labels(b, sample->labelset, &l);

	err = err ?: find_stack(b, sample->stack, &k);
	err = err ?: add_stack(b, l->service, k);
	for (size_t i = 0; i < b->p->sample_types.len && !err; i++) {
		int64_t value = b->p->values.data[sample->first_value + i];
		const struct clickhouse_sample s = {
			.service = l->service,
			.type = b->types[i],
			.namespace = l->namespace,
			.pod = l->pod,
			.unit = l->unit,
			.comm = l->comm,
			.hash = k->hash,
			.value = value,
		};

		if (value && b->types[i] != UINT32_MAX)
			err = add_sample(b, &s);
	}
	return err;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Equal things side by side are few bytes after gzip. */
static int by_labels(const void *x, const void *y)
{
	const struct clickhouse_sample *a = x, *b = y;

	return compare(a->service, b->service)	   ?: compare(a->namespace, b->namespace) ?:
	       compare(a->pod, b->pod)		   ?: compare(a->unit, b->unit) ?:
	       compare(a->comm, b->comm)	   ?: compare(a->type, b->type) ?:
	       compare((uint64_t)a->value, (uint64_t)b->value) ?: compare(a->hash, b->hash);
}

static void finish(struct clickhouse_rows *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->samples.len; i++) {
		const struct clickhouse_sample *s = &r->samples.data[i];

		if (!s->value)
			continue;
		r->value = (int64_t)((uint64_t)r->value + (uint64_t)s->value);
		r->hash_sum += s->hash;
		r->samples.data[n++] = *s;
	}
	r->samples.len = n;
	if (n)
		qsort(r->samples.data, n, sizeof(*r->samples.data), by_labels);
}

int clickhouse_rows_build(struct clickhouse_rows *out, const struct profile *p,
			  struct hash_memo *memo)
{
	struct builder b = {.p = p, .r = out, .memo = memo};
	int err;

	*out = (struct clickhouse_rows){.p = p, .texts = strtab_new()};
	b.stacks = calloc(p->stacks.len + 1, sizeof(*b.stacks));
	b.labels = calloc(p->labelsets.len + 1, sizeof(*b.labels));
	b.types = calloc(p->sample_types.len + 1, sizeof(*b.types));
	err = out->texts && b.stacks && b.labels && b.types ? name_types(&b) : -ENOMEM;
	for (size_t i = 0; i < p->samples.len && !err; i++)
		err = add_values(&b, &p->samples.data[i]);
	if (!err)
		finish(out);
	builder_release(&b);
	return err;
}

#define LEAST_MARKS 65536

/* The last has the largest value of its labels. Both parts of it are positive, unless it is small. */
int clickhouse_rows_mark(struct clickhouse_rows *r, uint64_t id)
{
	struct clickhouse_sample part, rest;
	uint64_t n_marks;

	if (!r->samples.len)
		return 0;
	part = rest = vec_last(&r->samples);
	n_marks = rest.value > LEAST_MARKS ? (uint64_t)rest.value - 1 : LEAST_MARKS;
	part.value = 1 + (int64_t)(id % n_marks);
	part.value += part.value == rest.value; /* no row has the value 0 */
	rest.value = (int64_t)((uint64_t)rest.value - (uint64_t)part.value);
	vec_last(&r->samples) = rest;
	r->hash_sum += part.hash;
	return vec_push(&r->samples, part);
}
