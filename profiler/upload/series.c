// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/formats/export.h"
#include "profiler/profile/copy.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/series_priv.h"

DEFINE_CLEANUP(profile, profile_free)

#define MAX_NUMBERS	8 /* numeric labels that stay */
#define KIND_UNKNOWN	0xff
#define UNRESOLVED_SIZE 256

struct split {
	const struct profile *p;
	const struct series_opts *o;
	struct copy copy;
	uint8_t *kinds; /* of frames, by mapping; KIND_UNKNOWN: not asked yet */
	uint32_t numbers[MAX_NUMBERS];
	size_t n_numbers;
	size_t *order; /* indices of samples, those of a group side by side */
	size_t *first; /* of each group, in order; and the end */
};

/* --- what changes on the way ---------------------------------------------------------------------- */

static bool keeps_label(void *ctx, const struct copy *c, const struct profile_label *l)
{
	const struct split *s = ctx;

	(void)c;
	for (size_t i = 0; i < s->n_numbers; i++)
		if (l->str == PROFILE_NONE && l->key == s->numbers[i])
			return true;
	return false;
}

static uint32_t depth(void *ctx, const struct copy *c, uint32_t stack)
{
	const struct split *s = ctx;
	uint32_t len = c->src->stacks.data[stack].len;

	return s->o->max_depth && len > s->o->max_depth ? (uint32_t)s->o->max_depth - 1 : len;
}

static int mark(void *ctx, struct copy *c, uint32_t *location)
{
	(void)ctx;
	return profile_plain_location(c->dst, MAPPING_KILN, FRAME_TRUNCATED, location);
}

static enum frame_kind kind_of(const struct split *s, uint32_t location)
{
	uint32_t mapping = s->p->locations.data[location].mapping;

	if (mapping == PROFILE_NONE)
		return FRAME_UNKNOWN;
	if (s->kinds[mapping] == KIND_UNKNOWN)
		s->kinds[mapping] = (uint8_t)profile_frame_kind(s->p, location);
	return s->kinds[mapping];
}

/* Whether who gets it can name it. */
static bool is_nameless(const struct split *s, uint32_t location)
{
	const struct profile_location *l = &s->p->locations.data[location];

	return s->o->without_names && l->address && kind_of(s, location) == FRAME_NATIVE &&
	       s->p->mappings.data[l->mapping].build_id;
}

/* Names what has no name, as the page and the reports show it. */
static int name_lines(const struct split *s, struct copy *c, uint32_t location)
{
	char text[UNRESOLVED_SIZE];
	uint32_t function = PROFILE_NONE;
	int err = 0;

	if (!c->lines.len)
		err = vec_push(&c->lines, (struct profile_line){.function = PROFILE_NONE});
	for (size_t i = 0; !err && i < c->lines.len; i++) {
		struct profile_line *line = &c->lines.data[i];

		if (line->function != PROFILE_NONE && c->dst->functions.data[line->function].name)
			continue;
		if (function == PROFILE_NONE)
			err = profile_named_function(
				c->dst, profile_unresolved(s->p, location, text, sizeof(text)),
				NULL, NULL, 0, &function);
		line->function = function;
	}
	return err;
}

/* Stores look at these flags to learn whether they may name a mapping's frames. */
static void set_flags(const struct split *s, struct profile *dst, uint32_t mapping, bool nameless)
{
	struct profile_mapping *m;

	if (mapping == PROFILE_NONE)
		return;
	m = &dst->mappings.data[mapping];
	if (nameless)
		m->has_functions = m->has_filenames = m->has_line_numbers = m->has_inline_frames =
			false;
	else if (s->o->name_all && !s->o->without_names)
		m->has_functions = true;
}

static int location(void *ctx, struct copy *c, uint32_t id, uint32_t *out)
{
	const struct profile_location *l = &c->src->locations.data[id];
	const struct split *s = ctx;
	bool nameless = is_nameless(s, id);
	uint32_t mapping;
	int err = copy_mapping(c, l->mapping, &mapping);

	if (nameless)
		c->lines.len = 0;
	else
		err = err ?: copy_lines(c, id);
	if (!err && !nameless && s->o->name_all)
		err = name_lines(s, c, id);
	if (!err)
		set_flags(s, c->dst, mapping, nameless);
	return err ?: copy_put_location(c, id, mapping, l->address, out);
}

