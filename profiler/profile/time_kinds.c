// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/profile/time_kinds.h"

const char *time_kind_key(enum time_kind kind)
{
	static const char *const keys[TIME_KIND_COUNT] = {
#define X(kind, key) key,
		TIME_KINDS(X)
#undef X
	};

	return keys[kind];
}

static enum time_kind kind_of(const struct profile *p, uint32_t location, const char *module)
{
	switch (profile_frame_kind(p, location)) {
	case FRAME_KERNEL:
		return TIME_KERNEL;
	case FRAME_JIT:
		return TIME_JIT;
	case FRAME_SYNTHETIC:
		return TIME_LOST;
	case FRAME_UNKNOWN:
		return TIME_UNKNOWN;
	case FRAME_NATIVE:
		break;
	}
	return module[0] == '[' || profile_module_is_library(module) ? TIME_LIBRARY : TIME_PROGRAM;
}

/* The part of a sample; by its leaf's mapping. */
static struct time_part part_of(const struct profile *p, const struct profile_sample *s,
				size_t value)
{
	const struct profile_stack *stack = &p->stacks.data[s->stack];
	struct time_part part = {.kind = TIME_UNKNOWN,
				 .module = MAPPING_UNKNOWN,
				 .self = p->values.data[s->first_value + value]};
	uint32_t leaf;

	if (!stack->len)
		return part;
	leaf = p->frames.data[stack->first];
	part.module = profile_module(p, p->locations.data[leaf].mapping);
	part.kind = kind_of(p, leaf, part.module);
	if (part.kind == TIME_KERNEL)
		part.module = "[kernel]";
	return part;
}

static int compare_names(const void *x, const void *y)
{
	const struct time_part *a = x, *b = y;

	return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->module, b->module);
}

static int compare_sums(const void *x, const void *y)
{
	const struct time_part *a = x, *b = y;

	return compare_sizes(a->self, b->self) ?: compare_names(x, y);
}

/* By mapping first: a profile has few, and samples without number. Then mappings of one module become one. */
static int sum_mappings(struct time_kinds *t, const struct profile *p, size_t value)
{
	VEC(uint32_t) part_of_mapping = {0}; /* plus one; the last is for no mapping */
	size_t n = p->mappings.len + 1;
	int err = vec_reserve(&part_of_mapping, n);

	if (!err)
		memset(part_of_mapping.data, 0, n * sizeof(uint32_t));
	for (size_t i = 0; !err && i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_stack *stack = &p->stacks.data[s->stack];
		uint32_t mapping = stack->len
					   ? p->locations.data[p->frames.data[stack->first]].mapping
					   : PROFILE_NONE;
		uint32_t *id = &part_of_mapping.data[mapping < n ? mapping : n - 1];

		if (!*id) {
			struct time_part fresh = part_of(p, s, value);

			fresh.self = 0;
			err = vec_push(&t->parts, fresh);
			*id = (uint32_t)t->parts.len;
		}
		if (!err)
			t->parts.data[*id - 1].self =
				saturating_sum(t->parts.data[*id - 1].self,
					       p->values.data[s->first_value + value]);
	}
	vec_release(&part_of_mapping);
	return err;
}

static void join_parts(struct time_kinds *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->parts.len; i++) {
		struct time_part *part = &t->parts.data[i],
				 *last = n ? &t->parts.data[n - 1] : NULL;

		t->of[part->kind] = saturating_sum(t->of[part->kind], part->self);
		if (last && !compare_names(last, part))
			last->self = saturating_sum(last->self, part->self);
		else
			t->parts.data[n++] = *part;
	}
	t->parts.len = n;
}

int time_kinds_build(struct time_kinds *out, const struct profile *p, size_t value)
{
	int err;

	*out = (struct time_kinds){0};
	err = sum_mappings(out, p, value);
	if (err || !out->parts.len)
		return err;
	qsort(out->parts.data, out->parts.len, sizeof(*out->parts.data), compare_names);
	join_parts(out);
	qsort(out->parts.data, out->parts.len, sizeof(*out->parts.data), compare_sums);
	return 0;
}

void time_kinds_release(struct time_kinds *t)
{
	vec_release(&t->parts);
	*t = (struct time_kinds){0};
}
