// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/series_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/service.h"

#define CUT_MARK "..."

static const char *const default_labels[] = UPLOAD_SERIES_LABELS;

/* --- groups ------------------------------------------------------------------------------------- */

static void choose_keys(struct series_groups *g)
{
	const char *const *names = g->o->labels ?: default_labels;

	g->names[0] = SERIES_LABEL_SERVICE;
	g->n_keys = 1;
	for (; *names && g->n_keys < SERIES_MAX_LABELS - 1; names++) /* one stays for host */
		if (strcmp(*names, SERIES_LABEL_SERVICE) != 0)
			g->names[g->n_keys++] = *names;
	for (size_t i = 0; i < g->n_keys; i++)
		g->keys[i] = strtab_lookup(g->p->strings, g->names[i]);
}

/* A label set may hold a key twice: the first value counts. */
static int fill_row(const struct series_groups *g, uint32_t labelset, uint32_t *row)
{
	const struct profile_labelset *set = &g->p->labelsets.data[labelset];

	memset(row, 0, g->n_keys * sizeof(*row));
	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *l = &g->p->labels.data[set->first + i];

		if (l->str == PROFILE_NONE)
			continue;
		for (size_t k = 1; k < g->n_keys; k++)
			if (l->key == g->keys[k] && !row[k])
				row[k] = l->str;
	}
	return strtab_add(g->services, service_name(g->p, labelset, g->o->service), &row[0]);
}

struct row_needle {
	const struct series_groups *g;
	const uint32_t *row;
};

static bool row_eq(const void *ctx, uint32_t id)
{
	const struct row_needle *n = ctx;
	size_t len = n->g->n_keys;

	return !memcmp(n->g->rows.data + id * len, n->row, len * sizeof(*n->row));
}

static int find_group(struct series_groups *g, const uint32_t *row, uint32_t *group)
{
	struct row_needle needle = {g, row};
	size_t len = g->n_keys;
	uint64_t hash = hash_bytes(row, len * sizeof(*row), g->seed);

	*group = htab_find(&g->index, hash, row_eq, &needle);
	if (*group != HTAB_NONE)
		return 0;
	*group = (uint32_t)g->n_groups;
	if (vec_reserve(&g->rows, g->rows.len + len) || htab_insert(&g->index, hash, *group))
		return -ENOMEM;
	memcpy(g->rows.data + g->rows.len, row, len * sizeof(*row));
	g->rows.len += len;
	g->n_groups++;
	return 0;
}

int series_groups_init(struct series_groups *g, const struct profile *p,
		       const struct series_opts *o)
{
	uint32_t row[SERIES_MAX_LABELS];
	int err;

	*g = (struct series_groups){.p = p, .o = o, .seed = hash_random_seed()};
	choose_keys(g);
	g->of = calloc(p->labelsets.len + 1, sizeof(*g->of));
	g->services = strtab_new();
	err = g->of && g->services ? 0 : -ENOMEM;
	for (uint32_t i = 0; !err && i < p->labelsets.len; i++)
		err = fill_row(g, i, row) ?: find_group(g, row, &g->of[i]);
	return err;
}

void series_groups_release(struct series_groups *g)
{
	vec_release(&g->rows);
	htab_release(&g->index);
	strtab_free(g->services);
	free(g->of);
}

/* --- labels ------------------------------------------------------------------------------------- */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

void series_add_name(struct buf *b, const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		buf_char(b, '_');
	for (; *name; name++)
		buf_char(b, is_word_char(*name) ? *name : '_');
}

/* Names that begin with "__" are the stores' own. */
static char *clean_name(const char *name)
{
	struct buf b = {0};
	size_t skip = 0;

	series_add_name(&b, name);
	if (b.err)
		return buf_take(&b);
	while (skip + 1 < b.len && b.data[skip] == '_' && b.data[skip + 1] == '_')
		skip++;
	memmove(b.data, b.data + skip, b.len - skip);
	b.len -= skip;
	if (b.len > SERIES_MAX_NAME)
		b.len = SERIES_MAX_NAME;
	return buf_take(&b);
}

/* What the profile holds is clean; what options hold may be not. */
static char *clean_value(const char *value)
{
	struct buf b = {0};

	text_add_clean(&b, value, strlen(value));
	if (!b.err && b.len > SERIES_MAX_VALUE) {
		b.len = text_utf8_run(b.data, SERIES_MAX_VALUE - strlen(CUT_MARK));
		buf_str(&b, CUT_MARK);
	}
	return buf_take(&b);
}

static bool has_name(const struct series_labels *s, const char *name)
{
	for (size_t i = 0; i < s->v.len; i++)
		if (!strcmp(s->v.data[i].name, name))
			return true;
	return false;
}

static int add_label(struct series_labels *s, const char *name, const char *value)
{
	struct series_label l = {clean_name(name), clean_value(value)};
	bool is_twice = l.name && has_name(s, l.name);

	if (l.name && l.value && !is_twice && !vec_push(&s->v, l))
		return 0;
	free(l.name);
	free(l.value);
	return is_twice ? 0 : -ENOMEM;
}

static int compare_labels(const void *va, const void *vb)
{
	const struct series_label *a = va, *b = vb;

	return strcmp(a->name, b->name) ?: strcmp(a->value, b->value);
}

int series_groups_labels(const struct series_groups *g, size_t group, struct series_labels *out)
{
	const uint32_t *row = g->rows.data + group * g->n_keys;
	int err = add_label(out, SERIES_LABEL_SERVICE, strtab_get(g->services, row[0]));

	for (size_t i = 1; !err && i < g->n_keys; i++)
		if (row[i])
			err = add_label(out, g->names[i], profile_text(g->p, row[i]));
	if (!err && g->o->host && *g->o->host)
		err = add_label(out, SERIES_LABEL_HOST, g->o->host);
	if (!err)
		qsort(out->v.data, out->v.len, sizeof(*out->v.data), compare_labels);
	return err;
}

int series_labels_compare(const struct series_labels *a, const struct series_labels *b)
{
	size_t n = a->v.len < b->v.len ? a->v.len : b->v.len;

	for (size_t i = 0; i < n; i++) {
		int r = compare_labels(&a->v.data[i], &b->v.data[i]);

		if (r)
			return r;
	}
	return (a->v.len > b->v.len) - (a->v.len < b->v.len);
}