/* --- a profile of some samples -------------------------------------------------------------------- */

static int clean_string(struct profile *p, uint32_t *id)
{
	struct buf b = {0};
	int err;

	if (!*id)
		return 0;
	series_add_name(&b, profile_text(p, *id));
	err = b.err ?: profile_string_n(p, b.data, b.len, id);
	buf_release(&b);
	return err;
}

/* Pyroscope refuses types with "-" in them, Parca also those with ".". */
static int clean_types(struct profile *p)
{
	int err = clean_string(p, &p->period_type.type) ?: clean_string(p, &p->period_type.unit);

	for (size_t i = 0; !err && i < p->sample_types.len; i++)
		err = clean_string(p, &p->sample_types.data[i].type)
			      ?: clean_string(p, &p->sample_types.data[i].unit);
	return err ?: clean_string(p, &p->default_sample_type);
}

static int build(struct split *s, const size_t *samples, size_t n, struct profile **out)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	int err;

	if (!p)
		return -ENOMEM;
	copy_to(&s->copy, p);
	err = copy_header(&s->copy) ?: clean_types(p);
	for (size_t i = 0; !err && i < n; i++)
		err = copy_sample(&s->copy, samples[i]);
	if (!err)
		*out = steal_ptr(p);
	return err;
}

/* At least as many bytes as export_pprof() writes, with tags, lengths and numbers at their longest. */
static size_t most_bytes(const struct profile *p)
{
	size_t sum = 512 + p->mappings.len * 80 + p->functions.len * 40 + p->locations.len * 90 +
		     p->lines.len * 24;

	/* A location without a line may get one, with a function and a string. */
	for (uint32_t i = 0; i < strtab_count(p->strings); i++)
		sum += strlen(profile_text(p, i)) + 6;
	for (size_t i = 0; i < p->locations.len; i++)
		if (!p->locations.data[i].n_lines)
			sum += 64 + UNRESOLVED_SIZE;
	for (size_t i = 0; i < p->samples.len; i++)
		sum += 24 + p->stacks.data[p->samples.data[i].stack].len * 5ul +
		       p->labelsets.data[p->samples.data[i].labelset].len * 40ul;
	return sum + p->values.len * 10;
}

/* 1: it is larger than max_bytes; 0; or -errno. */
static int is_too_large(const struct profile *p, size_t max_bytes)
{
	struct buf b = {0};
	int err;

	if (!max_bytes || most_bytes(p) <= max_bytes)
		return 0;
	err = export_pprof(&b, p);
	if (!err && b.len > max_bytes)
		err = 1;
	buf_release(&b);
	return err;
}

/* --- series -------------------------------------------------------------------------------------- */

static void series_release(struct series *s)
{
	for (size_t i = 0; i < s->labels.len; i++) {
		free(s->labels.data[i].name);
		free(s->labels.data[i].value);
	}
	vec_release(&s->labels);
	profile_free(s->profile);
}

void series_list_release(struct series_list *l)
{
	for (size_t i = 0; i < l->v.len; i++)
		series_release(&l->v.data[i]);
	vec_release(&l->v);
}

/* Adds a series with the same labels as another, and the profile, which becomes the list's. */
static int add_series(struct series_list *out, const struct series *labels, struct profile **p)
{
	struct series s = {0};
	int err = vec_reserve(&s.labels, labels->labels.len);

	for (size_t i = 0; !err && i < labels->labels.len; i++) {
		struct series_label *from = &labels->labels.data[i];
		struct series_label l = {strdup(from->name), strdup(from->value)};

		s.labels.data[s.labels.len++] = l;
		err = l.name && l.value ? 0 : -ENOMEM;
	}
	err = err ?: vec_reserve(&out->v, out->v.len + 1);
	if (err) {
		series_release(&s);
		return err;
	}
	s.profile = steal_ptr(*p);
	out->v.data[out->v.len++] = s;
	return 0;
}

