// SPDX-License-Identifier: GPL-2.0-or-later
/* Stacks become short paths of functions, and those of one path and command an item. */
#include "profiler/profile/heavy_priv.h"

#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/interpreters.h"
#include "profiler/profile/table.h"

/* Frames looked at, from the outermost on: a location of a foreign file may hold any number. */
#define MAX_DEPTH 4096
/* Functions of a path. No line is so long. */
#define MAX_PATH (HEAVY_CALLS - 1)

/* --- functions ----------------------------------------------------------------------------------- */

struct search {
	const struct builder *b;
	struct row_key key;
	uint32_t stack, command;
};

static bool same_function(const void *ctx, uint32_t id)
{
	const struct search *s = ctx;
	const struct function *f = &s->b->functions.data[id];

	return f->name == s->key.name && f->module == s->key.module;
}

static int add_frame(struct builder *b, uint32_t location, const struct profile_line *line)
{
	struct search search = {.b = b};
	struct function f = {.kind = profile_frame_kind(b->p, location)};
	int err = row_key_of_frame(&b->namer, location, line, &search.key);
	uint64_t hash = hash_mix(search.key.name, search.key.module);
	uint32_t id;

	if (err)
		return err;
	id = htab_find(&b->function_index, hash, same_function, &search);
	if (id != HTAB_NONE)
		return vec_push(&b->frames, id);
	id = (uint32_t)b->functions.len;
	f.name = search.key.name;
	f.module = search.key.module;
	f.role = frame_role_of(strtab_get(b->out->strings, f.name),
			       strtab_get(b->out->strings, f.module), f.kind);
	f.of = interpreter_of_function(strtab_get(b->out->strings, f.name));
	f.loop = interpreter_of_loop(strtab_get(b->out->strings, f.name));
	return vec_push(&b->functions, f) ?: htab_insert(&b->function_index, hash, id) ?:
	       vec_push(&b->frames, id);
}

static int add_locations(struct builder *b)
{
	const struct profile *p = b->p;
	int err = 0;

	for (size_t i = 0; !err && i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];

		err = vec_push(&b->location_first, (uint32_t)b->frames.len);
		if (!err && !l->n_lines)
			err = add_frame(b, (uint32_t)i, NULL);
		for (uint32_t k = 0; !err && k < l->n_lines; k++)
			err = add_frame(b, (uint32_t)i, &p->lines.data[l->first_line + k]);
	}
	return err ?: vec_push(&b->location_first, (uint32_t)b->frames.len);
}

/* --- paths --------------------------------------------------------------------------------------- */

static int load_raw(struct builder *b, const struct profile_stack *s)
{
	b->raw.len = 0;
	for (uint32_t i = s->len; i-- > 0;) {
		uint32_t location = b->p->frames.data[s->first + i];
		uint32_t first = b->location_first.data[location];

		for (uint32_t k = b->location_first.data[location + 1]; k-- > first;)
			if (b->raw.len < MAX_DEPTH && vec_push(&b->raw, b->frames.data[k]))
				return -ENOMEM;
	}
	return 0;
}

/* Behind the entry of an engine, or at its loop: who called it has nothing to do with what it runs. */
static size_t begin_of_engine(const struct builder *b, size_t from)
{
	for (size_t i = from; i + 1 < b->raw.len; i++) {
		const struct function *f = &b->functions.data[b->raw.data[i]];
		const struct function *next = &b->functions.data[b->raw.data[i + 1]];

		if (f->role == ROLE_ENGINE)
			return i + (!f->loop && next->kind != FRAME_SYNTHETIC);
	}
	return from;
}

/* The first function of a program's own, after *main, or main() where there is none. Without a main() that is its
 * index. */
static size_t find_begin(const struct builder *b, size_t *main)
{
	size_t i, last = SIZE_MAX;

	for (i = 0; i < b->raw.len; i++) {
		const struct function *f = &b->functions.data[b->raw.data[i]];

		if (f->role == ROLE_CODE && f->kind != FRAME_KERNEL)
			break;
		if (f->role == ROLE_MAIN)
			last = i;
	}
	if (i == b->raw.len)
		i = begin_of_engine(b, last == SIZE_MAX ? 0 : last);
	*main = last == SIZE_MAX ? i : last;
	return i;
}

static const struct function *step_at(const struct builder *b, size_t at)
{
	return &b->functions.data[b->path.data[at]];
}

/* Forgets all but the first steps. */
static void cut_path(struct builder *b, size_t len)
{
	while (b->path.len > len) {
		struct function *f = &b->functions.data[vec_last(&b->path)];

		f->place = f->place == b->path.len ? 0 : f->place;
		b->path.len--;
	}
}

static bool serves(const struct function *f)
{
	return f->role == ROLE_PLUMBING || f->role == ROLE_ENGINE;
}

/* An interpreter comes back between any two functions of its language: that is no recursion. */
static bool comes_back(const struct builder *b, const struct function *f)
{
	size_t at = b->path.len;

	if (!serves(f))
		return false;
	while (at > f->place && !step_at(b, at - 1)->of)
		at--;
	return at > f->place;
}

/* How one function of a language calls another is of no interest. */
static void join_functions(struct builder *b, const struct function *f)
{
	size_t at = b->path.len;

	while (at && serves(step_at(b, at - 1)))
		at--;
	if (at && f->of && step_at(b, at - 1)->of == f->of)
		cut_path(b, at);
}

/* Where functions have names, their interpreter's loop is theirs. */
static bool is_loop_of_last(const struct builder *b, const struct function *f)
{
	return f->loop && b->path.len && step_at(b, b->path.len - 1)->of == f->loop;
}

