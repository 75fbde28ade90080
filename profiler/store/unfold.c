// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/unfold.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/dict.h"
#include "profiler/store/sums.h"

/* The dictionary's numbers as the profile's: PROFILE_NONE while nobody has asked. */
struct unfolding {
	struct profile *to;
	const struct dict *d;
	uint32_t *strings, *mappings, *functions, *locations, *labelsets;
	VEC(uint32_t) frames;		  /* scratch */
	VEC(struct profile_line) lines;	  /* scratch */
	VEC(struct profile_label) labels; /* scratch */
};

static uint32_t *new_table(const struct dict *d, enum section s)
{
	size_t n = dict_count(d, s);
	uint32_t *t = malloc((n + 1) * sizeof(*t));

	for (size_t i = 0; t && i < n; i++)
		t[i] = PROFILE_NONE;
	return t;
}

static int unfolding_init(struct unfolding *u, struct profile *to, const struct dict *d)
{
	*u = (struct unfolding){
		.to = to,
		.d = d,
		.strings = new_table(d, SECTION_STRINGS),
		.mappings = new_table(d, SECTION_MAPPINGS),
		.functions = new_table(d, SECTION_FUNCTIONS),
		.locations = new_table(d, SECTION_LOCATIONS),
		.labelsets = new_table(d, SECTION_LABELSETS),
	};
	return u->strings && u->mappings && u->functions && u->locations && u->labelsets ? 0
											 : -ENOMEM;
}

static void unfolding_release(struct unfolding *u)
{
	free(u->strings);
	free(u->mappings);
	free(u->functions);
	free(u->locations);
	free(u->labelsets);
	vec_release(&u->frames);
	vec_release(&u->lines);
	vec_release(&u->labels);
}

static int unfold_string(struct unfolding *u, uint32_t id, uint32_t *out)
{
	uint32_t *known = &u->strings[id];
	int err = 0;

	if (*known == PROFILE_NONE)
		err = profile_string(u->to, strtab_get(u->d->strings, id), known);
	*out = *known;
	return err;
}

static int unfold_mapping(struct unfolding *u, uint32_t id, uint32_t *out)
{
	const struct dict_mapping *d = &u->d->mappings.data[id];
	struct profile_mapping m = {
		.start = d->start,
		.limit = d->limit,
		.offset = d->offset,
		.has_functions = d->flags & DICT_HAS_FUNCTIONS,
		.has_filenames = d->flags & DICT_HAS_FILENAMES,
		.has_line_numbers = d->flags & DICT_HAS_LINE_NUMBERS,
		.has_inline_frames = d->flags & DICT_HAS_INLINE_FRAMES,
	};
	int err = 0;

	if (u->mappings[id] == PROFILE_NONE) {
		err = unfold_string(u, d->file, &m.file);
		err = err ?: unfold_string(u, d->build_id, &m.build_id);
		err = err ?: profile_mapping_joined(u->to, &m, &u->mappings[id]);
	}
	*out = u->mappings[id];
	return err;
}

static int unfold_function(struct unfolding *u, uint32_t id, uint32_t *out)
{
	const struct dict_function *d = &u->d->functions.data[id];
	struct profile_function f = {.start_line = d->start_line};
	int err = 0;

	if (u->functions[id] == PROFILE_NONE) {
		err = unfold_string(u, d->name, &f.name);
		err = err ?: unfold_string(u, d->system_name, &f.system_name);
		err = err ?: unfold_string(u, d->file, &f.file);
		err = err ?: profile_function(u->to, &f, &u->functions[id]);
	}
	*out = u->functions[id];
	return err;
}

/* From the innermost outwards, as a profile has them. */
static int unfold_lines(struct unfolding *u, uint32_t id)
{
	int err = 0;

	u->lines.len = 0;
	while (id != DICT_NONE && !err) {
		const struct dict_line *d = &u->d->lines.data[id];
		struct profile_line line = {.line = d->line};

		err = unfold_function(u, d->function, &line.function);
		err = err ?: vec_push(&u->lines, line);
		id = d->parent;
	}
	return err;
}

static int unfold_location(struct unfolding *u, uint32_t id, uint32_t *out)
{
	const struct dict_location *d = &u->d->locations.data[id];
	uint32_t mapping = PROFILE_NONE;
	int err = 0;

	*out = u->locations[id];
	if (*out != PROFILE_NONE)
		return 0;
	if (d->mapping != DICT_NONE)
		err = unfold_mapping(u, d->mapping, &mapping);
	err = err ?: unfold_lines(u, d->line);
	err = err ?: profile_location(u->to, mapping, d->address, u->lines.data, u->lines.len, out);
	if (err)
		return err;
	u->to->locations.data[*out].is_folded |= d->folded != 0;
	u->locations[id] = *out;
	return 0;
}

static int unfold_stack(struct unfolding *u, uint32_t id, uint32_t *out)
{
	int err = 0;

	u->frames.len = 0;
	while (id != DICT_NONE && !err) {
		const struct dict_stack *d = &u->d->stacks.data[id];
		uint32_t location;

		err = unfold_location(u, d->location, &location) ?: vec_push(&u->frames, location);
		id = d->parent;
	}
	return err ?: profile_stack(u->to, u->frames.data, u->frames.len, out);
}

static int unfold_label(struct unfolding *u, const struct series_label *s, int64_t number)
{
	struct profile_label l = {.str = PROFILE_NONE, .num = number};
	int err = profile_string_n(u->to, s->key, s->key_len, &l.key);

	err = err
		      ?: profile_string_n(u->to, s->value, s->value_len,
					  s->is_number ? &l.num_unit : &l.str);
	return err ?: vec_push(&u->labels, l);
}

static int unfold_labelset(struct unfolding *u, uint32_t id, uint32_t *out)
{
	const struct dict_labelset *d = &u->d->labelsets.data[id];
	const char *series = strtab_get(u->d->series, d->series);
	struct series_label l;
	uint32_t n = 0;
	int err = 0;

	*out = u->labelsets[id];
	if (*out != PROFILE_NONE)
		return 0;
	u->labels.len = 0;
	while (!err && series_next(&series, &l)) {
		bool has_number = l.is_number && n < d->n_values;

		err = unfold_label(u, &l, has_number ? u->d->values.data[d->first_value + n] : 0);
		n += l.is_number;
	}
	err = err ?: profile_labelset(u->to, u->labels.data, u->labels.len, out);
	u->labelsets[id] = *out;
	return err;
}

static int unfold_all(struct unfolding *u, const struct sums *sums)
{
	uint32_t stack = 0, last = 0, labelset;
	int err = 0;

	for (size_t i = 0; i < sums->items.len && !err; i++) {
		const struct sort_item *item = &sums->items.data[i];
		uint32_t id = (uint32_t)(item->key >> 32);

		if (!i || id != last) /* those of one stack follow each other */
			err = unfold_stack(u, id, &stack);
		last = id;
		err = err ?: unfold_labelset(u, (uint32_t)item->key, &labelset);
		err = err ?: profile_add(u->to, stack, labelset, sums->values.data + item->value);
	}
	return err;
}

int unfold(struct profile *to, const struct dict *d, const struct sums *sums)
{
	struct unfolding u;
	int err = unfolding_init(&u, to, d) ?: unfold_all(&u, sums);

	unfolding_release(&u);
	return err;
}
