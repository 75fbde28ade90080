// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/series.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/profile/profile.h"
#include "profiler/upload/series_priv.h"

struct split {
	const struct profile *p;
	const struct series_opts *o;
	series_take_fn take;
	void *ctx;
	struct series_pprof *writer;
	struct buf raw;
	size_t *order; /* indices of samples, those of a group side by side */
	size_t *first; /* of each group, in order; and the end */
};

static void labels_release(struct series_labels *l)
{
	for (size_t i = 0; i < l->v.len; i++) {
		free(l->v.data[i].name);
		free(l->v.data[i].value);
	}
	vec_release(&l->v);
}

/* A profile of these samples, or of each half of them, until each is small enough. */
static int take_parts(struct split *s, const struct series_labels *labels, const size_t *samples,
		      size_t n)
{
	struct series part = {.labels = labels, .raw = &s->raw};
	bool too_many = s->o->max_samples && n > s->o->max_samples;
	int err = too_many ? -EFBIG
			   : series_pprof_write(s->writer, samples, n, &s->raw, &part.samples);

	if (!err)
		return s->raw.len ? s->take(s->ctx, &part) : 0;
	if (err != -EFBIG || n == 1)
		return err;
	return take_parts(s, labels, samples, n / 2)
		       ?: take_parts(s, labels, samples + n / 2, n - n / 2);
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
	struct series_labels labels;
	size_t group;
};

static int compare_groups(const void *va, const void *vb)
{
	const struct named_group *a = va, *b = vb;

	return series_labels_compare(&a->labels, &b->labels)
		       ?: (a->group > b->group) - (a->group < b->group);
}

static int take_groups(struct split *s, const struct series_groups *g)
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
			err = take_parts(s, &named[i].labels, s->order + first, end - first);
	}
	for (size_t i = 0; named && i < g->n_groups; i++)
		labels_release(&named[i].labels);
	free(named);
	return err;
}

int series_split(const struct profile *p, const struct series_opts *o, series_take_fn take,
		 void *ctx)
{
	struct series_groups groups = {0};
	struct split s = {.p = p, .o = o, .take = take, .ctx = ctx};
	int err = series_pprof_new(&s.writer, p, o);

	err = err ?: series_groups_init(&groups, p, o);
	err = err ?: order_samples(&s, &groups);
	err = err ?: take_groups(&s, &groups);
	series_groups_release(&groups);
	series_pprof_free(s.writer);
	buf_release(&s.raw);
	free(s.order);
	free(s.first);
	return err;
}
