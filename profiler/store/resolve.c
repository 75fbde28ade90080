// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/resolve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/profile/profile.h"
#include "profiler/store/grow.h"

#define MAX_FRAMES  65536 /* in one stack, as profiles from files have at most */
#define MAX_INLINED 1024

int resolver_init(struct resolver *r, struct reader *from, struct dict *to)
{
	*r = (struct resolver){.from = from, .to = to};
	return resolver_grow(r);
}

int resolver_grow(struct resolver *r)
{
	for (enum section s = 0; s < SECTION_LABELSETS; s++)
		if (grow_zeroed((void **)&r->memo[s], &r->n_memo[s], reader_count(r->from, s),
				sizeof(**r->memo)))
			return -ENOMEM;
	return 0;
}

void resolver_release(struct resolver *r)
{
	for (int s = 0; s < SECTION_COUNT; s++)
		free(r->memo[s]);
	vec_release(&r->path);
	*r = (struct resolver){0};
}

static bool is_known(const struct resolver *r, enum section s, uint32_t id, uint32_t *out)
{
	if (id >= r->n_memo[s] || !r->memo[s][id])
		return false;
	*out = r->memo[s][id] - 1;
	return true;
}

static int remember(struct resolver *r, enum section s, uint32_t id, int err, const uint32_t *value)
{
	if (!err && id < r->n_memo[s])
		r->memo[s][id] = *value + 1;
	return err;
}

static int resolve_string(struct resolver *r, uint32_t id, const char *if_damaged, uint32_t *out)
{
	const char *s;

	if (is_known(r, SECTION_STRINGS, id, out))
		return 0;
	s = reader_string(r->from, id);
	return remember(r, SECTION_STRINGS, id, dict_string(r->to, s ? s : if_damaged, out), out);
}

static int resolve_mapping(struct resolver *r, uint32_t id, uint32_t *out)
{
	const struct dict_mapping *d;
	struct dict_mapping m;
	int err;

	if (id != DICT_NONE && is_known(r, SECTION_MAPPINGS, id, out))
		return 0;
	*out = DICT_NONE;
	d = id == DICT_NONE ? NULL : reader_record(r->from, SECTION_MAPPINGS, id);
	if (!d)
		return 0;
	m = *d;
	err = resolve_string(r, d->file, "", &m.file);
	err = err ?: resolve_string(r, d->build_id, "", &m.build_id);
	err = err ?: dict_mapping(r->to, &m, out);
	return remember(r, SECTION_MAPPINGS, id, err, out);
}

static int add_named(struct dict *d, const char *name, uint32_t *out)
{
	struct dict_function f = {0};
	int err = dict_string(d, name, &f.name);

	f.system_name = f.name;
	return err ?: dict_function(d, &f, out);
}

static int resolve_function(struct resolver *r, uint32_t id, uint32_t *out)
{
	const struct dict_function *d;
	struct dict_function f;
	int err;

	if (is_known(r, SECTION_FUNCTIONS, id, out))
		return 0;
	d = reader_record(r->from, SECTION_FUNCTIONS, id);
	if (!d)
		return add_named(r->to, FRAME_DAMAGED_NAME, out);
	f = *d;
	err = resolve_string(r, d->name, FRAME_DAMAGED_NAME, &f.name);
	err = err ?: resolve_string(r, d->system_name, FRAME_DAMAGED_NAME, &f.system_name);
	err = err ?: resolve_string(r, d->file, "", &f.file) ?: dict_function(r->to, &f, out);
	return remember(r, SECTION_FUNCTIONS, id, err, out);
}

static int resolve_line(struct resolver *r, uint32_t id, unsigned depth, uint32_t *out)
{
	const struct dict_line *d;
	struct dict_line l = {0};
	int err;

	if (is_known(r, SECTION_LINES, id, out))
		return 0;
	d = depth < MAX_INLINED ? reader_record(r->from, SECTION_LINES, id) : NULL;
	l.parent = DICT_NONE;
	l.line = d ? d->line : 0;
	err = resolve_function(r, d ? d->function : DICT_NONE, &l.function);
	if (!err && d && d->parent != DICT_NONE)
		err = resolve_line(r, d->parent, depth + 1, &l.parent);
	err = err ?: dict_line(r->to, &l, out);
	return remember(r, SECTION_LINES, id, err, out);
}

/* A function in MAPPING_KILN and nothing else. */
static int add_kiln_frame(struct dict *d, const char *name, uint32_t *out)
{
	struct dict_mapping m = {.flags = DICT_HAS_FUNCTIONS};
	struct dict_line line = {.parent = DICT_NONE};
	struct dict_location l = {0};
	int err = dict_string(d, MAPPING_KILN, &m.file) ?: dict_mapping(d, &m, &l.mapping);

	err = err ?: add_named(d, name, &line.function) ?: dict_line(d, &line, &l.line);
	return err ?: dict_location(d, &l, out);
}

static int resolve_location(struct resolver *r, uint32_t id, uint32_t *out)
{
	const struct dict_location *d;
	struct dict_location l;
	int err;

	if (is_known(r, SECTION_LOCATIONS, id, out))
		return 0;
	d = reader_record(r->from, SECTION_LOCATIONS, id);
	if (!d)
		return add_kiln_frame(r->to, FRAME_DAMAGED_FRAME, out);
	l = *d;
	err = resolve_mapping(r, d->mapping, &l.mapping);
	if (!err && d->line != DICT_NONE)
		err = resolve_line(r, d->line, 0, &l.line);
	err = err ?: dict_location(r->to, &l, out);
	return remember(r, SECTION_LOCATIONS, id, err, out);
}

int resolve_damaged_stack(struct resolver *r, uint32_t *out)
{
	struct dict_stack s = {.parent = DICT_NONE};
	int err = add_kiln_frame(r->to, FRAME_DAMAGED_STACK, &s.location);

	return err ?: dict_stack(r->to, &s, out);
}

/* Nodes that are not there yet, innermost first, into r->path; *parent is the one that they hang on.
 * What is missing towards the root has one frame. */
static int find_path(struct resolver *r, uint32_t id, uint32_t *parent)
{
	r->path.len = 0;
	*parent = DICT_NONE;
	while (id != DICT_NONE && !is_known(r, SECTION_STACKS, id, parent)) {
		const struct dict_stack *d = reader_record(r->from, SECTION_STACKS, id);

		if (!d || r->path.len >= MAX_FRAMES)
			return resolve_damaged_stack(r, parent);
		if (vec_push(&r->path, id))
			return -ENOMEM;
		id = d->parent;
	}
	return 0;
}

static int add_node(struct resolver *r, uint32_t id, uint32_t parent, uint32_t *out)
{
	const struct dict_stack *d = reader_record(r->from, SECTION_STACKS, id);
	struct dict_stack s = {.parent = parent};
	int err = resolve_location(r, d->location, &s.location) ?: dict_stack(r->to, &s, out);

	return remember(r, SECTION_STACKS, id, err, out);
}

int resolve_stack(struct resolver *r, uint32_t id, uint32_t *out)
{
	int err = find_path(r, id, out);

	for (size_t i = r->path.len; i > 0 && !err; i--)
		err = add_node(r, r->path.data[i - 1], *out, out);
	return err;
}
