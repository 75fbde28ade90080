// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Folded stacks, the lines that flamegraph.pl takes: "comm;main;work 12", root first. Stacks are
 * added up as lists of name ids. Their text, which is many times larger, exists in the output only.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/formats/export.h"

struct folded_line {
	uint32_t first, len; /* in folder.names */
	int64_t value;
};

struct folder {
	const struct profile *p;
	const struct export_opts *opts;
	uint64_t seed;
	struct strtab *texts;
	/* Names that each location adds to a line: text ids, outermost function first. */
	VEC(uint32_t) location_names;
	VEC(uint32_t) first; /* first index of location i in location_names; one more at the end */
	VEC(uint32_t) names; /* of all lines: text ids, later the rank of their text; root first */
	VEC(struct folded_line) lines;
	struct htab index;
	VEC(uint32_t) stack; /* scratch: the line being built */
	struct buf text;     /* scratch: the name being built */
};

static void folder_release(struct folder *f)
{
	strtab_free(f->texts);
	vec_release(&f->location_names);
	vec_release(&f->first);
	vec_release(&f->names);
	vec_release(&f->lines);
	htab_release(&f->index);
	vec_release(&f->stack);
	buf_release(&f->text);
}

static int name_id(struct folder *f, const char *name, const char *suffix, uint32_t *id)
{
	struct buf *b = &f->text;

	buf_clear(b);
	buf_str(b, *name ? name : MAPPING_UNKNOWN);
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] == ';')
			b->data[i] = ':';
	buf_str(b, suffix);
	return b->err ?: strtab_add_n(f->texts, b->data, b->len, id);
}

static const char *suffix_of(enum frame_kind kind, bool inlined)
{
	if (kind == FRAME_KERNEL)
		return "_[k]";
	if (inlined)
		return "_[i]";
	return kind == FRAME_JIT ? "_[j]" : "";
}

static int add_location_name(struct folder *f, const char *name, const char *suffix)
{
	uint32_t id;
	int err = name_id(f, name, f->opts->folded_annotate ? suffix : "", &id);

	return err ?: vec_push(&f->location_names, id);
}

static int name_location(struct folder *f, uint32_t location)
{
	const struct profile *p = f->p;
	const struct profile_location *l = &p->locations.data[location];
	enum frame_kind kind = profile_frame_kind(p, location);
	int err = vec_push(&f->first, (uint32_t)f->location_names.len);
	char text[256];

	if (!l->n_lines)
		return err
			       ?: add_location_name(
					  f, profile_unresolved(p, location, text, sizeof(text)),
					  suffix_of(kind, false));
	for (uint32_t i = l->n_lines; !err && i-- > 0;) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];

		err = add_location_name(f, profile_text(p, p->functions.data[line->function].name),
					suffix_of(kind, i + 1 < l->n_lines));
	}
	return err;
}

static int name_locations(struct folder *f)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < f->p->locations.len; i++)
		err = name_location(f, i);
	return err ?: vec_push(&f->first, (uint32_t)f->location_names.len);
}

static int push_name(struct folder *f, const char *name)
{
	uint32_t id;
	int err = name_id(f, name, "", &id);

	return err ?: vec_push(&f->stack, id);
}

static int build_line(struct folder *f, const struct profile_sample *s)
{
	const struct profile *p = f->p;
	const struct profile_stack *stack = &p->stacks.data[s->stack];
	const struct profile_label *comm = profile_find_label(p, s->labelset, LABEL_COMM);
	bool was_user = false;
	int err = 0;

	f->stack.len = 0;
	if (comm && comm->str != PROFILE_NONE)
		err = push_name(f, profile_text(p, comm->str));
	for (uint32_t i = stack->len; !err && i-- > 0;) {
		uint32_t location = p->frames.data[stack->first + i];

		if (f->opts->folded_delim) {
			bool kernel = profile_frame_kind(p, location) == FRAME_KERNEL;

			err = kernel && was_user ? push_name(f, "-") : 0;
			was_user = !kernel;
		}
		for (uint32_t k = f->first.data[location]; !err && k < f->first.data[location + 1];
		     k++)
			err = vec_push(&f->stack, f->location_names.data[k]);
	}
	if (!err && !f->stack.len)
		err = push_name(f, "");
	return err;
}

