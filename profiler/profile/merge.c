// SPDX-License-Identifier: GPL-2.0-or-later
/* Copies samples from one profile into another: merging, filtering and folding. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

/* Weights below `light` lose detail: stacks keep `depth` callers, or locations lose their lines. */
struct folding {
	int64_t *weights, light; /* of stacks or of locations */
	bool callers;
	uint32_t depth, mark; /* mark: the location in dst that replaces cut frames */
};

/*
 * Translates ids of src to ids of dst. Each table maps an id of src to one of dst, PROFILE_NONE
 * until it is needed. So only what a copied sample refers to is copied.
 */
struct copier {
	struct profile *dst;
	const struct profile *src;
	uint32_t *strings, *mappings, *functions, *locations, *stacks, *labelsets;
	uint32_t left_out;		  /* label key of src that is not copied, or PROFILE_NONE */
	struct folding *fold;		  /* NULL: nothing is folded */
	VEC(struct profile_line) lines;	  /* scratch */
	VEC(uint32_t) frames;		  /* scratch */
	VEC(struct profile_label) labels; /* scratch */
};

static uint32_t *new_table(size_t n)
{
	uint32_t *t = malloc((n + 1) * sizeof(*t));

	if (t)
		memset(t, 0xff, (n + 1) * sizeof(*t)); /* PROFILE_NONE */
	return t;
}

static int copier_init(struct copier *c, struct profile *dst, const struct profile *src)
{
	*c = (struct copier){
		.dst = dst,
		.src = src,
		.left_out = PROFILE_NONE,
		.strings = new_table(strtab_count(src->strings)),
		.mappings = new_table(src->mappings.len),
		.functions = new_table(src->functions.len),
		.locations = new_table(src->locations.len),
		.stacks = new_table(src->stacks.len),
		.labelsets = new_table(src->labelsets.len),
	};
	return c->strings && c->mappings && c->functions && c->locations && c->stacks &&
			       c->labelsets
		       ? 0
		       : -ENOMEM;
}

static void copier_release(struct copier *c)
{
	free(c->strings);
	free(c->mappings);
	free(c->functions);
	free(c->locations);
	free(c->stacks);
	free(c->labelsets);
	vec_release(&c->lines);
	vec_release(&c->frames);
	vec_release(&c->labels);
}

static int copy_string(struct copier *c, uint32_t id, uint32_t *out)
{
	uint32_t *known = &c->strings[id];
	int err = 0;

	if (*known == PROFILE_NONE)
		err = strtab_add(c->dst->strings, profile_text(c->src, id), known);
	*out = *known;
	return err;
}

static int copy_value_type(struct copier *c, struct profile_value_type t,
			   struct profile_value_type *out)
{
	int err = copy_string(c, t.type, &out->type);

	return err ?: copy_string(c, t.unit, &out->unit);
}

static int copy_mapping(struct copier *c, uint32_t id, uint32_t *out)
{
	uint32_t *known;
	struct profile_mapping m;
	int err = 0;

	*out = id;
	if (id == PROFILE_NONE)
		return 0;
	known = &c->mappings[id];
	if (*known == PROFILE_NONE) {
		m = c->src->mappings.data[id];
		err = copy_string(c, m.file, &m.file);
		err = err ?: copy_string(c, m.build_id, &m.build_id);
		err = err ?: profile_mapping_joined(c->dst, &m, known);
	}
	*out = *known;
	return err;
}

static int copy_function(struct copier *c, uint32_t id, uint32_t *out)
{
	uint32_t *known = &c->functions[id];
	struct profile_function f;
	int err = 0;

	if (*known == PROFILE_NONE) {
		f = c->src->functions.data[id];
		err = copy_string(c, f.name, &f.name);
		err = err ?: copy_string(c, f.system_name, &f.system_name);
		err = err ?: copy_string(c, f.file, &f.file);
		err = err ?: profile_function(c->dst, &f, known);
	}
	*out = *known;
	return err;
}

/* Whether it says more than which functions it is in. */
static bool has_lines(const struct profile *p, const struct profile_location *l)
{
	bool numbered = l->n_lines && l->address;

	for (uint32_t i = 0; i < l->n_lines && !numbered; i++)
		numbered = p->lines.data[l->first_line + i].line != 0;
	return numbered;
}

