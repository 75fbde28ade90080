// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/sums.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/store/dict.h"

/* Items that wait at least, 32 bytes each for two types. */
#define MIN_WAITING (1u << 18)

int sums_add(struct sums *s, uint32_t stack, uint32_t labelset, const int64_t *values,
	     size_t n_types)
{
	struct sort_item item = {.key = (uint64_t)stack << 32 | labelset};

	if (s->items.len > 2 * s->n_distinct + MIN_WAITING && sums_join(s))
		return -ENOMEM;
	item.value = s->values.len;
	s->n_types = n_types;
	if (vec_reserve(&s->values, s->values.len + n_types))
		return -ENOMEM;
	for (size_t i = 0; i < n_types; i++)
		s->values.data[s->values.len++] = values[i];
	return vec_push(&s->items, item);
}

int sums_join(struct sums *s)
{
	VEC(int64_t) joined = {0};
	size_t n = 0;

	sort_items(s->items.data, s->items.len);
	if (vec_reserve(&joined, s->values.len + 1))
		return -ENOMEM;
	for (size_t i = 0; i < s->items.len; i++) {
		const int64_t *more = s->values.data + s->items.data[i].value;
		int64_t *sum = n ? joined.data + joined.len - s->n_types : NULL;

		if (sum && s->items.data[n - 1].key == s->items.data[i].key) {
			for (size_t k = 0; k < s->n_types; k++)
				sum[k] = saturating_sum(sum[k], more[k]);
			continue;
		}
		s->items.data[n++] = (struct sort_item){s->items.data[i].key, joined.len};
		for (size_t k = 0; k < s->n_types; k++)
			joined.data[joined.len++] = more[k];
	}
	s->items.len = s->n_distinct = n;
	vec_release(&s->values);
	s->values.data = joined.data;
	s->values.len = joined.len;
	s->values.cap = joined.cap;
	return 0;
}

void sums_clear(struct sums *s)
{
	s->items.len = s->values.len = s->n_distinct = 0;
}

void sums_release(struct sums *s)
{
	vec_release(&s->items);
	vec_release(&s->values);
}

static bool is_zero(const int64_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (values[i])
			return false;
	return true;
}

int sums_to_window(const struct sums *s, struct dict_window *out)
{
	out->samples.len = out->values.len = 0;
	out->n_types = (uint32_t)s->n_types;
	if (vec_reserve(&out->samples, s->items.len) ||
	    vec_reserve(&out->values, s->items.len * s->n_types))
		return -ENOMEM;
	for (size_t i = 0; i < s->items.len; i++) {
		const int64_t *values = s->values.data + s->items.data[i].value;

		if (is_zero(values, s->n_types))
			continue;
		out->samples.data[out->samples.len++] = (struct dict_sample){
			.labelset = (uint32_t)s->items.data[i].key,
			.stack = (uint32_t)(s->items.data[i].key >> 32),
			.first_value = (uint32_t)out->values.len,
		};
		for (size_t k = 0; k < s->n_types; k++)
			out->values.data[out->values.len++] = values[k];
	}
	return 0;
}
