// SPDX-License-Identifier: GPL-2.0-or-later
/* A window in numbers of a dictionary. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/store/dict.h"

/* From a profile's number to the dictionary's; UNKNOWN while nothing has asked for it. */
#define UNKNOWN (DICT_NONE - 1)

struct adder {
	struct dict *d;
	const struct profile *p;
	uint32_t *strings, *mappings, *functions, *locations, *stacks, *labelsets;
	struct buf series;    /* scratch */
	VEC(int64_t) numbers; /* scratch */
};

static uint32_t *new_table(size_t n)
{
	uint32_t *t = malloc((n + 1) * sizeof(*t));

	for (size_t i = 0; t && i < n; i++)
		t[i] = UNKNOWN;
	return t;
}

static void adder_release(struct adder *a)
{
	free(a->strings);
	free(a->mappings);
	free(a->functions);
	free(a->locations);
	free(a->stacks);
	free(a->labelsets);
	buf_release(&a->series);
	vec_release(&a->numbers);
}

static int adder_init(struct adder *a, struct dict *d, const struct profile *p)
{
	*a = (struct adder){
		.d = d,
		.p = p,
		.strings = new_table(strtab_count(p->strings)),
		.mappings = new_table(p->mappings.len),
		.functions = new_table(p->functions.len),
		.locations = new_table(p->locations.len),
		.stacks = new_table(p->stacks.len),
		.labelsets = new_table(p->labelsets.len),
	};
	return a->strings && a->mappings && a->functions && a->locations && a->stacks &&
			       a->labelsets
		       ? 0
		       : -ENOMEM;
}

static int add_string(struct adder *a, uint32_t id, uint32_t *out)
{
	uint32_t *known = &a->strings[id];
	int err = *known == UNKNOWN ? dict_string(a->d, profile_text(a->p, id), known) : 0;

	*out = *known;
	return err;
}

static int add_mapping(struct adder *a, uint32_t id, uint32_t *out)
{
	const struct profile_mapping *m;
	struct dict_mapping r = {0};
	int err;

	*out = DICT_NONE;
	if (id == PROFILE_NONE)
		return 0;
	*out = a->mappings[id];
	if (*out != UNKNOWN)
		return 0;
	m = &a->p->mappings.data[id];
	r.start = m->start;
	r.limit = m->limit;
	r.offset = m->offset;
	r.flags = (m->has_functions ? DICT_HAS_FUNCTIONS : 0) |
		  (m->has_filenames ? DICT_HAS_FILENAMES : 0) |
		  (m->has_line_numbers ? DICT_HAS_LINE_NUMBERS : 0) |
		  (m->has_inline_frames ? DICT_HAS_INLINE_FRAMES : 0);
	err = add_string(a, m->file, &r.file) ?: add_string(a, m->build_id, &r.build_id);
	err = err ?: dict_mapping(a->d, &r, &a->mappings[id]);
	*out = a->mappings[id];
	return err;
}

static int add_function(struct adder *a, uint32_t id, uint32_t *out)
{
	const struct profile_function *f = &a->p->functions.data[id];
	struct dict_function r = {.start_line = f->start_line};
	int err = 0;

	if (a->functions[id] == UNKNOWN) {
		err = add_string(a, f->name, &r.name);
		err = err ?: add_string(a, f->system_name, &r.system_name);
		err = err ?: add_string(a, f->file, &r.file);
		err = err ?: dict_function(a->d, &r, &a->functions[id]);
	}
	*out = a->functions[id];
	return err;
}

/* The function itself first, then what was inlined into it. */
static int add_lines(struct adder *a, const struct profile_location *l, uint32_t *out)
{
	struct dict_line r = {0};
	int err = 0;

	*out = DICT_NONE;
	for (uint32_t i = l->n_lines; i > 0 && !err; i--) {
		const struct profile_line *line = &a->p->lines.data[l->first_line + i - 1];

		r.parent = *out;
		r.line = line->line;
		err = add_function(a, line->function, &r.function);
		err = err ?: dict_line(a->d, &r, out);
	}
	return err;
}

