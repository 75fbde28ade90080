// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/profile/profile.h"

struct profile_index {
	uint64_t seed; /* foreign names and numbers must not be able to choose hash collisions */
	struct htab mappings, functions, locations, stacks, labelsets, samples;
	struct buf clean;
	VEC(struct profile_label) labels; /* scratch of profile_labelset() */
};

struct profile *profile_new(void)
{
	struct profile *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->index = calloc(1, sizeof(*p->index));
	p->strings = strtab_new();
	if (!p->index || !p->strings) {
		profile_free(p);
		return NULL;
	}
	p->index->seed = hash_random_seed();
	return p;
}

#define VEC_BYTES(v) ((v).cap * sizeof(*(v).data))

static size_t htab_bytes(const struct htab *t)
{
	return t->cap * sizeof(*t->slots);
}

size_t profile_bytes(const struct profile *p)
{
	const struct profile_index *x = p->index;

	return sizeof(*p) + sizeof(*x) + strtab_bytes(p->strings) + VEC_BYTES(p->mappings) +
	       VEC_BYTES(p->functions) + VEC_BYTES(p->locations) + VEC_BYTES(p->lines) +
	       VEC_BYTES(p->stacks) + VEC_BYTES(p->frames) + VEC_BYTES(p->labels) +
	       VEC_BYTES(p->labelsets) + VEC_BYTES(p->samples) + VEC_BYTES(p->values) +
	       VEC_BYTES(p->covered.v) + htab_bytes(&x->mappings) + htab_bytes(&x->functions) +
	       htab_bytes(&x->locations) + htab_bytes(&x->stacks) + htab_bytes(&x->labelsets) +
	       htab_bytes(&x->samples);
}

static void index_free(struct profile_index *x)
{
	if (!x)
		return;
	htab_release(&x->mappings);
	htab_release(&x->functions);
	htab_release(&x->locations);
	htab_release(&x->stacks);
	htab_release(&x->labelsets);
	htab_release(&x->samples);
	buf_release(&x->clean);
	vec_release(&x->labels);
	free(x);
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	index_free(p->index);
	strtab_free(p->strings);
	vec_release(&p->sample_types);
	vec_release(&p->comments);
	vec_release(&p->mappings);
	vec_release(&p->functions);
	vec_release(&p->locations);
	vec_release(&p->lines);
	vec_release(&p->stacks);
	vec_release(&p->frames);
	vec_release(&p->labels);
	vec_release(&p->labelsets);
	vec_release(&p->samples);
	vec_release(&p->values);
	spans_release(&p->covered);
	free(p);
}

int profile_add_sample_type(struct profile *p, const char *type, const char *unit)
{
	struct profile_value_type vt;
	int err;

	if (p->samples.len)
		return -EINVAL;
	err = profile_string(p, type, &vt.type);
	err = err ?: profile_string(p, unit, &vt.unit);
	return err ?: vec_push(&p->sample_types, vt);
}

int profile_init_cpu(struct profile *p, uint64_t period_ns)
{
	int err = profile_add_sample_type(p, "samples", "count");

	err = err ?: profile_add_sample_type(p, "cpu", "nanoseconds");
	if (err)
		return err;
	p->period_type = p->sample_types.data[1];
	p->default_sample_type = p->sample_types.data[1].type;
	p->period = (int64_t)period_ns;
	return 0;
}

int profile_string(struct profile *p, const char *s, uint32_t *id)
{
	return profile_string_n(p, s, strlen(s), id);
}

/* In names from kallsyms a tab is between a function and its module. It becomes a space. */
static void add_clean(struct buf *b, const char *s, size_t len)
{
	while (len) {
		const char *tab = memchr(s, '\t', len);
		size_t n = tab ? (size_t)(tab - s) : len;

		text_add_clean(b, s, n);
		if (!tab)
			return;
		buf_char(b, ' ');
		s += n + 1;
		len -= n + 1;
	}
}

