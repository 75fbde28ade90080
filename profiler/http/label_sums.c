// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/label_sums.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"

const char *label_text(const struct profile *p, uint32_t labelset, const char *key, char number[32])
{
	const struct profile_label *l = profile_find_label(p, labelset, key);

	if (!l)
		return NULL;
	if (l->str != PROFILE_NONE)
		return profile_text(p, l->str);
	snprintf(number, 32, "%" PRId64, l->num);
	return number;
}

static int find_type(const struct profile *p, const char *type)
{
	for (size_t i = 0; i < p->sample_types.len; i++)
		if (!strcmp(profile_text(p, p->sample_types.data[i].type), type))
			return (int)i;
	return -1;
}

static int add(struct label_sums *s, const struct profile *p, const struct profile_sample *sample,
	       const char *key, const int types[2])
{
	char number[32];
	const char *text = label_text(p, sample->labelset, key, number);
	const int64_t *values = &p->values.data[sample->first_value];
	uint32_t id;

	if (strtab_add(s->strings, text ?: "", &id))
		return -ENOMEM;
	/* Ids count up from "", which is 0. */
	while (s->v.len <= id) {
		struct label_sum none = {.value = (uint32_t)s->v.len};

		if (vec_push(&s->v, none))
			return -ENOMEM;
	}
	if (types[0] >= 0)
		s->v.data[id].samples = saturating_sum(s->v.data[id].samples, values[types[0]]);
	if (types[1] >= 0)
		s->v.data[id].cpu_ns = saturating_sum(s->v.data[id].cpu_ns, values[types[1]]);
	return 0;
}

static int compare(const void *va, const void *vb)
{
	const struct label_sum *a = va, *b = vb;

	if (a->cpu_ns != b->cpu_ns)
		return a->cpu_ns < b->cpu_ns ? 1 : -1;
	return (a->value > b->value) - (a->value < b->value);
}

/* The first is of samples without the label: there may be none. */
static void drop_empty(struct label_sums *s)
{
	if (!s->v.len || s->v.data[0].samples || s->v.data[0].cpu_ns)
		return;
	s->v.len--;
	memmove(s->v.data, s->v.data + 1, s->v.len * sizeof(*s->v.data));
}

int label_sums_of(struct label_sums *out, const struct profile *p, const char *key)
{
	struct label_sums s = {.strings = strtab_new()};
	const int types[2] = {find_type(p, "samples"), find_type(p, "cpu")};
	int err = s.strings ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->samples.len && !err; i++)
		err = add(&s, p, &p->samples.data[i], key, types);
	if (err) {
		label_sums_release(&s);
		return err;
	}
	drop_empty(&s);
	if (s.v.len)
		qsort(s.v.data, s.v.len, sizeof(*s.v.data), compare);
	*out = s;
	return 0;
}

void label_sums_release(struct label_sums *s)
{
	strtab_free(s->strings);
	s->strings = NULL;
	vec_release(&s->v);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int label_keys_of(struct label_keys *out, const struct profile *p)
{
	_cleanup_free_ bool *seen = calloc(strtab_count(p->strings) + 1, sizeof(*seen));
	struct label_keys keys = {0};
	int err = seen ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->labels.len && !err; i++) {
		uint32_t key = p->labels.data[i].key;

		if (seen[key])
			continue;
		seen[key] = true;
		err = vec_push(&keys.v, profile_text(p, key));
	}
	if (err) {
		vec_release(&keys.v);
		return err;
	}
	if (keys.v.len)
		qsort(keys.v.data, keys.v.len, sizeof(*keys.v.data), compare_texts);
	*out = keys;
	return 0;
}