/* A profile of these samples, or of each half of them, until each is small enough. */
static int add_parts(struct split *s, const struct series *labels, const size_t *samples, size_t n,
		     struct series_list *out)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	bool too_many = s->o->max_samples && n > s->o->max_samples;
	int r = too_many ? 1 : build(s, samples, n, &p) ?: is_too_large(p, s->o->max_bytes);

	if (r < 0)
		return r;
	if (r && n == 1)
		return -EFBIG;
	if (!r)
		return p->samples.len ? add_series(out, labels, &p) : 0;
	profile_free(steal_ptr(p));
	return add_parts(s, labels, samples, n / 2, out)
		       ?: add_parts(s, labels, samples + n / 2, n - n / 2, out);
}

/* Counting sort: the samples of each group, in the order they had. */
static int order_samples(struct split *s, const struct series_groups *g)
{
	const struct profile *p = s->p;
	size_t at = 0;

	s->order = calloc(p->samples.len + 1, sizeof(*s->order));
	s->first = calloc(g->n_groups + 2, sizeof(*s->first));
	if (!s->order || !s->first)
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len; i++)
		s->first[g->of[p->samples.data[i].labelset] + 2]++;
	for (size_t i = 2; i < g->n_groups + 2; i++)
		s->first[i] += s->first[i - 1];
	for (at = 0; at < p->samples.len; at++)
		s->order[s->first[g->of[p->samples.data[at].labelset] + 1]++] = at;
	return 0;
}

struct named_group {
	struct series labels; /* without a profile */
	size_t group;
};

static int compare_groups(const void *va, const void *vb)
{
	const struct named_group *a = va, *b = vb;

	return series_compare(&a->labels, &b->labels)
		       ?: (a->group > b->group) - (a->group < b->group);
}

static int add_groups(struct split *s, const struct series_groups *g, struct series_list *out)
{
	struct named_group *named = calloc(g->n_groups + 1, sizeof(*named));
	int err = named ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < g->n_groups; i++) {
		named[i].group = i;
		err = series_groups_labels(g, i, &named[i].labels);
	}
	if (!err)
		qsort(named, g->n_groups, sizeof(*named), compare_groups);
	for (size_t i = 0; !err && i < g->n_groups; i++) {
		size_t first = s->first[named[i].group], end = s->first[named[i].group + 1];

		if (first < end)
			err = add_parts(s, &named[i].labels, s->order + first, end - first, out);
	}
	for (size_t i = 0; named && i < g->n_groups; i++)
		series_release(&named[i].labels);
	free(named);
	return err;
}

static void choose_numbers(struct split *s)
{
	static const char *const both[] = {LABEL_PID, LABEL_TID, NULL};
	const char *const *names = s->o->numbers ?: both;

	for (; *names && s->n_numbers < MAX_NUMBERS; names++)
		s->numbers[s->n_numbers++] = strtab_lookup(s->p->strings, *names);
}

static int split_all(struct split *s, struct series_groups *g, struct series_list *out)
{
	struct copy_rules rules = {
		.ctx = s,
		.depth = depth,
		.mark = mark,
		.location = location,
		.keeps_label = keeps_label,
	};
	int err = copy_init(&s->copy, s->p, &rules);

	choose_numbers(s);
	s->kinds = malloc(s->p->mappings.len + 1);
	if (err || !s->kinds)
		return -ENOMEM;
	memset(s->kinds, KIND_UNKNOWN, s->p->mappings.len + 1);
	return series_groups_init(g, s->p, s->o) ?: order_samples(s, g) ?: add_groups(s, g, out);
}

int series_split(const struct profile *p, const struct series_opts *o, struct series_list *out)
{
	struct series_groups groups = {0};
	struct split s = {.p = p, .o = o};
	struct series_list list = {0};
	int err = split_all(&s, &groups, &list);

	copy_release(&s.copy);
	series_groups_release(&groups);
	free(s.kinds);
	free(s.order);
	free(s.first);
	if (err)
		series_list_release(&list);
	else
		*out = list;
	return err;
}