int profile_string_n(struct profile *p, const char *s, size_t len, uint32_t *id)
{
	struct buf *clean = &p->index->clean;

	if (text_is_clean(s, len))
		return strtab_add_n(p->strings, s, len, id);
	buf_clear(clean);
	add_clean(clean, s, len);
	if (clean->err)
		return clean->err;
	return strtab_add_n(p->strings, clean->data, clean->len, id);
}

/* Ids have 32 bits, and the two highest are reserved (HTAB_NONE, id + 1). */
static bool is_full(size_t len)
{
	return len >= UINT32_MAX - 1;
}

static bool is_string(const struct profile *p, uint32_t id)
{
	return id < strtab_count(p->strings);
}

/*
 * Looks the wanted contents up in a table, or indexes a new id. -ENOMEM; 0: found, *id is set; 1:
 * *id is new, and the caller must append it now (its room must exist already).
 */
static int find_or_index(struct htab *t, uint64_t hash, htab_eq_fn eq, const void *ctx,
			 size_t n_existing, uint32_t *id)
{
	uint32_t found = htab_find(t, hash, eq, ctx);
	int err;

	if (found != HTAB_NONE) {
		*id = found;
		return 0;
	}
	if (is_full(n_existing))
		return -ENOMEM;
	err = htab_insert(t, hash, (uint32_t)n_existing);
	if (err)
		return err;
	*id = (uint32_t)n_existing;
	return 1;
}

struct mapping_needle {
	const struct profile *p;
	const struct profile_mapping *m;
};

static bool same_range(const struct profile_mapping *a, const struct profile_mapping *b)
{
	return a->start == b->start && a->limit == b->limit && a->offset == b->offset &&
	       a->file == b->file && a->build_id == b->build_id;
}

static bool mapping_eq(const void *ctx, uint32_t id)
{
	const struct mapping_needle *n = ctx;
	const struct profile_mapping *a = &n->p->mappings.data[id], *b = n->m;

	return same_range(a, b) && a->has_functions == b->has_functions &&
	       a->has_filenames == b->has_filenames && a->has_line_numbers == b->has_line_numbers &&
	       a->has_inline_frames == b->has_inline_frames;
}

static bool mapping_range_eq(const void *ctx, uint32_t id)
{
	const struct mapping_needle *n = ctx;

	return same_range(&n->p->mappings.data[id], n->m);
}

static int add_mapping(struct profile *p, const struct profile_mapping *m, htab_eq_fn eq,
		       uint32_t *id)
{
	struct mapping_needle n = {p, m};
	uint64_t h = hash_mix(p->index->seed, m->start);
	int r;

	if (!is_string(p, m->file) || !is_string(p, m->build_id))
		return -EINVAL;
	if (vec_reserve(&p->mappings, p->mappings.len + 1))
		return -ENOMEM;
	/* Without the flags, which may be set in place when a window is symbolized. */
	h = hash_mix(hash_mix(h, m->limit), m->offset);
	h = hash_mix(h, (uint64_t)m->file << 32 | m->build_id);
	r = find_or_index(&p->index->mappings, h, eq, &n, p->mappings.len, id);
	if (r == 1)
		p->mappings.data[p->mappings.len++] = *m;
	return r < 0 ? r : 0;
}

int profile_mapping(struct profile *p, const struct profile_mapping *m, uint32_t *id)
{
	return add_mapping(p, m, mapping_eq, id);
}

int profile_mapping_joined(struct profile *p, const struct profile_mapping *m, uint32_t *id)
{
	int err = add_mapping(p, m, mapping_range_eq, id);
	struct profile_mapping *have;

	if (err)
		return err;
	have = &p->mappings.data[*id];
	have->has_functions |= m->has_functions;
	have->has_filenames |= m->has_filenames;
	have->has_line_numbers |= m->has_line_numbers;
	have->has_inline_frames |= m->has_inline_frames;
	return 0;
}

struct function_needle {
	const struct profile *p;
	const struct profile_function *f;
};

