// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks become short paths of functions once. Then only the sets of stacks that have a line are looked at, level by
 * level: a set is a run of items, and its heaviest child is sorted to the run's begin.
 */
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/heavy_path.h"
#include "profiler/profile/interpreters.h"
#include "profiler/profile/table.h"
#include "profiler/profile/table_names.h"

/* Frames looked at, from the outermost on: a location of a foreign file may hold any number. */
#define MAX_DEPTH 4096
/* Functions of a path. No line is so long. */
#define MAX_PATH (HEAVY_CALLS - 1)
/* What keeps this share of a line's weight continues it: a reader takes a line's share for that of its last. */
#define KEEPS 0.9
/* A line that loses its main() has the share of what is left. */
#define KEEPS_OF_MAIN 0.85
/* A branch has at least this share of its line. */
#define BRANCH_SHARE 0.1
#define BRANCHES     3
/* At the left, and of a line there, which is most likely main(); their shares are of the profile alone. */
#define FIRST_BRANCHES 5

struct function {
	uint32_t name, module; /* strings */
	enum frame_kind kind;
	enum frame_role role;
	const struct interpreter *of;	/* in whose language it was written, or NULL */
	const struct interpreter *loop; /* whose loop it is, or NULL */
	uint32_t place;			/* 1 + index in the path that is made */
	bool begins;			/* a path, where no main() called it */
	uint32_t only;			/* of main(): 1 + what it calls nearly always, if that begins paths */
};

struct path {
	uint32_t first, len; /* in steps */
};

/* What a main() calls. */
struct first_call {
	uint32_t main, next; /* functions */
	int64_t value;
};

struct item {
	uint32_t stack, command;
	int64_t value;
};

/* A line while it may get branches: items [begin, end) have the same first `depth` steps. */
struct branch {
	struct heavy_line line;
	size_t begin, end, depth;
	uint32_t parent; /* branch, or NONE */
	uint32_t step;	 /* the line's first */
	bool expanded;
};
#define NONE UINT32_MAX

struct builder {
	const struct profile *p;
	const struct heavy_opts *o;
	struct heavy_path *out;
	struct row_namer namer;
	VEC(struct function) functions;
	struct htab function_index;
	VEC(uint32_t) location_first; /* in frames; one more than locations */
	VEC(uint32_t) frames;	      /* functions, innermost first */
	VEC(uint32_t) raw, path;      /* of one stack, outermost first */
	VEC(struct path) paths;	      /* of each stack */
	VEC(uint32_t) steps;	      /* functions */
	VEC(struct item) items;
	struct htab item_index;
	VEC(struct first_call) first_calls;
	VEC(struct branch) branches;
	VEC(int64_t) sums;     /* by function, then by command; 0 but for those in `touched` */
	VEC(uint32_t) touched; /* heaviest first */
	int64_t gross;
};

static void builder_release(struct builder *b)
{
	row_namer_release(&b->namer);
	vec_release(&b->functions);
	htab_release(&b->function_index);
	vec_release(&b->location_first);
	vec_release(&b->frames);
	vec_release(&b->raw);
	vec_release(&b->path);
	vec_release(&b->paths);
	vec_release(&b->steps);
	vec_release(&b->items);
	htab_release(&b->item_index);
	vec_release(&b->first_calls);
	vec_release(&b->branches);
	vec_release(&b->sums);
	vec_release(&b->touched);
}

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

/* --- lines --------------------------------------------------------------------------------------- */

/* Step `depth` of an item: its command comes first, numbered after the functions. NONE: there is no more. */
static uint32_t step_of(const struct builder *b, const struct item *item, size_t depth)
{
	const struct path *path = &b->paths.data[item->stack];

	if (b->o->commands && !depth--)
		return (uint32_t)b->functions.len + item->command;
	return depth < path->len ? b->steps.data[path->first + depth] : NONE;
}

static enum heavy_rank rank_of(const struct builder *b, const struct function *f)
{
	const char *name = strtab_get(b->out->strings, f->name);