/* What was called since the last call of the same function is forgotten. */
static int add_step(struct builder *b, uint32_t id)
{
	struct function *f = &b->functions.data[id];

	if (is_loop_of_last(b, f))
		return 0;
	if (f->place && !comes_back(b, f)) {
		cut_path(b, f->place);
		return 0;
	}
	join_functions(b, f);
	f->place = (uint32_t)b->path.len + 1;
	return vec_push(&b->path, id);
}

/* kiln's own frames are none; ceremony is one only where nothing comes after it. */
static int make_path(struct builder *b, const struct profile_stack *s)
{
	size_t n, begin, main;
	int err = load_raw(b, s);

	b->path.len = 0;
	for (n = b->raw.len; n; n--)
		if (b->functions.data[b->raw.data[n - 1]].kind != FRAME_SYNTHETIC)
			break;
	begin = find_begin(b, &main);
	if (!err && main < begin && begin < n)
		err = add_step(b, b->raw.data[main]);
	for (size_t i = begin; !err && i < n; i++)
		if (b->functions.data[b->raw.data[i]].role != ROLE_CEREMONY || i + 1 == n)
			err = add_step(b, b->raw.data[i]);
	for (size_t i = 0; i < b->path.len; i++) {
		b->functions.data[b->path.data[i]].place = 0;
		if (!err && i < MAX_PATH)
			err = vec_push(&b->steps, b->path.data[i]);
	}
	return err;
}

static int make_paths(struct builder *b)
{
	int err = 0;

	for (size_t i = 0; !err && i < b->p->stacks.len; i++) {
		struct path path = {.first = (uint32_t)b->steps.len};

		err = make_path(b, &b->p->stacks.data[i]);
		path.len = (uint32_t)b->steps.len - path.first;
		err = err ?: vec_push(&b->paths, path);
	}
	return err;
}

/* --- items --------------------------------------------------------------------------------------- */

static bool same_item(const void *ctx, uint32_t id)
{
	const struct search *s = ctx;

	return s->b->items.data[id].stack == s->stack && s->b->items.data[id].command == s->command;
}

static int add_item(struct builder *b, const struct profile_sample *s)
{
	int64_t value = b->p->values.data[s->first_value + b->o->value];
	struct search search = {
		.b = b,
		.stack = s->stack,
		.command = b->o->commands ? b->o->commands->of_labelset.data[s->labelset] : 0,
	};
	uint64_t hash = hash_mix(search.stack, search.command);
	struct item fresh = {search.stack, search.command, value};
	uint32_t id;

	if (value <= 0 || !b->paths.data[s->stack].len)
		return 0;
	id = htab_find(&b->item_index, hash, same_item, &search);
	if (id == HTAB_NONE)
		return vec_push(&b->items, fresh)
			       ?: htab_insert(&b->item_index, hash, (uint32_t)b->items.len - 1);
	b->items.data[id].value = saturating_sum(b->items.data[id].value, value);
	return 0;
}

static int add_items(struct builder *b)
{
	size_t n = b->functions.len + (b->o->commands ? b->o->commands->rows.len : 0);
	int err = vec_reserve(&b->sums, n + 1);

	if (!err)
		memset(b->sums.data, 0, (n + 1) * sizeof(*b->sums.data));
	for (size_t i = 0; !err && i < b->p->samples.len; i++)
		err = add_item(b, &b->p->samples.data[i]);
	return err;
}

/* --- main() and threads -------------------------------------------------------------------------- */

static int compare_first_calls(const void *x, const void *y)
{
	const struct first_call *a = x, *b = y;

	if (a->main != b->main)
		return a->main < b->main ? -1 : 1;
	return (a->next > b->next) - (a->next < b->next);
}

static int find_first_calls(struct builder *b)
{
	int err = 0;

	for (size_t i = 0; !err && i < b->items.len; i++) {
		const struct path *path = &b->paths.data[b->items.data[i].stack];
		uint32_t first = b->steps.data[path->first];
		int64_t value = b->items.data[i].value;

		if (b->functions.data[first].role != ROLE_MAIN) {
			b->functions.data[first].begins = true;
			continue;
		}
		b->sums.data[first] = saturating_sum(b->sums.data[first], value);
		if (path->len > 1)
			err = vec_push(&b->first_calls,
				       ((struct first_call){first, b->steps.data[path->first + 1],
							    value}));
	}
	if (b->first_calls.len)
		qsort(b->first_calls.data, b->first_calls.len, sizeof(struct first_call),
		      compare_first_calls);
	return err;
}

/* A main() that will be left out does not part what it calls from what threads call. */
static int merge_threads(struct builder *b)
{
	const struct first_call *calls;
	int err = find_first_calls(b);

	calls = b->first_calls.data;
	for (size_t i = 0, end; !err && i < b->first_calls.len; i = end) {
		const struct function *next = &b->functions.data[calls[i].next];
		int64_t sum = 0;

		for (end = i;
		     end < b->first_calls.len && !compare_first_calls(&calls[i], &calls[end]);
		     end++)
			sum = saturating_sum(sum, calls[end].value);
		if (next->begins && next->role == ROLE_CODE &&
		    (double)sum >= KEEPS_OF_MAIN * (double)b->sums.data[calls[i].main])
			b->functions.data[calls[i].main].only = calls[i].next + 1;
	}
	for (size_t i = 0; !err && i < b->paths.len; i++) {
		struct path *path = &b->paths.data[i];

		if (path->len > 1 && b->functions.data[b->steps.data[path->first]].only ==
					     b->steps.data[path->first + 1] + 1) {
			path->first++;
			path->len--;
		}
	}
	memset(b->sums.data, 0, (b->functions.len + 1) * sizeof(*b->sums.data));
	return err;
}

int heavy_items_build(struct builder *b)
{
	return add_locations(b) ?: make_paths(b) ?: add_items(b) ?: merge_threads(b);
}
