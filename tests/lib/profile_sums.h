/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of a profile's values by what is printed of samples: to compare what was sent with what there was. */
#ifndef KILN_TESTS_PROFILE_SUMS_H
#define KILN_TESTS_PROFILE_SUMS_H

#include <stdlib.h>
#include <string.h>

#include "profiler/base/vec.h"
#include "tests/lib/profiles.h"

#define SUMS_TYPES 4

struct sum_row {
	char *key;
	int64_t values[SUMS_TYPES];
};

struct sums {
	VEC(struct sum_row) v;
};

static inline void sums_add(struct sums *s, const char *key, const struct profile *p, size_t sample)
{
	struct sum_row row = {.key = strdup(key)};
	size_t first = p->samples.data[sample].first_value;

	for (size_t i = 0; i < p->sample_types.len && i < SUMS_TYPES; i++)
		row.values[i] = p->values.data[first + i];
	if (!row.key || vec_push(&s->v, row))
		abort();
}

static inline int compare_sum_rows(const void *a, const void *b)
{
	return strcmp(((const struct sum_row *)a)->key, ((const struct sum_row *)b)->key);
}

/* One line a key: "KEY VALUE VALUE"; the caller frees it. Releases the sums. */
static inline char *sums_print(struct sums *s)
{
	struct buf b = {0};

	if (s->v.len)
		qsort(s->v.data, s->v.len, sizeof(*s->v.data), compare_sum_rows);
	for (size_t i = 0; i < s->v.len;) {
		struct sum_row sum = {.key = s->v.data[i].key};

		for (; i < s->v.len && !strcmp(s->v.data[i].key, sum.key); i++)
			for (size_t t = 0; t < SUMS_TYPES; t++)
				sum.values[t] += s->v.data[i].values[t];
		buf_str(&b, sum.key);
		for (size_t t = 0; t < SUMS_TYPES; t++)
			buf_printf(&b, " %" PRId64, sum.values[t]);
		buf_char(&b, '\n');
	}
	for (size_t i = 0; i < s->v.len; i++)
		free(s->v.data[i].key);
	vec_release(&s->v);
	return buf_take(&b);
}

/* What is shown of a line of a location: what is known best of where it is, if it has no name. */
static inline const char *shown_name(const struct profile *p, uint32_t location, uint32_t line)
{
	const struct profile_location *l = &p->locations.data[location];
	static char unresolved[256];
	const char *name = "";

	if (l->n_lines)
		name = profile_text(
			p, p->functions.data[p->lines.data[l->first_line + line].function].name);
	return *name ? name : profile_unresolved(p, location, unresolved, sizeof(unresolved));
}

/* "PREFIX self NAME" of the leaf, and "PREFIX total NAME" of each function of the stack, once. */
static inline void sums_add_functions(struct sums *s, const char *prefix, const struct profile *p,
				      size_t sample)
{
	const struct profile_stack *stack = &p->stacks.data[p->samples.data[sample].stack];
	struct buf key = {0};
	size_t first = s->v.len;

	for (uint32_t k = 0; k < stack->len; k++) {
		uint32_t id = p->frames.data[stack->first + k];
		uint32_t n = p->locations.data[id].n_lines ?: 1;

		for (uint32_t i = 0; i < n; i++) {
			bool again = false;

			buf_clear(&key);
			buf_printf(&key, "%s total %s", prefix, shown_name(p, id, i));
			for (size_t have = first; have < s->v.len; have++)
				again |= !strcmp(s->v.data[have].key, buf_cstr(&key));
			if (!again)
				sums_add(s, buf_cstr(&key), p, sample);
		}
	}
	buf_clear(&key);
	buf_printf(&key, "%s self %s", prefix,
		   stack->len ? shown_name(p, p->frames.data[stack->first], 0) : "");
	sums_add(s, buf_cstr(&key), p, sample);
	buf_release(&key);
}

#endif