	if (frame_name_is_vague(name))
		return HEAVY_NAMELESS;
	if (f->role != ROLE_CODE)
		return HEAVY_SERVANT;
	return f->kind == FRAME_KERNEL || *name == '[' ||
			       profile_module_is_library(strtab_get(b->out->strings, f->module))
		       ? HEAVY_OTHERS
		       : HEAVY_OWN;
}

/* 0 or -ENOMEM. */
static int call_of_step(struct builder *b, uint32_t step, struct heavy_call *call)
{
	if (step < b->functions.len) {
		const struct function *f = &b->functions.data[step];

		call->name = f->name;
		call->rank = rank_of(b, f);
		return 0;
	}
	call->rank = HEAVY_OWN;
	return strtab_add(b->out->strings, b->o->commands->rows.data[step - b->functions.len].name,
			  &call->name);
}

static int compare_steps(const void *x, const void *y, void *ctx)
{
	const struct builder *b = ctx;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y, n = (uint32_t)b->functions.len;
	int64_t a = b->sums.data[i], c = b->sums.data[j];

	if (a != c)
		return a > c ? -1 : 1;
	if (i >= n || j >= n)
		return i < j ? -1 : i > j;
	return strcmp(strtab_get(b->out->strings, b->functions.data[i].name),
		      strtab_get(b->out->strings, b->functions.data[j].name))
		       ?: strcmp(strtab_get(b->out->strings, b->functions.data[i].module),
				 strtab_get(b->out->strings, b->functions.data[j].module));
}

/* What comes next in a branch: `touched` and `sums`, until the next call. */
static int count_next(struct builder *b, const struct branch *s)
{
	for (size_t i = 0; i < b->touched.len; i++)
		b->sums.data[b->touched.data[i]] = 0;
	b->touched.len = 0;
	for (size_t i = s->begin; i < s->end; i++) {
		const struct item *item = &b->items.data[i];
		uint32_t step = step_of(b, item, s->depth);

		if (step == NONE)
			continue;
		if (!b->sums.data[step] && vec_push(&b->touched, step))
			return -ENOMEM;
		b->sums.data[step] = saturating_sum(b->sums.data[step], item->value);
	}
	if (b->touched.len)
		qsort_r(b->touched.data, b->touched.len, sizeof(uint32_t), compare_steps, b);
	return 0;
}

/* Moves items with this step to the begin of a run, and returns their end. */
static size_t gather(struct builder *b, size_t begin, size_t end, size_t depth, uint32_t step)
{
	for (size_t i = begin; i < end; i++) {
		if (step_of(b, &b->items.data[i], depth) == step) {
			struct item item = b->items.data[i];

			b->items.data[i] = b->items.data[begin];
			b->items.data[begin++] = item;
		}
	}
	return begin;
}

static int add_call(struct builder *b, struct branch *s, uint32_t step, int64_t total)
{
	struct heavy_call call = {.total = total};

	s->line.len++;
	s->end = gather(b, s->begin, s->end, s->depth++, step);
	return call_of_step(b, step, &call) ?: vec_push(&b->out->calls, call);
}

/* main() says nothing where one function of the program's does all. */
static bool is_left_out(const struct builder *b, uint32_t step, uint32_t next)
{
	return step < b->functions.len && b->functions.data[step].role == ROLE_MAIN &&
	       b->functions.data[next].role == ROLE_CODE;
}

static void leave_out_last(struct builder *b, struct branch *s, int64_t next)
{
	b->out->calls.len--;
	if (!--s->line.len)
		s->line.total = next;
}

/* Writes a line: its first call, and others as long as they keep its weight. */
static int write_line(struct builder *b, struct branch *s)
{
	uint32_t step = s->step, next;
	int err;

	s->line.first = (uint32_t)b->out->calls.len;
	err = add_call(b, s, step, s->line.total) ?: count_next(b, s);
	while (!err && b->touched.len) {
		bool left_out;

		next = b->touched.data[0];
		left_out = is_left_out(b, step, next);
		if ((double)b->sums.data[next] <
		    (left_out && s->line.len == 1 ? KEEPS_OF_MAIN : KEEPS) * (double)s->line.total)
			break;
		if (left_out)
			leave_out_last(b, s, b->sums.data[next]);
		err = add_call(b, s, next, b->sums.data[next]) ?: count_next(b, s);
		step = next;
	}
	return err;
}

