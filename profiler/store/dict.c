// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/dict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dict *dict_new(void)
{
	struct dict *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->strings = strtab_new();
	d->series = strtab_new();
	d->seed = hash_random_seed();
	if (d->strings && d->series)
		return d;
	dict_free(d);
	return NULL;
}

void dict_free(struct dict *d)
{
	if (!d)
		return;
	strtab_free(d->strings);
	strtab_free(d->series);
	vec_release(&d->mappings);
	vec_release(&d->functions);
	vec_release(&d->lines);
	vec_release(&d->locations);
	vec_release(&d->stacks);
	vec_release(&d->labelsets);
	vec_release(&d->values);
	for (int i = 0; i < SECTION_COUNT; i++)
		htab_release(&d->index[i]);
	free(d);
}

#define VEC_BYTES(v) ((v).cap * sizeof(*(v).data))

size_t dict_bytes(const struct dict *d)
{
	size_t n = sizeof(*d) + strtab_bytes(d->strings) + strtab_bytes(d->series) +
		   VEC_BYTES(d->mappings) + VEC_BYTES(d->functions) + VEC_BYTES(d->lines) +
		   VEC_BYTES(d->locations) + VEC_BYTES(d->stacks) + VEC_BYTES(d->labelsets) +
		   VEC_BYTES(d->values);

	for (int i = 0; i < SECTION_COUNT; i++)
		n += d->index[i].cap * sizeof(*d->index[i].slots);
	return n;
}

uint32_t dict_count(const struct dict *d, enum section s)
{
	switch (s) {
	case SECTION_STRINGS:
		return strtab_count(d->strings);
	case SECTION_MAPPINGS:
		return (uint32_t)d->mappings.len;
	case SECTION_FUNCTIONS:
		return (uint32_t)d->functions.len;
	case SECTION_LINES:
		return (uint32_t)d->lines.len;
	case SECTION_LOCATIONS:
		return (uint32_t)d->locations.len;
	case SECTION_STACKS:
		return (uint32_t)d->stacks.len;
	case SECTION_LABELSETS:
		return (uint32_t)d->labelsets.len;
	default:
		return 0;
	}
}

/* Records are compared and hashed as bytes: they have no holes. */
struct needle {
	const void *records, *record;
	size_t size;
};

static bool record_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return !memcmp((const char *)n->records + id * n->size, n->record, n->size);
}

/* 0: found, or found to be new, in which case *id is count; or -ENOMEM. */
static int find_or_index(struct dict *d, enum section s, struct needle n, size_t count,
			 uint32_t *id)
{
	uint64_t hash = hash_bytes(n.record, n.size, d->seed);
	uint32_t found = htab_find(&d->index[s], hash, record_eq, &n);

	if (found == HTAB_NONE && count >= DICT_NONE - 1)
		return -ENOMEM;
	*id = found == HTAB_NONE ? (uint32_t)count : found;
	return found == HTAB_NONE ? htab_insert(&d->index[s], hash, (uint32_t)count) : 0;
}

/* Finds or appends a record to one of the arrays. */
#define INTERN(d, section, array, record, id)                                                      \
	__extension__({                                                                            \
		struct needle n = {(d)->array.data, (record), sizeof(*(record))};                  \
		int err = vec_reserve(&(d)->array, (d)->array.len + 1);                            \
                                                                                                   \
		n.records = (d)->array.data;                                                       \
		err = err ?: find_or_index((d), (section), n, (d)->array.len, (id));               \
		if (!err && *(id) == (d)->array.len)                                               \
			(d)->array.data[(d)->array.len++] = *(record);                             \
		err;                                                                               \
	})

int dict_string(struct dict *d, const char *s, uint32_t *id)
{
	return strtab_add(d->strings, s, id);
}

int dict_series(struct dict *d, const char *text, uint32_t *id)
{
	return strtab_add(d->series, text, id);
}

int dict_mapping(struct dict *d, const struct dict_mapping *m, uint32_t *id)
{
	return INTERN(d, SECTION_MAPPINGS, mappings, m, id);
}

int dict_function(struct dict *d, const struct dict_function *f, uint32_t *id)
{
	return INTERN(d, SECTION_FUNCTIONS, functions, f, id);
}

int dict_line(struct dict *d, const struct dict_line *l, uint32_t *id)
{
	return INTERN(d, SECTION_LINES, lines, l, id);
}

int dict_location(struct dict *d, const struct dict_location *l, uint32_t *id)
{
	return INTERN(d, SECTION_LOCATIONS, locations, l, id);
}

int dict_stack(struct dict *d, const struct dict_stack *s, uint32_t *id)
{
	return INTERN(d, SECTION_STACKS, stacks, s, id);
}

struct labelset_needle {
	const struct dict *d;
	const int64_t *values;
	uint32_t series, n_values;
};

static bool labelset_eq(const void *ctx, uint32_t id)
{
	const struct labelset_needle *n = ctx;
	const struct dict_labelset *l = &n->d->labelsets.data[id];

	return l->series == n->series && l->n_values == n->n_values &&
	       (!n->n_values || !memcmp(n->d->values.data + l->first_value, n->values,
					n->n_values * sizeof(*n->values)));
}

int dict_labelset(struct dict *d, uint32_t series, const int64_t *values, uint32_t n_values,
		  uint32_t *id)
{
	struct labelset_needle n = {d, values, series, n_values};
	struct htab *t = &d->index[SECTION_LABELSETS];
	uint64_t hash = hash_mix(hash_bytes(values, n_values * sizeof(*values), d->seed), series);
	uint32_t found = htab_find(t, hash, labelset_eq, &n);
	size_t count = d->labelsets.len;
	int err;

	if (found != HTAB_NONE) {
		*id = found;
		return 0;
	}
	if (count >= DICT_NONE - 1 || d->values.len + n_values >= DICT_NONE ||
	    vec_reserve(&d->labelsets, count + 1) ||
	    vec_reserve(&d->values, d->values.len + n_values))
		return -ENOMEM;
	err = htab_insert(t, hash, (uint32_t)count);
	if (err)
		return err;
	*id = (uint32_t)count;
	d->labelsets.data[d->labelsets.len++] =
		(struct dict_labelset){series, n_values, (uint32_t)d->values.len, 0};
	for (uint32_t i = 0; i < n_values; i++)
		d->values.data[d->values.len++] = values[i];
	return 0;
}

/* --- series ------------------------------------------------------------------------------------- */

void series_add(struct buf *b, const char *key, const char *value, bool is_number)
{
	buf_str(b, key);
	buf_char(b, is_number ? SERIES_NUMBER : SERIES_TEXT);
	buf_str(b, value);
	buf_char(b, SERIES_END);
}

bool series_next(const char **at, struct series_label *out)
{
	static const char marks[] = {SERIES_TEXT, SERIES_NUMBER, SERIES_END, '\0'};
	const char *key = *at, *mark = key + strcspn(key, marks), *value, *end;

	if (!*mark || *mark == SERIES_END)
		return false;
	value = mark + 1;
	end = value + strcspn(value, marks);
	if (*end != SERIES_END)
		return false;
	*out = (struct series_label){
		.key = key,
		.key_len = (size_t)(mark - key),
		.value = value,
		.value_len = (size_t)(end - value),
		.is_number = *mark == SERIES_NUMBER,
	};
	*at = end + 1;
	return true;
}
