// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/series.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/base/strtab.h"
#include "profiler/store/dict.h"
#include "profiler/store/restore.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/sums.h"
#include "profiler/store/visit.h"
#include "profiler/store/where.h"

#define SECOND_NS 1000000000ll
#define UNKNOWN	  UINT32_MAX

struct grouping {
	int64_t width_ns;
	const char *const *labels;
	struct restore_opts restore;
	struct restorer *restorer;
	struct dict *dict;	    /* of label sets alone */
	VEC(uint32_t) group_of_set; /* by label set of the dictionary; UNKNOWN */
	struct store_series series;
	struct htab index; /* of its points */
	struct buf text;   /* scratch */
};

void store_series_release(struct store_series *s)
{
	strtab_free(s->groups);
	s->groups = NULL;
	vec_release(&s->v);
}

static void grouping_release(struct grouping *g)
{
	restorer_free(g->restorer);
	g->restorer = NULL;
	dict_free(g->dict);
	g->dict = NULL;
	vec_release(&g->group_of_set);
	store_series_release(&g->series);
	htab_release(&g->index);
	buf_release(&g->text);
}

static int restart(void *ctx)
{
	struct grouping *g = ctx;

	grouping_release(g);
	g->dict = dict_new();
	g->series.groups = strtab_new();
	return g->dict && g->series.groups ? 0 : -ENOMEM;
}

static int begin_segment(void *ctx, struct reader *r)
{
	struct grouping *g = ctx;

	restorer_free(g->restorer);
	g->restorer = NULL;
	return restorer_new(&g->restorer, r, g->dict, &g->restore);
}

/* --- groups ------------------------------------------------------------------------------------- */

/* Appends the value of one label in a label set. */
static void add_value(struct grouping *g, const struct dict_labelset *set, const char *key)
{
	const char *at = strtab_get(g->dict->series, set->series);
	struct series_label l;
	uint32_t n = 0;

	while (series_next(&at, &l)) {
		bool found = strlen(key) == l.key_len && !strncmp(key, l.key, l.key_len);

		if (found && !l.is_number)
			buf_add(&g->text, l.value, l.value_len);
		else if (found && n < set->n_values)
			buf_printf(&g->text, "%" PRId64,
				   g->dict->values.data[set->first_value + n]);
		if (found)
			break;
		n += l.is_number;
	}
	buf_char(&g->text, STORE_SERIES_END);
}

static int group_of(struct grouping *g, uint32_t labelset, uint32_t *group)
{
	while (g->group_of_set.len <= labelset)
		if (vec_push(&g->group_of_set, UNKNOWN))
			return -ENOMEM;
	if (g->group_of_set.data[labelset] == UNKNOWN) {
		int err;

		buf_clear(&g->text);
		for (size_t i = 0; g->labels[i]; i++)
			add_value(g, &g->dict->labelsets.data[labelset], g->labels[i]);
		err = g->text.err
			      ?: strtab_add_n(g->series.groups, g->text.data ?: "", g->text.len,
					      &g->group_of_set.data[labelset]);
		if (err)
			return err;
	}
	*group = g->group_of_set.data[labelset];
	return 0;
}

/* --- points ------------------------------------------------------------------------------------- */

struct needle {
	const struct grouping *g;
	struct store_point point;
};

static bool is_point(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	const struct store_point *p = &n->g->series.v.data[id];

	return p->group == n->point.group && p->begin_ns == n->point.begin_ns;
}

static int find_point(struct grouping *g, uint32_t group, int64_t begin_ns,
		      struct store_point **out)
{
	struct needle n = {g, {.group = group, .begin_ns = begin_ns}};
	uint64_t hash = hash_mix(hash_u64(group), (uint64_t)begin_ns);
	uint32_t id = htab_find(&g->index, hash, is_point, &n);

	if (id == HTAB_NONE) {
		if (g->series.v.len >= STORE_SERIES_MAX_POINTS)
			return -E2BIG;
		id = (uint32_t)g->series.v.len;
		if (vec_push(&g->series.v, n.point) || htab_insert(&g->index, hash, id))
			return -ENOMEM;
	}
	*out = &g->series.v.data[id];
	return 0;
}

static int add_item(struct grouping *g, int64_t begin_ns, uint32_t labelset, const int64_t *values,
		    const struct kind_info *kind)
{
	struct store_point *p;
	uint32_t group;
	int err = group_of(g, labelset, &group) ?: find_point(g, group, begin_ns, &p);

	if (err)
		return err;
	if (kind->samples_type >= 0)
		p->samples = saturating_sum(p->samples, values[kind->samples_type]);
	if (kind->cpu_type >= 0)
		p->cpu_ns = saturating_sum(p->cpu_ns, values[kind->cpu_type]);
	return 0;
}

static int add_window(void *ctx, const struct window_row *w)
{
	struct grouping *g = ctx;
	int64_t begin_ns = w->begin_unix_ns - w->begin_unix_ns % g->width_ns;
	struct quality ignored = {0};
	struct sums sums = {0};
	struct kind_info kind;
	int err = restorer_add(g->restorer, w, &sums, &ignored);

	err = err ?: restorer_kind(g->restorer, w->kind, &kind);
	for (size_t i = 0; i < sums.items.len && !err; i++)
		err = add_item(g, begin_ns, (uint32_t)sums.items.data[i].key,
			       &sums.values.data[sums.items.data[i].value], &kind);
	sums_release(&sums);
	quality_release(&ignored);
	return err;
}

static int compare(const void *va, const void *vb)
{
	const struct store_point *a = va, *b = vb;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return (a->begin_ns > b->begin_ns) - (a->begin_ns < b->begin_ns);
}

static const struct visitor visitor = {restart, begin_segment, add_window};

int store_series(struct store *s, const struct store_query *q, int64_t width_ns,
		 const char *const *labels, struct store_series *out, struct why *why)
{
	struct grouping g = {
		.width_ns = width_ns, .labels = labels, .restore.without_stacks = true};
	struct where *where = NULL;
	struct visited visited;
	int err;

	if (width_ns < SECOND_NS)
		return why_say(why, -EINVAL, "a slot of time is a second at least");
	err = where_parse_any(&where, q->where, why);
	if (err)
		return err;
	g.restore.labels.where = where;
	err = visit(&s->dir, q->since_ns, q->until_ns, &visitor, &g, &visited);
	where_free(where);
	if (!err) {
		if (g.series.v.len)
			qsort(g.series.v.data, g.series.v.len, sizeof(*g.series.v.data), compare);
		*out = g.series;
		g.series = (struct store_series){0};
	}
	grouping_release(&g);
	return err ? why_say(why, err, "%s: %s", s->dir.path, visit_error(err)) : 0;
}