/* A branch with all items of its first step, which are gathered from `begin` on. */
static int add_branch(struct builder *b, uint32_t parent, size_t *begin, uint32_t step)
{
	const struct branch *above = &b->branches.data[parent];
	struct branch s = {
		.line = {.level = above->line.level + 1, .total = b->sums.data[step]},
		.begin = *begin,
		.end = gather(b, *begin, above->end, above->depth, step),
		.depth = above->depth,
		.parent = parent,
		.step = step,
	};

	*begin = s.end;
	return vec_push(&b->branches, s);
}

/* Gives a line its branches, as far as there is room. */
static int expand(struct builder *b, uint32_t id)
{
	struct branch *s = &b->branches.data[id];
	bool first_ones = s->line.level + 1 <= 1;
	double least = MAX(first_ones ? 0 : (double)s->line.total * BRANCH_SHARE,
			   (double)b->gross * b->o->min_share);
	size_t first = b->branches.len, room = b->o->max_lines + 1 - first, begin = s->begin;
	int err = count_next(b, s);

	s->expanded = true;
	room = MIN(MIN(room, first_ones ? FIRST_BRANCHES : BRANCHES), b->touched.len);
	for (size_t i = 0; !err && i < room; i++) {
		if ((double)b->sums.data[b->touched.data[i]] < least)
			break;
		err = add_branch(b, id, &begin, b->touched.data[i]);
	}
	for (size_t i = first; !err && i < b->branches.len; i++)
		err = write_line(b, &b->branches.data[i]);
	return err;
}

static uint32_t heaviest_open(const struct builder *b)
{
	uint32_t best = NONE;

	for (size_t i = 0; i < b->branches.len; i++)
		if (!b->branches.data[i].expanded &&
		    (best == NONE ||
		     b->branches.data[i].line.total > b->branches.data[best].line.total))
			best = (uint32_t)i;
	return best;
}

static int emit(struct builder *b, uint32_t parent)
{
	int err = 0;

	for (uint32_t i = 1; !err && i < b->branches.len; i++)
		if (b->branches.data[i].parent == parent)
			err = vec_push(&b->out->lines, b->branches.data[i].line) ?: emit(b, i);
	return err;
}

static int choose_lines(struct builder *b)
{
	struct branch root = {.end = b->items.len, .parent = NONE};
	uint32_t next;
	int err;

	for (size_t i = 0; i < b->items.len; i++)
		root.line.total = saturating_sum(root.line.total, b->items.data[i].value);
	root.line.level = UINT32_MAX; /* one less than 0 */
	err = vec_push(&b->branches, root);
	while (!err && b->branches.len <= b->o->max_lines && (next = heaviest_open(b)) != NONE)
		err = expand(b, next);
	return err ?: emit(b, 0);
}

int heavy_path_build(struct heavy_path *out, const struct profile *p, const struct heavy_opts *o)
{
	_cleanup_(builder_release) struct builder b = {.p = p, .o = o, .out = out};

	*out = (struct heavy_path){.strings = strtab_new()};
	if (!out->strings)
		return -ENOMEM;
	b.namer = (struct row_namer){.p = p, .strings = out->strings, .by = TABLE_FUNCTION};
	b.gross = profile_gross(p, o->value);
	return add_locations(&b) ?: make_paths(&b) ?: add_items(&b) ?: merge_threads(&b) ?: choose_lines(&b);
}

void heavy_path_release(struct heavy_path *h)
{
	strtab_free(h->strings);
	vec_release(&h->calls);
	vec_release(&h->lines);
	*h = (struct heavy_path){0};
}