static bool function_eq(const void *ctx, uint32_t id)
{
	const struct function_needle *n = ctx;
	const struct profile_function *a = &n->p->functions.data[id], *b = n->f;

	return a->name == b->name && a->system_name == b->system_name && a->file == b->file &&
	       a->start_line == b->start_line;
}

int profile_function(struct profile *p, const struct profile_function *f, uint32_t *id)
{
	struct function_needle n = {p, f};
	uint64_t h = hash_mix(p->index->seed, (uint64_t)f->name << 32 | f->system_name);
	int r;

	if (!is_string(p, f->name) || !is_string(p, f->system_name) || !is_string(p, f->file))
		return -EINVAL;
	if (vec_reserve(&p->functions, p->functions.len + 1))
		return -ENOMEM;
	h = hash_mix(hash_mix(h, f->file), (uint64_t)f->start_line);
	r = find_or_index(&p->index->functions, h, function_eq, &n, p->functions.len, id);
	if (r == 1)
		p->functions.data[p->functions.len++] = *f;
	return r < 0 ? r : 0;
}

int profile_named_function(struct profile *p, const char *name, const char *system_name,
			   const char *file, int64_t start_line, uint32_t *id)
{
	struct profile_function f = {.start_line = start_line};

	return profile_string(p, name, &f.name) ?:
	       profile_string(p, system_name ? system_name : name, &f.system_name) ?:
	       profile_string(p, file ? file : "", &f.file) ?:
	       profile_function(p, &f, id);
}

struct location_needle {
	const struct profile *p;
	uint32_t mapping;
	uint64_t address;
	const struct profile_line *lines;
	size_t n_lines;
};

static bool location_eq(const void *ctx, uint32_t id)
{
	const struct location_needle *n = ctx;
	const struct profile_location *l = &n->p->locations.data[id];

	if (l->mapping != n->mapping || l->address != n->address || l->n_lines != n->n_lines)
		return false;
	for (size_t i = 0; i < n->n_lines; i++) {
		const struct profile_line *have = &n->p->lines.data[l->first_line + i];

		if (have->function != n->lines[i].function || have->line != n->lines[i].line)
			return false;
	}
	return true;
}

int profile_location(struct profile *p, uint32_t mapping, uint64_t address,
		     const struct profile_line *lines, size_t n_lines, uint32_t *id)
{
	struct location_needle n = {p, mapping, address, lines, n_lines};
	uint64_t h = hash_mix(hash_mix(p->index->seed, mapping), address);
	int r;

	if (mapping != PROFILE_NONE && mapping >= p->mappings.len)
		return -EINVAL;
	for (size_t i = 0; i < n_lines; i++) {
		if (lines[i].function >= p->functions.len)
			return -EINVAL;
		h = hash_mix(hash_mix(h, lines[i].function), (uint64_t)lines[i].line);
	}
	if (is_full(p->lines.len + n_lines) || vec_reserve(&p->lines, p->lines.len + n_lines) ||
	    vec_reserve(&p->locations, p->locations.len + 1))
		return -ENOMEM;
	r = find_or_index(&p->index->locations, h, location_eq, &n, p->locations.len, id);
	if (r != 1)
		return r;
	p->locations.data[p->locations.len++] = (struct profile_location){
		.mapping = mapping,
		.address = address,
		.first_line = (uint32_t)p->lines.len,
		.n_lines = (uint32_t)n_lines,
	};
	for (size_t i = 0; i < n_lines; i++)
		p->lines.data[p->lines.len++] = lines[i];
	return 0;
}