static int add_location(struct adder *a, uint32_t id, uint32_t *out)
{
	const struct profile_location *l = &a->p->locations.data[id];
	struct dict_location r = {.address = l->address, .folded = l->is_folded};
	int err = 0;

	if (a->locations[id] == UNKNOWN) {
		err = add_mapping(a, l->mapping, &r.mapping) ?: add_lines(a, l, &r.line);
		err = err ?: dict_location(a->d, &r, &a->locations[id]);
	}
	*out = a->locations[id];
	return err;
}

static int add_stack(struct adder *a, uint32_t id, uint32_t *out)
{
	const struct profile_stack *s = &a->p->stacks.data[id];
	const uint32_t *frames = a->p->frames.data + s->first;
	struct dict_stack r = {0};
	int err = 0;

	*out = a->stacks[id];
	if (*out != UNKNOWN)
		return 0;
	*out = DICT_NONE;
	for (uint32_t i = s->len; i > 0 && !err; i--) {
		r.parent = *out;
		err = add_location(a, frames[i - 1], &r.location);
		err = err ?: dict_stack(a->d, &r, out);
	}
	if (!err)
		a->stacks[id] = *out;
	return err;
}

static int add_labelset(struct adder *a, uint32_t id, uint32_t *out)
{
	const struct profile_labelset *s = &a->p->labelsets.data[id];
	const struct profile *p = a->p;
	uint32_t series;
	int err;

	*out = a->labelsets[id];
	if (*out != UNKNOWN)
		return 0;
	buf_clear(&a->series);
	a->numbers.len = 0;
	if (vec_reserve(&a->numbers, s->len))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->len; i++) {
		const struct profile_label *l = &p->labels.data[s->first + i];
		bool is_number = l->str == PROFILE_NONE;

		series_add(&a->series, profile_text(p, l->key),
			   profile_text(p, is_number ? l->num_unit : l->str), is_number);
		if (is_number)
			a->numbers.data[a->numbers.len++] = l->num;
	}
	err = a->series.err ?: dict_series(a->d, buf_cstr(&a->series), &series);
	err = err
		      ?: dict_labelset(a->d, series, a->numbers.data, (uint32_t)a->numbers.len,
				       &a->labelsets[id]);
	*out = a->labelsets[id];
	return err;
}

static int add_sample(struct adder *a, const struct profile_sample *s, struct dict_window *out)
{
	struct dict_sample r = {.first_value = (uint32_t)out->values.len};
	int err = add_labelset(a, s->labelset, &r.labelset) ?: add_stack(a, s->stack, &r.stack);

	err = err ?: vec_reserve(&out->values, out->values.len + out->n_types);
	for (uint32_t i = 0; i < out->n_types && !err; i++)
		out->values.data[out->values.len++] = a->p->values.data[s->first_value + i];
	return err ?: vec_push(&out->samples, r);
}

int dict_add_blame(struct dict *d, const struct quality_blame *b, struct dict_window *out)
{
	struct dict_blame r = {0, DICT_NONE, b->frames, b->unnamed, b->broken};
	int err = dict_string(d, b->module, &r.module);

	if (!err && b->hint)
		err = dict_string(d, b->hint, &r.hint);
	return err ?: vec_push(&out->blame, r);
}

void dict_window_release(struct dict_window *w)
{
	vec_release(&w->samples);
	vec_release(&w->values);
	vec_release(&w->blame);
}

int dict_add_window(struct dict *d, const struct profile *p, const struct quality *q,
		    struct dict_window *out)
{
	struct dict_window got = {.n_types = (uint32_t)p->sample_types.len};
	struct adder a;
	int err = adder_init(&a, d, p);

	for (size_t i = 0; i < p->samples.len && !err; i++)
		err = add_sample(&a, &p->samples.data[i], &got);
	adder_release(&a);
	for (size_t i = 0; i < q->blame.len && !err; i++)
		err = dict_add_blame(d, &q->blame.data[i], &got);
	if (err)
		dict_window_release(&got);
	else
		*out = got;
	return err;
}
