// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/overlap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/saturate.h"

int overlap_open(struct overlap *o, const struct profile *p, size_t value)
{
	*o = (struct overlap){
		.p = p,
		.values = calloc(p->stacks.len + 1, sizeof(*o->values)),
		.stacks = calloc(p->stacks.len + 1, sizeof(*o->stacks)),
		.has = calloc(p->locations.len + 1, sizeof(*o->has)),
	};
	if (!o->values || !o->stacks || !o->has)
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];

		o->values[s->stack] =
			saturating_sum(o->values[s->stack], p->values.data[s->first_value + value]);
	}
	return 0;
}

void overlap_release(struct overlap *o)
{
	free(o->values);
	free(o->stacks);
	free(o->has);
	*o = (struct overlap){0};
}

static bool location_has(const struct profile *p, const struct profile_location *l, uint32_t name)
{
	for (uint32_t i = 0; i < l->n_lines; i++)
		if (p->functions.data[p->lines.data[l->first_line + i].function].name == name)
			return true;
	return false;
}

int overlap_add(struct overlap *o, const char *name)
{
	const struct profile *p = o->p;
	uint32_t id = strtab_lookup(p->strings, name);

	if (o->n == OVERLAP_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < p->locations.len; i++)
		o->has[i] = location_has(p, &p->locations.data[i], id);
	for (size_t i = 0; i < p->stacks.len; i++) {
		const struct profile_stack *s = &p->stacks.data[i];

		for (uint32_t k = 0; k < s->len; k++)
			o->stacks[i] |= (uint32_t)o->has[p->frames.data[s->first + k]] << o->n;
	}
	return (int)o->n++;
}

void overlap_drop(struct overlap *o)
{
	o->n--;
	for (size_t i = 0; i < o->p->stacks.len; i++)
		o->stacks[i] &= ~(1u << o->n);
}

double overlap_share(const struct overlap *o, int a, int b)
{
	int64_t both = 0, either = 0;

	for (size_t i = 0; i < o->p->stacks.len; i++) {
		bool has_a = o->stacks[i] & 1u << a, has_b = o->stacks[i] & 1u << b;

		if (has_a || has_b)
			either = saturating_sum(either, o->values[i]);
		if (has_a && has_b)
			both = saturating_sum(both, o->values[i]);
	}
	return either > 0 && both > 0 ? (double)both / (double)either : 0;
}
