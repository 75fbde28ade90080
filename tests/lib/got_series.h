/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Series of a profile, read back as a store reads them. */
#ifndef KILN_TESTS_GOT_SERIES_H
#define KILN_TESTS_GOT_SERIES_H

#include "profiler/upload/series.h"
#include "tests/lib/roundtrip.h"

struct got {
	struct series_labels labels;
	struct profile *profile;
	struct buf raw;
};

struct got_list {
	VEC(struct got) v;
};

static inline int got_keep(void *ctx, const struct series *s)
{
	struct got_list *list = ctx;
	struct got g = {.profile = imported(s->raw)};

	assert_int_equal(profile_weight(g.profile), s->samples);
	buf_add(&g.raw, s->raw->data, s->raw->len);
	for (size_t i = 0; i < s->labels->v.len; i++) {
		const struct series_label *l = &s->labels->v.data[i];

		MUST(vec_push(&g.labels.v,
			      (struct series_label){strdup(l->name), strdup(l->value)}));
	}
	MUST(vec_push(&list->v, g));
	return 0;
}

static inline struct got_list got_split(const struct profile *p, const struct series_opts *o)
{
	struct got_list list = {0};

	assert_int_equal(series_split(p, o, got_keep, &list), 0);
	return list;
}

static inline void got_release(struct got_list *list)
{
	for (size_t i = 0; i < list->v.len; i++) {
		struct got *g = &list->v.data[i];

		for (size_t k = 0; k < g->labels.v.len; k++) {
			free(g->labels.v.data[k].name);
			free(g->labels.v.data[k].value);
		}
		vec_release(&g->labels.v);
		profile_free(g->profile);
		buf_release(&g->raw);
	}
	vec_release(&list->v);
}

#endif