static bool loses_lines(const struct copier *c, const struct profile_location *l)
{
	size_t id = (size_t)(l - c->src->locations.data);

	return c->fold && !c->fold->callers && c->fold->weights[id] < c->fold->light &&
	       has_lines(c->src, l);
}

static bool loses_callers(const struct copier *c, uint32_t stack)
{
	return c->fold && c->fold->callers && c->fold->weights[stack] < c->fold->light &&
	       c->src->stacks.data[stack].len > c->fold->depth + 1;
}

static int add_location(struct copier *c, const struct profile_location *l, uint32_t *id)
{
	bool folded = loses_lines(c, l);
	uint32_t mapping;
	int err = copy_mapping(c, l->mapping, &mapping);

	if (err || vec_reserve(&c->lines, l->n_lines))
		return err ?: -ENOMEM;
	for (uint32_t i = 0; !err && i < l->n_lines; i++) {
		c->lines.data[i] = c->src->lines.data[l->first_line + i];
		if (folded)
			c->lines.data[i].line = 0;
		err = copy_function(c, c->lines.data[i].function, &c->lines.data[i].function);
	}
	err = err
		      ?: profile_location(c->dst, mapping, folded ? 0 : l->address, c->lines.data,
					  l->n_lines, id);
	if (!err)
		c->dst->locations.data[*id].is_folded |= l->is_folded;
	return err;
}

static int copy_stack(struct copier *c, uint32_t id, uint32_t *out)
{
	const struct profile_stack *s = &c->src->stacks.data[id];
	uint32_t *known = &c->stacks[id], len = loses_callers(c, id) ? c->fold->depth : s->len;
	int err = 0;

	if (*known == PROFILE_NONE && vec_reserve(&c->frames, len + 1ul))
		return -ENOMEM;
	for (uint32_t i = 0; *known == PROFILE_NONE && !err && i < len; i++) {
		uint32_t l = c->src->frames.data[s->first + i], *location = &c->locations[l];

		if (*location == PROFILE_NONE)
			err = add_location(c, &c->src->locations.data[l], location);
		c->frames.data[i] = *location;
	}
	if (*known == PROFILE_NONE && len < s->len)
		c->frames.data[len++] = c->fold->mark;
	if (!err && *known == PROFILE_NONE)
		err = profile_stack(c->dst, c->frames.data, len, known);
	*out = *known;
	return err;
}

static int copy_label(struct copier *c, struct profile_label *l)
{
	int err = copy_string(c, l->key, &l->key);

	if (l->str != PROFILE_NONE)
		err = err ?: copy_string(c, l->str, &l->str);
	return err ?: copy_string(c, l->num_unit, &l->num_unit);
}

static int copy_labelset(struct copier *c, uint32_t id, uint32_t *out)
{
	const struct profile_labelset *s = &c->src->labelsets.data[id];
	uint32_t *known = &c->labelsets[id];
	int err = 0;

	if (*known == PROFILE_NONE) {
		if (vec_reserve(&c->labels, s->len))
			return -ENOMEM;
		c->labels.len = 0;
		for (uint32_t i = 0; !err && i < s->len; i++) {
			struct profile_label l = c->src->labels.data[s->first + i];

			if (l.key == c->left_out)
				continue;
			err = copy_label(c, &l);
			c->labels.data[c->labels.len++] = l;
		}
		err = err ?: profile_labelset(c->dst, c->labels.data, c->labels.len, known);
	}
	*out = *known;
	return err;
}

static int copy_sample(struct copier *c, size_t i)
{
	const struct profile_sample *s = &c->src->samples.data[i];
	uint32_t stack, labelset;
	int err = copy_stack(c, s->stack, &stack);

	err = err ?: copy_labelset(c, s->labelset, &labelset);
	return err ?: profile_add(c->dst, stack, labelset, c->src->values.data + s->first_value);
}

