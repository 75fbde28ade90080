// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of the stacks that became paths (heavy_items.c) only the sets that have a line are looked at, level by level: a set is a
 * run of items, and its heaviest child is sorted to the run's begin.
 */
#include <string.h>
#include <sys/param.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/heavy_path.h"
#include "profiler/profile/heavy_priv.h"
#include "profiler/profile/table.h"

/* What keeps this share of a line's weight continues it: a reader takes a line's share for that of its last. */
#define KEEPS 0.9
/* A branch has at least this share of its line. */
#define BRANCH_SHARE 0.1
#define BRANCHES     3
/* At the left, and of a line there, which is most likely main(); their shares are of the profile alone. */
#define FIRST_BRANCHES 5

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
	return heavy_items_build(&b) ?: choose_lines(&b);
}

void heavy_path_release(struct heavy_path *h)
{
	strtab_free(h->strings);
	vec_release(&h->calls);
	vec_release(&h->lines);
	*h = (struct heavy_path){0};
}
