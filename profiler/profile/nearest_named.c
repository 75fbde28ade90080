// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/nearest_named.h"
#include "profiler/profile/table_names.h"

/* Instead of a name's string: the frame has none, or it ends the search. */
#define NAMELESS UINT32_MAX
#define NOBODY	 (UINT32_MAX - 1)

struct finder {
	const struct profile *p;
	struct row_namer namer;
	VEC(uint32_t) nearest; /* of each location: from its innermost line on */
	VEC(int64_t) weights;  /* by name */
};

static void finder_release(struct finder *f)
{
	if (f->namer.strings)
		strtab_free(f->namer.strings);
	row_namer_release(&f->namer);
	vec_release(&f->nearest);
	vec_release(&f->weights);
}

bool is_named_function(const char *name, enum frame_kind kind)
{
	return *name && *name != '[' && kind != FRAME_SYNTHETIC && !frame_name_is_vague(name);
}

static int look_at(struct finder *f, uint32_t location, const struct profile_line *line,
		   uint32_t *found)
{
	enum frame_kind kind = profile_frame_kind(f->p, location);
	struct row_key key;
	int err = row_key_of_frame(&f->namer, location, line, &key);
	const char *name;

	if (err)
		return err;
	name = strtab_get(f->namer.strings, key.name);
	if (!is_named_function(name, kind))
		return 0;
	switch (frame_role_of(name, strtab_get(f->namer.strings, key.module), kind)) {
	case ROLE_MAIN:
	case ROLE_CEREMONY:
	case ROLE_ENGINE:
		*found = NOBODY;
		return 0;
	default:
		*found = key.name;
		return 0;
	}
}

static int add_locations(struct finder *f)
{
	int err = 0;

	for (size_t i = 0; !err && i < f->p->locations.len; i++) {
		const struct profile_location *l = &f->p->locations.data[i];
		uint32_t found = NAMELESS;

		if (!l->n_lines)
			err = look_at(f, (uint32_t)i, NULL, &found);
		for (uint32_t k = 0; !err && found == NAMELESS && k < l->n_lines; k++)
			err = look_at(f, (uint32_t)i, &f->p->lines.data[l->first_line + k], &found);
		err = err ?: vec_push(&f->nearest, found);
	}
	return err;
}

static uint32_t nearest_of(const struct finder *f, const struct profile_stack *s)
{
	for (uint32_t i = 0; i < s->len; i++) {
		uint32_t found = f->nearest.data[f->p->frames.data[s->first + i]];

		if (found != NAMELESS)
			return found;
	}
	return NOBODY;
}

static int weigh(struct finder *f, size_t value)
{
	size_t n = strtab_count(f->namer.strings);

	if (vec_reserve(&f->weights, n + 1))
		return -ENOMEM;
	memset(f->weights.data, 0, n * sizeof(*f->weights.data));
	f->weights.len = n;
	for (size_t i = 0; i < f->p->samples.len; i++) {
		const struct profile_sample *s = &f->p->samples.data[i];
		uint32_t name = nearest_of(f, &f->p->stacks.data[s->stack]);

		if (name != NOBODY)
			f->weights.data[name] = saturating_sum(
				f->weights.data[name], f->p->values.data[s->first_value + value]);
	}
	return 0;
}

int nearest_named(char **name, int64_t *weight, const struct profile *p, size_t value)
{
	_cleanup_(finder_release) struct finder f = {.p = p};
	const char *best = NULL;
	int err;

	*name = NULL;
	*weight = 0;
	f.namer = (struct row_namer){.p = p, .strings = strtab_new(), .by = TABLE_FUNCTION};
	if (!f.namer.strings)
		return -ENOMEM;
	err = add_locations(&f) ?: weigh(&f, value);
	for (size_t i = 0; i < f.weights.len; i++) {
		int64_t has = f.weights.data[i];
		const char *text = strtab_get(f.namer.strings, (uint32_t)i);

		if (has > *weight || (best && has == *weight && strcmp(text, best) < 0)) {
			best = text;
			*weight = has;
		}
	}
	if (!err && best)
		*name = strdup(best);
	return err ?: best && !*name ? -ENOMEM : 0;
}