/* Copies the header into a profile that has no sample types yet. */
static int copy_header(struct copier *c)
{
	struct profile *dst = c->dst;
	const struct profile *src = c->src;
	int err = copy_value_type(c, src->period_type, &dst->period_type);

	for (size_t i = 0; !err && i < src->sample_types.len; i++) {
		struct profile_value_type t;

		err = copy_value_type(c, src->sample_types.data[i], &t);
		err = err ?: vec_push(&dst->sample_types, t);
	}
	dst->period = src->period;
	dst->time_ns = src->time_ns;
	dst->duration_ns = src->duration_ns;
	err = err ?: spans_add_all(&dst->covered, &src->covered);
	err = err ?: copy_string(c, src->default_sample_type, &dst->default_sample_type);
	err = err ?: copy_string(c, src->drop_frames, &dst->drop_frames);
	err = err ?: copy_string(c, src->keep_frames, &dst->keep_frames);
	return err ?: copy_string(c, src->doc_url, &dst->doc_url);
}

/* Copies each text once. */
static int copy_comments(struct copier *c)
{
	struct profile *dst = c->dst;
	size_t max_strings = strtab_count(dst->strings) + c->src->comments.len;
	_cleanup_free_ bool *have = calloc(max_strings, sizeof(*have));
	int err = have ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < dst->comments.len; i++)
		have[dst->comments.data[i]] = true;
	for (size_t i = 0; !err && i < c->src->comments.len; i++) {
		uint32_t id;

		err = copy_string(c, c->src->comments.data[i], &id);
		if (err || have[id])
			continue;
		have[id] = true;
		err = vec_push(&dst->comments, id);
	}
	return err;
}

/*
 * Adds the times that a profile covers: those it was merged from, unless its times were set since.
 */
static int add_times(struct spans *to, const struct profile *p)
{
	if (p->covered.v.len && spans_total(&p->covered) == p->duration_ns &&
	    p->covered.v.data[0].begin_ns == p->time_ns)
		return spans_add_all(to, &p->covered);
	return spans_add(to, p->time_ns, p->duration_ns);
}

/* Consecutive windows leave out gaps. Windows of the same time count once. */
static int merge_times(struct profile *dst, const struct profile *src)
{
	struct spans both = {0};
	int err = add_times(&both, dst) ?: add_times(&both, src);

	if (err) {
		spans_release(&both);
		return err;
	}
	if (src->time_ns && (!dst->time_ns || src->time_ns < dst->time_ns))
		dst->time_ns = src->time_ns;
	dst->duration_ns = spans_total(&both);
	spans_release(&dst->covered);
	dst->covered = both;
	if (src->period > dst->period)
		dst->period =
			src->period; /* only a hint: values are not sampled, as in google/pprof */
	return 0;
}

static bool same_type(const struct profile *a, struct profile_value_type x, const struct profile *b,
		      struct profile_value_type y)
{
	return !strcmp(profile_text(a, x.type), profile_text(b, y.type)) &&
	       !strcmp(profile_text(a, x.unit), profile_text(b, y.unit));
}

static int check_types(const struct profile *a, const struct profile *b, const char **why)
{
	*why = "the profiles have different sample types";
	if (a->sample_types.len != b->sample_types.len)
		return -EINVAL;
	for (size_t i = 0; i < a->sample_types.len; i++)
		if (!same_type(a, a->sample_types.data[i], b, b->sample_types.data[i]))
			return -EINVAL;
	if (same_type(a, a->period_type, b, b->period_type))
		return 0;
	*why = "the profiles were sampled by different events";
	return -EINVAL;
}

static int merge_all(struct copier *c)
{
	int err = 0;

	if (!c->dst->sample_types.len && !c->dst->samples.len)
		err = copy_header(c);
	else
		err = merge_times(c->dst, c->src);
	for (size_t i = 0; !err && i < c->src->samples.len; i++)
		err = copy_sample(c, i);
	return err;
}

/* `sum` is dst's quality so far. Without counters in src, dst's comments are right already. */
static int merge_quality(struct profile *dst, struct quality *sum, const struct profile *src)
{
	struct quality more = {0};
	int err = quality_load(&more, src);

	if (err == -ENODATA)
		return 0;
	err = err ?: quality_merge(sum, &more);
	err = err ?: quality_store(dst, sum);
	quality_release(&more);
	return err;
}