int profile_rename_location(struct profile *p, uint32_t location, const struct profile_line *lines,
			    size_t n_lines)
{
	if (location >= p->locations.len)
		return -EINVAL;
	for (size_t i = 0; i < n_lines; i++)
		if (lines[i].function >= p->functions.len)
			return -EINVAL;
	if (is_full(p->lines.len + n_lines) || vec_reserve(&p->lines, p->lines.len + n_lines))
		return -ENOMEM;
	p->locations.data[location].first_line = (uint32_t)p->lines.len;
	p->locations.data[location].n_lines = (uint32_t)n_lines;
	for (size_t i = 0; i < n_lines; i++)
		p->lines.data[p->lines.len++] = lines[i];
	return 0;
}

struct stack_needle {
	const struct profile *p;
	const uint32_t *locations;
	size_t n;
};

static bool stack_eq(const void *ctx, uint32_t id)
{
	const struct stack_needle *n = ctx;
	const struct profile_stack *s = &n->p->stacks.data[id];

	return s->len == n->n && (!n->n || !memcmp(n->p->frames.data + s->first, n->locations,
						   n->n * sizeof(uint32_t)));
}

int profile_stack(struct profile *p, const uint32_t *locations, size_t n, uint32_t *id)
{
	struct stack_needle needle = {p, locations, n};
	int r;

	for (size_t i = 0; i < n; i++)
		if (locations[i] >= p->locations.len)
			return -EINVAL;
	if (is_full(p->frames.len + n) || vec_reserve(&p->frames, p->frames.len + n) ||
	    vec_reserve(&p->stacks, p->stacks.len + 1))
		return -ENOMEM;
	r = find_or_index(&p->index->stacks,
			  hash_bytes(locations, n * sizeof(uint32_t), p->index->seed), stack_eq,
			  &needle, p->stacks.len, id);
	if (r != 1)
		return r;
	p->stacks.data[p->stacks.len++] =
		(struct profile_stack){(uint32_t)p->frames.len, (uint32_t)n};
	for (size_t i = 0; i < n; i++)
		p->frames.data[p->frames.len++] = locations[i];
	return 0;
}

