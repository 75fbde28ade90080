// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of an overview, and samples that match. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"
#include "profiler/remote/fleet_priv.h"
#include "profiler/upload/series.h"

#define MAX_ROWS   (1u << 16)
#define MAX_LABELS 64
#define MAX_NAME   4096 /* bytes; what follows is cut off */

const char *fleet_rows_label(const struct fleet_rows *rows)
{
	return rows->by == OVERVIEW_LABEL ? rows->label : overview_label(rows->by);
}

int64_t fleet_row_begin(const struct fleet_rows *rows, int64_t ns)
{
	int64_t rest;

	if (rows->by != OVERVIEW_TIME || rows->width_ns <= 0)
		return 0;
	rest = (ns - rows->phase_ns) % rows->width_ns;
	return ns - rest - (rest < 0 ? rows->width_ns : 0);
}

/* A row of time has no name. */
struct row_key {
	const struct overview *o;
	const char *name;
	int64_t begin_ns;
};

static bool is_row(const void *ctx, uint32_t id)
{
	const struct row_key *k = ctx;
	const struct overview_row *r = &k->o->rows.data[id];

	return k->name ? r->name && !strcmp(r->name, k->name)
		       : !r->name && r->begin_ns == k->begin_ns;
}

static uint64_t hash_row(const struct row_key *k)
{
	return k->name ? hash_str(k->name) : hash_u64((uint64_t)k->begin_ns);
}

static struct overview_row *find_row(struct overview *o, const struct row_key *k)
{
	uint32_t id = htab_find(&o->places, hash_row(k), is_row, k);

	return id == HTAB_NONE ? NULL : &o->rows.data[id];
}

static int new_row(struct overview *o, const struct row_key *k, struct overview_row **out)
{
	struct overview_row row = {.begin_ns = k->begin_ns, .pid = -1};

	if (o->rows.len == MAX_ROWS)
		return -EFBIG;
	if (k->name && !(row.name = strdup(k->name)))
		return -ENOMEM;
	if (vec_push(&o->rows, row)) {
		free(row.name);
		return -ENOMEM;
	}
	*out = &vec_last(&o->rows);
	return htab_insert(&o->places, hash_row(k), (uint32_t)(o->rows.len - 1));
}

int fleet_add_row(struct overview *o, const char *name, int64_t begin_ns, int64_t samples,
		  int64_t cpu_ns, int64_t windows)
{
	_cleanup_free_ char *clean = name ? text_clean_dup(name, strlen(name)) : NULL;
	const struct row_key key = {o, clean, name ? 0 : begin_ns};
	struct overview_row *row;
	int err;

	if (name && !clean)
		return -ENOMEM;
	if (clean && strlen(clean) > MAX_NAME)
		clean[text_utf8_run(clean, MAX_NAME)] = '\0';
	row = find_row(o, &key);
	err = row ? 0 : new_row(o, &key, &row);
	if (err)
		return err;
	row->samples = saturating_sum(row->samples, samples);
	row->cpu_ns = saturating_sum(row->cpu_ns, cpu_ns);
	row->windows = windows < 0 ? -1 : saturating_sum(row->windows, windows);
	if (windows < 0) /* nor does it tell what was lost */
		row->lost = -1;
	return 0;
}

void fleet_add_lost(struct overview *o, int64_t begin_ns, int64_t lost)
{
	struct overview_row *row = find_row(o, &(struct row_key){o, NULL, begin_ns});

	if (row)
		row->lost = saturating_sum(row->lost, lost);
	o->lost = saturating_sum(o->lost, lost);
}

/* --- profiles with their labels ------------------------------------------------------------------- */

static int value_index(const struct profile *p, const char *type)
{
	for (size_t i = 0; i < p->sample_types.len; i++)
		if (!strcmp(profile_text(p, p->sample_types.data[i].type), type))
			return (int)i;
	return -1;
}

/* A number is printed into `number`. */
static const char *label_of(const struct profile *p, const struct profile_sample *s,
			    const char *key, char number[24])
{
	const struct profile_label *l = profile_find_label(p, s->labelset, key);

	if (l && l->str == PROFILE_NONE)
		snprintf(number, 24, "%" PRId64, l->num);
	return !l ? "" : l->str == PROFILE_NONE ? number : profile_text(p, l->str);
}

static void note_time(struct overview *o, const struct profile *p)
{
	int64_t end_ns = saturating_sum(p->time_ns, p->duration_ns);

	if (!o->since_ns || p->time_ns < o->since_ns)
		o->since_ns = p->time_ns;
	o->until_ns = end_ns > o->until_ns ? end_ns : o->until_ns;
	o->windows++;
}

/* A window's comments say it. */
static void note_lost(struct overview *o, const struct profile *p, int64_t begin_ns)
{
	struct quality q = {0};

	if (!quality_load(&q, p))
		fleet_add_lost(o, begin_ns, (int64_t)(quality_lost(&q) & INT64_MAX));
	quality_release(&q);
}

int fleet_add_profile(struct overview *o, const struct fleet_rows *rows, const struct profile *p)
{
	int samples = value_index(p, "samples"), cpu = value_index(p, "cpu"), err = 0;
	const char *label = fleet_rows_label(rows);
	int64_t begin_ns = fleet_row_begin(rows, p->time_ns);

	note_time(o, p);
	if (!label)
		err = fleet_add_row(o, NULL, begin_ns,
				    samples < 0 ? 0 : profile_total(p, (size_t)samples),
				    cpu < 0 ? 0 : profile_total(p, (size_t)cpu), 1);
	if (!err)
		note_lost(o, p, begin_ns);
	if (err || !label)
		return err;
	for (size_t i = 0; i < p->samples.len && !err; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const int64_t *v = p->values.data + s->first_value;
		char number[24];

		err = fleet_add_row(o, label_of(p, s, label, number), 0,
				    samples < 0 ? 0 : v[samples], cpu < 0 ? 0 : v[cpu], 0);
	}
	return err;
}

struct filtering {
	const struct where *where;
	const char *host;
};

static bool keeps(void *ctx, const struct profile *p, size_t sample)
{
	const struct filtering *k = ctx;
	const struct profile_labelset *s = &p->labelsets.data[p->samples.data[sample].labelset];
	struct where_label labels[MAX_LABELS + 1];
	char numbers[MAX_LABELS][24];
	bool has_host = !k->host;
	size_t n = 0;

	for (uint32_t i = 0; i < s->len && n < MAX_LABELS; i++) {
		const struct profile_label *l = &p->labels.data[s->first + i];

		snprintf(numbers[n], sizeof(numbers[n]), "%" PRId64, l->num);
		labels[n].key = profile_text(p, l->key);
		labels[n].value = l->str == PROFILE_NONE ? numbers[n] : profile_text(p, l->str);
		has_host |= !strcmp(labels[n++].key, SERIES_LABEL_HOST);
	}
	if (!has_host)
		labels[n++] = (struct where_label){SERIES_LABEL_HOST, k->host};
	return where_matches(k->where, labels, n);
}

int fleet_filter(const struct fleet *f, struct profile **p, const char *host)
{
	struct filtering k = {f->where, host};
	struct profile *part;
	int err;

	if (!f->where)
		return 0;
	err = profile_filter(&part, *p, keeps, &k);
	if (err)
		return err;
	profile_free(*p);
	*p = part;
	return 0;
}