int profile_merge(struct profile *dst, const struct profile *src, const char **why)
{
	struct quality sum = {0};
	struct copier c;
	int err;

	if (dst->sample_types.len || dst->samples.len) {
		err = check_types(dst, src, why);
		if (err)
			return err;
	}
	*why = "out of memory";
	err = quality_load(&sum, dst);
	if (err && err != -ENODATA)
		return err;
	err = copier_init(&c, dst, src);
	err = err ?: merge_all(&c);
	err = err ?: copy_comments(&c); /* includes src's counters, until the sum replaces them */
	err = err ?: merge_quality(dst, &sum, src);
	copier_release(&c);
	quality_release(&sum);
	return err;
}

DEFINE_CLEANUP(profile, profile_free)

static int copy_all(struct copier *c)
{
	int err = 0;

	for (size_t i = 0; i < c->src->samples.len && !err; i++)
		err = copy_sample(c, i);
	return err;
}

/* Weights of stacks or locations, in samples of the first type. */
static int weigh(struct folding *f, const struct profile *src)
{
	f->weights = calloc((f->callers ? src->stacks.len : src->locations.len) + 1,
			    sizeof(*f->weights));
	if (!f->weights)
		return -ENOMEM;
	for (size_t i = 0; i < src->samples.len; i++) {
		const struct profile_sample *s = &src->samples.data[i];
		const struct profile_stack *stack = &src->stacks.data[s->stack];
		int64_t value = src->values.data[s->first_value];

		if (f->callers)
			f->weights[s->stack] = saturating_sum(f->weights[s->stack], value);
		for (uint32_t j = 0; j < stack->len && !f->callers; j++) {
			int64_t *w = &f->weights[src->frames.data[stack->first + j]];

			*w = saturating_sum(*w, value);
		}
	}
	return 0;
}

static bool is_folded_stack(const struct copier *c, uint32_t stack)
{
	const struct profile_stack *s = &c->src->stacks.data[stack];
	uint32_t leaf = s->len ? c->src->frames.data[s->first] : 0;

	return c->fold->callers ? loses_callers(c, stack)
				: s->len && loses_lines(c, &c->src->locations.data[leaf]);
}

static uint64_t weight_folded(const struct copier *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->src->samples.len; i++) {
		const struct profile_sample *s = &c->src->samples.data[i];

		if (is_folded_stack(c, s->stack))
			sum += (uint64_t)c->src->values.data[s->first_value];
	}
	return sum;
}

int64_t profile_weight(const struct profile *p)
{
	int64_t sum = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		sum = saturating_sum(sum, p->values.data[p->samples.data[i].first_value]);
	return sum;
}

int profile_fold(struct profile **out, const struct profile *src, const struct profile_fold *fold,
		 uint64_t *n_folded)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct folding f = {
		.callers = fold->how == FOLD_CALLERS, .depth = fold->depth, .light = fold->rare};
	struct copier c;
	int err;

	if (!p)
		return -ENOMEM;
	err = copier_init(&c, p, src);
	c.fold = &f;
	err = err ?: weigh(&f, src) ?: copy_header(&c) ?: copy_comments(&c);
	if (!err && f.callers)
		err = profile_plain_location(p, MAPPING_KILN, FRAME_FOLDED, &f.mark);
	err = err ?: copy_all(&c);
	if (!err) {
		*n_folded = weight_folded(&c);
		*out = steal_ptr(p);
	}
	copier_release(&c);
	free(f.weights);
	return err;
}

static bool keep_all(void *ctx, const struct profile *src, size_t sample)
{
	(void)ctx, (void)src, (void)sample;
	return true;
}

/* left_out: see struct copier. */
static int copy_some(struct profile **out, const struct profile *src, uint32_t left_out,
		     bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct copier c;
	int err;

	if (!p)
		return -ENOMEM;
	err = copier_init(&c, p, src);
	c.left_out = left_out;
	err = err ?: copy_header(&c);
	err = err ?: copy_comments(&c);
	for (size_t i = 0; !err && i < src->samples.len; i++)
		if (keep(ctx, src, i))
			err = copy_sample(&c, i);
	copier_release(&c);
	if (!err)
		*out = steal_ptr(p);
	return err;
}

int profile_filter(struct profile **out, const struct profile *src,
		   bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx)
{
	return copy_some(out, src, PROFILE_NONE, keep, ctx);
}

int profile_without_label(struct profile **out, const struct profile *src, const char *key)
{
	return copy_some(out, src, strtab_lookup(src->strings, key), keep_all, NULL);
}
