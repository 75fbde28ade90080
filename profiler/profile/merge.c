// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes profiles of others: merging, filtering and folding. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/copy.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/rates.h"

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

static int merge_all(struct copy *c)
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

/* dst has the comments of both, and the longer period. */
static int merge_rates(struct profile *dst, int64_t period_before, const struct profile *src)
{
	struct rates r;

	rates_load(&r, dst);
	if (!r.least_period_ns)
		return 0; /* not of time, or not known */
	rates_add(&r, period_before, 0, false);
	rates_add(&r, src->period, 0, false);
	r.throttled_ns = 0; /* comments say it, and their times add up */
	return rates_store(dst, &r);
}

int profile_merge(struct profile *dst, const struct profile *src, const char **why)
{
	struct quality sum = {0};
	int64_t period_before = dst->period;
	struct copy c;
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
	err = copy_init(&c, dst, src, NULL);
	err = err ?: merge_all(&c);
	err = err ?: copy_comments(&c); /* includes src's counters, until the sum replaces them */
	err = err ?: merge_rates(dst, period_before, src);
	err = err ?: merge_quality(dst, &sum, src);
	copy_release(&c);
	quality_release(&sum);
	return err;
}

DEFINE_CLEANUP(profile, profile_free)

static int copy_all(struct copy *c)
{
	int err = 0;

	for (size_t i = 0; i < c->src->samples.len && !err; i++)
		err = copy_sample(c, i);
	return err;
}

/* --- folding ------------------------------------------------------------------------------------- */

/* Weights below `light` lose detail: stacks keep `depth` callers, or locations lose their lines. */
struct folding {
	int64_t *weights, light; /* of stacks or of locations */
	bool callers;
	uint32_t depth;
};

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

/* Whether it says more than which functions it is in. */
static bool has_lines(const struct profile *p, const struct profile_location *l)
{
	bool numbered = l->n_lines && l->address;

	for (uint32_t i = 0; i < l->n_lines && !numbered; i++)
		numbered = p->lines.data[l->first_line + i].line != 0;
	return numbered;
}

static bool loses_lines(const struct folding *f, const struct profile *src, uint32_t location)
{
	return !f->callers && f->weights[location] < f->light &&
	       has_lines(src, &src->locations.data[location]);
}

static bool loses_callers(const struct folding *f, const struct profile *src, uint32_t stack)
{
	return f->callers && f->weights[stack] < f->light &&
	       src->stacks.data[stack].len > f->depth + 1;
}

static uint32_t fold_depth(void *ctx, const struct copy *c, uint32_t stack)
{
	const struct folding *f = ctx;

	return loses_callers(f, c->src, stack) ? f->depth : c->src->stacks.data[stack].len;
}

static int fold_mark(void *ctx, struct copy *c, uint32_t *location)
{
	(void)ctx;
	return profile_plain_location(c->dst, MAPPING_KILN, FRAME_FOLDED, location);
}

static int fold_location(void *ctx, struct copy *c, uint32_t id, uint32_t *out)
{
	const struct profile_location *l = &c->src->locations.data[id];
	bool folded = loses_lines(ctx, c->src, id);
	uint32_t mapping;
	int err = copy_mapping(c, l->mapping, &mapping) ?: copy_lines(c, id);

	for (size_t i = 0; !err && folded && i < c->lines.len; i++)
		c->lines.data[i].line = 0;
	return err ?: copy_put_location(c, id, mapping, folded ? 0 : l->address, out);
}

static bool is_folded_stack(const struct folding *f, const struct profile *src, uint32_t stack)
{
	const struct profile_stack *s = &src->stacks.data[stack];

	return f->callers ? loses_callers(f, src, stack)
			  : s->len && loses_lines(f, src, src->frames.data[s->first]);
}

static uint64_t weight_folded(const struct folding *f, const struct profile *src)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < src->samples.len; i++) {
		const struct profile_sample *s = &src->samples.data[i];

		if (is_folded_stack(f, src, s->stack))
			sum += (uint64_t)src->values.data[s->first_value];
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
	struct copy_rules rules = {
		.ctx = &f, .depth = fold_depth, .mark = fold_mark, .location = fold_location};
	struct copy c;
	int err;

	if (!p)
		return -ENOMEM;
	err = copy_init(&c, p, src, &rules);
	err = err ?: weigh(&f, src) ?: copy_header(&c) ?: copy_comments(&c) ?: copy_all(&c);
	if (!err) {
		*n_folded = weight_folded(&f, src);
		*out = steal_ptr(p);
	}
	copy_release(&c);
	free(f.weights);
	return err;
}

/* --- filtering ----------------------------------------------------------------------------------- */

static bool keep_all(void *ctx, const struct profile *src, size_t sample)
{
	(void)ctx, (void)src, (void)sample;
	return true;
}

int profile_copy_some(struct profile **out, const struct profile *src,
		      const struct copy_rules *rules,
		      bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct copy c;
	int err;

	if (!p)
		return -ENOMEM;
	err = copy_init(&c, p, src, rules);
	err = err ?: copy_header(&c);
	err = err ?: copy_comments(&c);
	for (size_t i = 0; !err && i < src->samples.len; i++)
		if (keep(ctx, src, i))
			err = copy_sample(&c, i);
	copy_release(&c);
	if (!err)
		*out = steal_ptr(p);
	return err;
}

int profile_copy(struct profile **out, const struct profile *src, const struct copy_rules *rules)
{
	return profile_copy_some(out, src, rules, keep_all, NULL);
}

int profile_filter(struct profile **out, const struct profile *src,
		   bool (*keep)(void *ctx, const struct profile *src, size_t sample), void *ctx)
{
	return profile_copy_some(out, src, NULL, keep, ctx);
}

/* ctx: the key's id in src. */
static bool has_other_key(void *ctx, const struct copy *c, const struct profile_label *l)
{
	(void)c;
	return l->key != *(const uint32_t *)ctx;
}

struct new_label {
	const char *key, *value;
};

static int give_label(void *ctx, struct copy *c, uint32_t labelset, struct profile_label *out)
{
	const struct new_label *l = ctx;
	int err;

	if (profile_find_label(c->src, labelset, l->key))
		return 0;
	*out = (struct profile_label){0};
	err = profile_string(c->dst, l->key, &out->key);
	err = err ?: profile_string(c->dst, l->value, &out->str);
	err = err ?: profile_string(c->dst, "", &out->num_unit);
	return err ?: 1;
}

int profile_with_label(struct profile **out, const struct profile *src, const char *key,
		       const char *value)
{
	struct new_label l = {key, value};
	struct copy_rules rules = {.ctx = &l, .more_label = give_label};

	return profile_copy(out, src, &rules);
}

int profile_without_label(struct profile **out, const struct profile *src, const char *key)
{
	uint32_t id = strtab_lookup(src->strings, key);
	struct copy_rules rules = {.ctx = &id, .keeps_label = has_other_key};

	return profile_copy(out, src, &rules);
}
