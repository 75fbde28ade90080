// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/store/dict.h"
#include "profiler/store/grow.h"
#include "profiler/store/resolve.h"
#include "profiler/store/sums.h"

struct known_kind {
	bool is_asked;
	struct kind_info info;
};

struct restorer {
	struct resolver resolver;
	struct reader *from;
	const struct restore_opts *opts;
	struct labelsets *labelsets;
	struct known_kind *kinds;
	uint32_t n_kinds;
	uint64_t removed;	   /* samples */
	struct dict_window window; /* the last one */
};

void restorer_free(struct restorer *r)
{
	if (!r)
		return;
	resolver_release(&r->resolver);
	labelsets_free(r->labelsets);
	free(r->kinds);
	dict_window_release(&r->window);
	free(r);
}

static int grow_kinds(struct restorer *r)
{
	return grow_zeroed((void **)&r->kinds, &r->n_kinds, reader_count_kinds(r->from),
			   sizeof(*r->kinds));
}

int restorer_new(struct restorer **out, struct reader *from, struct dict *to,
		 const struct restore_opts *opts)
{
	_cleanup_(restorer_freep) struct restorer *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct restorer){.from = from, .opts = opts};
	if (resolver_init(&r->resolver, from, to) ||
	    labelsets_new(&r->labelsets, from, to, &opts->labels) || grow_kinds(r))
		return -ENOMEM;
	*out = steal_ptr(r);
	return 0;
}

int restorer_grow(struct restorer *r)
{
	return resolver_grow(&r->resolver) ?: labelsets_grow(r->labelsets) ?: grow_kinds(r);
}

uint64_t restorer_removed(const struct restorer *r)
{
	return r->removed;
}

int restorer_wants(struct restorer *r, uint32_t labelset)
{
	uint32_t id;
	int err = labelsets_get(r->labelsets, labelset, &id);

	return err ?: id != DICT_NONE;
}

/* --- windows -------------------------------------------------------------------------------------- */

int restorer_kind(struct restorer *r, int64_t id, struct kind_info *out)
{
	static const struct kind_info cpu = KIND_INFO_CPU;
	struct known_kind *known;
	size_t len;
	const void *data = reader_kind(r->from, id, &len);
	int err = 0;

	*out = cpu;
	if (!data)
		return 0;
	known = &r->kinds[id];
	if (!known->is_asked)
		err = kind_parse(&known->info, data, len);
	if (err == -EBADMSG)
		known->info = cpu;
	known->is_asked = err != -ENOMEM;
	*out = known->info;
	return err == -EBADMSG ? 0 : err;
}

static int add_samples(struct restorer *r, const struct kind_info *kind, struct sums *sums,
		       int64_t *dropped)
{
	const struct dict_window *w = &r->window;
	int err = 0;

	for (size_t i = 0; i < w->samples.len && !err; i++) {
		const struct dict_sample *s = &w->samples.data[i];
		const int64_t *values = w->values.data + s->first_value;
		uint32_t labelset, stack = DICT_NONE;

		err = labelsets_get(r->labelsets, s->labelset, &labelset);
		if (!err && labelset == DICT_NONE) {
			if (kind->samples_type >= 0)
				*dropped = saturating_sum(*dropped, values[kind->samples_type]);
			continue;
		}
		if (!err && !r->opts->without_stacks)
			err = resolve_stack(&r->resolver, s->stack, &stack);
		err = err ?: sums_add(sums, stack, labelset, values, w->n_types);
	}
	return err;
}

/* A module's name or a hint that is damaged is left out: this is advice. */
static int add_blame(struct restorer *r, struct quality *q)
{
	int err = 0;

	for (size_t i = 0; i < r->window.blame.len && !err; i++) {
		const struct dict_blame *d = &r->window.blame.data[i];
		const char *module = reader_string(r->from, d->module);
		struct quality_blame b = {
			.module = (char *)module,
			.hint = (char *)reader_string(r->from, d->hint),
			.frames = d->frames,
			.unnamed = d->unnamed,
			.broken = d->broken,
		};
		struct quality one = {.blame = {.data = &b, .len = 1, .cap = 1}};

		if (module)
			err = quality_merge(q, &one);
	}
	return err;
}

/* --- windows whose samples are damaged: their sums are known ---------------------------------------- */

struct rest {
	struct restorer *r;
	const struct kind_info *kind;
	struct sums *sums;
	uint32_t stack;
	int64_t samples, cpu_ns; /* that nothing has named so far */
	int64_t dropped;
};

static int add_sum(struct rest *rest, uint32_t labelset, int64_t samples, int64_t cpu_ns)
{
	const struct kind_info *k = rest->kind;
	_cleanup_free_ int64_t *values = calloc(k->n_types + 1ul, sizeof(*values));

	if (!values)
		return -ENOMEM;
	if (k->samples_type >= 0)
		values[k->samples_type] = samples;
	if (k->cpu_type >= 0)
		values[k->cpu_type] = cpu_ns;
	return sums_add(rest->sums, rest->stack, labelset, values, k->n_types);
}

/* Which process it was nobody knows any more: a condition on that is not met, or may be. */
static int add_series_sum(void *ctx, uint32_t series, int64_t samples, int64_t cpu_ns)
{
	struct rest *rest = ctx;
	uint32_t labelset;
	int err = labelsets_get_series(rest->r->labelsets, series, &labelset);

	if (err) /* it stays in the rest */
		return err == -EBADMSG ? 0 : err;
	rest->samples -= samples;
	rest->cpu_ns -= cpu_ns;
	if (labelset != DICT_NONE)
		return add_sum(rest, labelset, samples, cpu_ns);
	rest->dropped += samples;
	return 0;
}

static int add_rest(struct restorer *r, const struct window_row *w, const struct kind_info *kind,
		    struct sums *sums, int64_t *dropped)
{
	struct rest rest = {r, kind, sums, 0, w->samples, w->cpu_ns, 0};
	uint32_t labelset;
	int err = resolve_damaged_stack(&r->resolver, &rest.stack);

	err = err ?: reader_usage(r->from, w, add_series_sum, &rest);
	*dropped = rest.dropped;
	if (err == -EBADMSG || err == -EIO)
		err = 0;
	if (err || (r->opts->labels.where && !r->opts->labels.drops) ||
	    (!rest.samples && !rest.cpu_ns))
		return err;
	err = labelsets_damaged(r->labelsets, &labelset);
	return err ?: add_sum(&rest, labelset, rest.samples, rest.cpu_ns);
}

/* What was removed counts as if nobody had asked for it. */
static void add_quality(struct restorer *r, const struct window_row *w, int64_t dropped,
			struct quality *q)
{
	struct quality more = w->quality;
	uint64_t n = dropped > 0 ? (uint64_t)dropped : 0;

	if (r->opts->labels.drops) {
		n = n > more.recorded ? more.recorded : n;
		more.recorded -= n;
		more.filtered += n;
		r->removed += n;
	}
	quality_add(q, &more);
}

int restorer_add(struct restorer *r, const struct window_row *w, struct sums *sums,
		 struct quality *q)
{
	struct kind_info kind;
	int64_t dropped = 0;
	int err = restorer_kind(r, w->kind, &kind);

	if (err)
		return err;
	err = reader_samples(r->from, &r->window);
	if (!err && r->window.n_types != kind.n_types)
		err = -EBADMSG;
	if (err == -EBADMSG)
		err = add_rest(r, w, &kind, sums, &dropped);
	else
		err = err ?: add_samples(r, &kind, sums, &dropped) ?: add_blame(r, q);
	add_quality(r, w, dropped, q);
	return err;
}