static bool line_eq(const void *ctx, uint32_t id)
{
	const struct folder *f = ctx;
	const struct folded_line *l = &f->lines.data[id];

	return l->len == f->stack.len &&
	       !memcmp(f->names.data + l->first, f->stack.data, l->len * sizeof(uint32_t));
}

static int add_line(struct folder *f, int64_t value)
{
	size_t n = f->stack.len;
	uint64_t hash = hash_bytes(f->stack.data, n * sizeof(uint32_t), f->seed);
	uint32_t id = htab_find(&f->index, hash, line_eq, f);

	if (id != HTAB_NONE) {
		f->lines.data[id].value = saturating_sum(f->lines.data[id].value, value);
		return 0;
	}
	if (f->names.len + n > EXPORT_MAX_FRAMES)
		return -EFBIG;
	if (vec_reserve(&f->names, f->names.len + n) || vec_reserve(&f->lines, f->lines.len + 1) ||
	    htab_insert(&f->index, hash, (uint32_t)f->lines.len))
		return -ENOMEM;
	f->lines.data[f->lines.len++] =
		(struct folded_line){(uint32_t)f->names.len, (uint32_t)n, value};
	memcpy(f->names.data + f->names.len, f->stack.data, n * sizeof(uint32_t));
	f->names.len += n;
	return 0;
}

static int compare_texts(const void *va, const void *vb, void *ctx)
{
	return strcmp(strtab_get(ctx, *(const uint32_t *)va),
		      strtab_get(ctx, *(const uint32_t *)vb));
}

static int compare_lines(const void *va, const void *vb, void *ctx)
{
	const struct folded_line *a = va, *b = vb;
	const uint32_t *ranks = ctx;
	uint32_t n = a->len < b->len ? a->len : b->len;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t x = ranks[a->first + i], y = ranks[b->first + i];

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a->len > b->len) - (a->len < b->len);
}

/* Sorts by names, so that equal profiles give equal text and diffs are readable. */
static int put_sorted(struct folder *f, struct buf *out)
{
	const size_t start = out->len;
	uint32_t n = strtab_count(f->texts);
	_cleanup_free_ uint32_t *by_rank = calloc(n, sizeof(*by_rank));
	_cleanup_free_ uint32_t *rank = calloc(n, sizeof(*rank));

	if (!by_rank || !rank)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		by_rank[i] = i;
	qsort_r(by_rank, n, sizeof(*by_rank), compare_texts, f->texts);
	for (uint32_t i = 0; i < n; i++)
		rank[by_rank[i]] = i;
	for (size_t i = 0; i < f->names.len; i++)
		f->names.data[i] = rank[f->names.data[i]];
	if (f->lines.len)
		qsort_r(f->lines.data, f->lines.len, sizeof(*f->lines.data), compare_lines,
			f->names.data);
	for (size_t i = 0; i < f->lines.len; i++) {
		const struct folded_line *l = &f->lines.data[i];

		if (l->value <= 0) /* flamegraph.pl reads no signs */
			continue;
		for (uint32_t k = 0; k < l->len; k++) {
			if (out->len - start > EXPORT_MAX_BYTES)
				return -EFBIG;
			if (k)
				buf_char(out, ';');
			buf_str(out, strtab_get(f->texts, by_rank[f->names.data[l->first + k]]));
		}
		buf_printf(out, " %" PRId64 "\n", l->value);
	}
	return out->err;
}

/* The sample type to print: samples, or time with folded_ns; else the default type. */
static size_t pick_type(const struct profile *p, bool time)
{
	for (size_t i = 0; i < p->sample_types.len; i++)
		if (!strcmp(profile_text(p, p->sample_types.data[i].unit),
			    time ? "nanoseconds" : "count"))
			return i;
	return profile_default_type(p);
}

int export_folded(struct buf *out, const struct profile *p, const struct export_opts *opts)
{
	struct folder f = {.p = p, .opts = opts, .seed = hash_random_seed()};
	size_t type = pick_type(p, opts->folded_ns);
	int err = 0;

	f.texts = strtab_new();
	if (!f.texts)
		return -ENOMEM;
	err = name_locations(&f);
	for (size_t i = 0; !err && i < p->samples.len; i++) {
		err = build_line(&f, &p->samples.data[i]);
		err = err ?: add_line(&f, p->values.data[p->samples.data[i].first_value + type]);
	}
	err = err ?: put_sorted(&f, out);
	folder_release(&f);
	return err;
}