static int compare_ints(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_texts(const struct profile *p, uint32_t a, uint32_t b)
{
	return a == b ? 0 : strcmp(profile_text(p, a), profile_text(p, b));
}

/* Order: key text, strings before numbers, value. */
static int label_cmp(const void *va, const void *vb, void *ctx)
{
	const struct profile_label *a = va, *b = vb;
	const struct profile *p = ctx;
	bool a_is_num = a->str == PROFILE_NONE, b_is_num = b->str == PROFILE_NONE;

	if (a->key != b->key)
		return compare_texts(p, a->key, b->key);
	if (a_is_num != b_is_num)
		return a_is_num - b_is_num;
	if (!a_is_num)
		return compare_texts(p, a->str, b->str);
	if (a->num != b->num)
		return compare_ints(a->num, b->num);
	return compare_texts(p, a->num_unit, b->num_unit);
}

struct labelset_needle {
	const struct profile *p;
	const struct profile_label *labels;
	size_t n;
};

static bool labelset_eq(const void *ctx, uint32_t id)
{
	const struct labelset_needle *n = ctx;
	const struct profile_labelset *s = &n->p->labelsets.data[id];

	if (s->len != n->n)
		return false;
	for (size_t i = 0; i < n->n; i++) {
		const struct profile_label *have = &n->p->labels.data[s->first + i];
		const struct profile_label *want = &n->labels[i];

		if (have->key != want->key || have->str != want->str || have->num != want->num ||
		    have->num_unit != want->num_unit)
			return false;
	}
	return true;
}

/* Collects the wanted labels in the index's scratch space: checked, sorted, without empty ones. */
static int sort_labels(struct profile *p, const struct profile_label *labels, size_t n)
{
	struct profile_index *x = p->index;

	if (vec_reserve(&x->labels, n))
		return -ENOMEM;
	x->labels.len = 0;
	for (size_t i = 0; i < n; i++) {
		struct profile_label l = labels[i];

		if (l.str != PROFILE_NONE) {
			l.num = 0;
			l.num_unit = 0;
		}
		if (!is_string(p, l.key) || !is_string(p, l.num_unit) ||
		    (l.str != PROFILE_NONE && !is_string(p, l.str)))
			return -EINVAL;
		if (l.str != 0)
			x->labels.data[x->labels.len++] = l;
	}
	if (x->labels.len > 1)
		qsort_r(x->labels.data, x->labels.len, sizeof(*x->labels.data), label_cmp, p);
	return 0;
}

int profile_labelset(struct profile *p, const struct profile_label *labels, size_t n, uint32_t *id)
{
	struct profile_index *x = p->index;
	struct labelset_needle needle;
	uint64_t h = x->seed;
	int r = sort_labels(p, labels, n);

	if (r)
		return r;
	n = x->labels.len;
	needle = (struct labelset_needle){p, x->labels.data, n};
	for (size_t i = 0; i < n; i++) {
		const struct profile_label *l = &x->labels.data[i];

		h = hash_mix(h, (uint64_t)l->key << 32 | l->str);
		h = hash_mix(hash_mix(h, (uint64_t)l->num), l->num_unit);
	}
	if (is_full(p->labels.len + n) || vec_reserve(&p->labels, p->labels.len + n) ||
	    vec_reserve(&p->labelsets, p->labelsets.len + 1))
		return -ENOMEM;
	r = find_or_index(&x->labelsets, h, labelset_eq, &needle, p->labelsets.len, id);
	if (r != 1)
		return r;
	p->labelsets.data[p->labelsets.len++] =
		(struct profile_labelset){(uint32_t)p->labels.len, (uint32_t)n};
	for (size_t i = 0; i < n; i++)
		p->labels.data[p->labels.len++] = x->labels.data[i];
	return 0;
}

struct sample_needle {
	const struct profile *p;
	uint32_t stack, labelset;
};

static bool sample_eq(const void *ctx, uint32_t id)
{
	const struct sample_needle *n = ctx;
	const struct profile_sample *s = &n->p->samples.data[id];

	return s->stack == n->stack && s->labelset == n->labelset;
}

static bool all_zero(const int64_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (values[i])
			return false;
	return true;
}

int profile_add(struct profile *p, uint32_t stack, uint32_t labelset, const int64_t *values)
{
	struct sample_needle needle = {p, stack, labelset};
	uint64_t h = hash_mix(p->index->seed, (uint64_t)stack << 32 | labelset);
	size_t n = p->sample_types.len, first;
	uint32_t id = 0;
	int r;

	if (stack >= p->stacks.len || labelset >= p->labelsets.len || !n)
		return -EINVAL;
	if (all_zero(values, n))
		return 0;
	if (is_full(p->values.len + n) || vec_reserve(&p->values, p->values.len + n) ||
	    vec_reserve(&p->samples, p->samples.len + 1))
		return -ENOMEM;
	r = find_or_index(&p->index->samples, h, sample_eq, &needle, p->samples.len, &id);
	if (r < 0)
		return r;
	if (r == 1) {
		first = p->values.len;
		p->samples.data[p->samples.len++] =
			(struct profile_sample){stack, labelset, (uint32_t)first};
		memcpy(p->values.data + first, values, n * sizeof(*values));
		p->values.len += n;
		return 0;
	}
	first = p->samples.data[id].first_value;
	for (size_t i = 0; i < n; i++)
		p->values.data[first + i] = saturating_sum(p->values.data[first + i], values[i]);
	return 0;
}

void profile_clear_samples(struct profile *p)
{
	htab_clear(&p->index->samples);
	p->samples.len = p->values.len = 0;
}

int profile_comment(struct profile *p, const char *text)
{
	uint32_t id;
	int err = profile_string(p, text, &id);

	return err ?: vec_push(&p->comments, id);
}

int profile_commentf(struct profile *p, const char *fmt, ...)
{
	struct buf b = {0};
	const char *text;
	va_list ap;
	int err;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	text = buf_cstr(&b);
	err = b.err ?: profile_comment(p, text);
	buf_release(&b);
	return err;
}
