// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/sort.h"

void order_free(struct dict_order *o)
{
	if (!o)
		return;
	for (int s = 0; s < SECTION_COUNT; s++) {
		free(o->old_of[s]);
		free(o->new_of[s]);
	}
	free(o);
}

/* Until order_finish() new_of is 0 for what is used and DICT_NONE for the rest. */
int order_new(struct dict_order **out, const struct dict *d)
{
	_cleanup_(dict_order_freep) struct dict_order *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	for (enum section s = 0; s < SECTION_COUNT; s++) {
		size_t bytes = (dict_count(d, s) + 1ul) * sizeof(uint32_t);

		o->new_of[s] = malloc(bytes);
		o->old_of[s] = malloc(bytes);
		if (!o->new_of[s] || !o->old_of[s])
			return -ENOMEM;
		memset(o->new_of[s], 0xff, bytes);
	}
	o->new_of[SECTION_STRINGS][0] = 0; /* "" is number 0 everywhere */
	*out = steal_ptr(o);
	return 0;
}

/* --- what is used --------------------------------------------------------------------------------- */

/* True if it is marked now and was not before. */
static bool mark(struct dict_order *o, enum section s, uint32_t id)
{
	if (id == DICT_NONE || !o->new_of[s][id])
		return false;
	o->new_of[s][id] = 0;
	return true;
}

static void mark_lines(struct dict_order *o, const struct dict *d, uint32_t id)
{
	while (mark(o, SECTION_LINES, id)) {
		const struct dict_line *l = &d->lines.data[id];
		const struct dict_function *f = &d->functions.data[l->function];

		if (mark(o, SECTION_FUNCTIONS, l->function)) {
			mark(o, SECTION_STRINGS, f->name);
			mark(o, SECTION_STRINGS, f->system_name);
			mark(o, SECTION_STRINGS, f->file);
		}
		id = l->parent;
	}
}

static void mark_location(struct dict_order *o, const struct dict *d, uint32_t id)
{
	const struct dict_location *l = &d->locations.data[id];

	if (!mark(o, SECTION_LOCATIONS, id))
		return;
	if (mark(o, SECTION_MAPPINGS, l->mapping)) {
		mark(o, SECTION_STRINGS, d->mappings.data[l->mapping].file);
		mark(o, SECTION_STRINGS, d->mappings.data[l->mapping].build_id);
	}
	mark_lines(o, d, l->line);
}

void order_mark(struct dict_order *o, const struct dict *d, const struct dict_window *w)
{
	for (size_t i = 0; i < w->samples.len; i++) {
		uint32_t stack = w->samples.data[i].stack;

		mark(o, SECTION_LABELSETS, w->samples.data[i].labelset);
		while (mark(o, SECTION_STACKS, stack)) {
			mark_location(o, d, d->stacks.data[stack].location);
			stack = d->stacks.data[stack].parent;
		}
	}
	for (size_t i = 0; i < w->blame.len; i++) {
		mark(o, SECTION_STRINGS, w->blame.data[i].module);
		mark(o, SECTION_STRINGS, w->blame.data[i].hint);
	}
}

/* --- sorting -------------------------------------------------------------------------------------- */

/* Appends it to the new order of its section, unless it is there. */
static void place(struct dict_order *o, enum section s, uint32_t id)
{
	o->old_of[s][o->count[s]] = id;
	o->new_of[s][id] = o->count[s]++;
}

struct sorting {
	const struct dict *d;
	struct dict_order *o;
	uint32_t *home; /* of a function: the first mapping that has it */
};

/* The used things of a section in old_of, sorted, and their numbers in new_of. */
static void sort_section(struct sorting *c, enum section s,
			 int (*compare)(const void *, const void *, void *))
{
	struct dict_order *o = c->o;
	uint32_t n = dict_count(c->d, s), used = 0;

	for (uint32_t i = 0; i < n; i++)
		if (o->new_of[s][i] != DICT_NONE)
			o->old_of[s][used++] = i;
	if (used)
		qsort_r(o->old_of[s], used, sizeof(**o->old_of), compare, c);
	for (uint32_t i = 0; i < used; i++)
		o->new_of[s][o->old_of[s][i]] = i;
	o->count[s] = used;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_texts(const struct dict *d, uint32_t a, uint32_t b)
{
	return a == b ? 0 : strcmp(strtab_get(d->strings, a), strtab_get(d->strings, b));
}

/* A program's mappings lie beside each other. */
static int compare_mappings(const void *va, const void *vb, void *ctx)
{
	const struct dict *d = ((struct sorting *)ctx)->d;
	const struct dict_mapping *a = &d->mappings.data[*(const uint32_t *)va],
				  *b = &d->mappings.data[*(const uint32_t *)vb];

	return compare_texts(d, a->file, b->file) ?: compare_u64(a->start, b->start) ?:
	       compare_u64(*(const uint32_t *)va, *(const uint32_t *)vb);
}

static int compare_locations(const void *va, const void *vb, void *ctx)
{
	const struct sorting *c = ctx;
	const struct dict_location *a = &c->d->locations.data[*(const uint32_t *)va],
				   *b = &c->d->locations.data[*(const uint32_t *)vb];
	const uint32_t *mapping = c->o->new_of[SECTION_MAPPINGS];
	uint32_t ma = a->mapping == DICT_NONE ? DICT_NONE : mapping[a->mapping],
		 mb = b->mapping == DICT_NONE ? DICT_NONE : mapping[b->mapping];

	return compare_u64(ma, mb) ?: compare_u64(a->address, b->address) ?:
	       compare_u64(*(const uint32_t *)va, *(const uint32_t *)vb);
}

static int compare_functions(const void *va, const void *vb, void *ctx)
{
	const struct sorting *c = ctx;
	uint32_t ia = *(const uint32_t *)va, ib = *(const uint32_t *)vb;
	const struct dict_function *a = &c->d->functions.data[ia], *b = &c->d->functions.data[ib];

	return compare_u64(c->home[ia], c->home[ib]) ?: compare_texts(c->d, a->file, b->file) ?:
	       compare_texts(c->d, a->name, b->name) ?: compare_u64(ia, ib);
}

static int compare_labelsets(const void *va, const void *vb, void *ctx)
{
	const struct dict *d = ((struct sorting *)ctx)->d;
	const struct dict_labelset *a = &d->labelsets.data[*(const uint32_t *)va],
				   *b = &d->labelsets.data[*(const uint32_t *)vb];
	int r = compare_u64(a->series, b->series);

	for (uint32_t i = 0; !r && i < a->n_values && i < b->n_values; i++) {
		int64_t x = d->values.data[a->first_value + i],
			y = d->values.data[b->first_value + i];

		r = (x > y) - (x < y);
	}
	return r ?: compare_u64(*(const uint32_t *)va, *(const uint32_t *)vb);
}

/* --- lines, strings: in the order in which what refers to them comes --------------------------------- */

static void find_homes(struct sorting *c)
{
	const struct dict_order *o = c->o;

	memset(c->home, 0xff, (dict_count(c->d, SECTION_FUNCTIONS) + 1ul) * sizeof(*c->home));
	for (uint32_t i = 0; i < o->count[SECTION_LOCATIONS]; i++) {
		const struct dict_location *l =
			&c->d->locations.data[o->old_of[SECTION_LOCATIONS][i]];

		for (uint32_t id = l->line; id != DICT_NONE; id = c->d->lines.data[id].parent) {
			uint32_t *home = &c->home[c->d->lines.data[id].function];

			if (*home == DICT_NONE && l->mapping != DICT_NONE)
				*home = o->new_of[SECTION_MAPPINGS][l->mapping];
		}
	}
}

/* Which things of a section have been placed: their order is not a comparison's. */
static bool *new_flags(const struct dict *d, enum section s)
{
	return calloc(dict_count(d, s) + 1ul, sizeof(bool));
}

/* Callers first. */
static void place_lines(struct dict_order *o, const struct dict *d, uint32_t id, bool *placed)
{
	uint32_t chain[64];
	size_t n = 0;

	while (id != DICT_NONE && !placed[id]) {
		uint32_t parent = d->lines.data[id].parent;

		if (n == sizeof(chain) / sizeof(*chain)) {
			place_lines(o, d, id, placed);
			break;
		}
		chain[n++] = id;
		id = parent;
	}
	while (n) {
		id = chain[--n];
		placed[id] = true;
		place(o, SECTION_LINES, id);
	}
}

static int order_lines(struct sorting *c)
{
	struct dict_order *o = c->o;
	_cleanup_free_ bool *placed = new_flags(c->d, SECTION_LINES);

	if (!placed)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->count[SECTION_LOCATIONS]; i++)
		place_lines(o, c->d, c->d->locations.data[o->old_of[SECTION_LOCATIONS][i]].line,
			    placed);
	return 0;
}

static void place_string(struct dict_order *o, uint32_t id, bool *placed)
{
	if (id == DICT_NONE || placed[id] || o->new_of[SECTION_STRINGS][id] == DICT_NONE)
		return;
	placed[id] = true;
	place(o, SECTION_STRINGS, id);
}

/* All names in the order of functions, then all system names, then files, then the rest: each mostly
 * follows the one before it, and resembles it. */
static int order_strings(struct sorting *c)
{
	const struct dict *d = c->d;
	struct dict_order *o = c->o;
	_cleanup_free_ bool *placed = new_flags(d, SECTION_STRINGS);
	const uint32_t *functions = o->old_of[SECTION_FUNCTIONS];
	uint32_t n = o->count[SECTION_FUNCTIONS];

	if (!placed)
		return -ENOMEM;
	place_string(o, 0, placed);
	for (uint32_t i = 0; i < n; i++)
		place_string(o, d->functions.data[functions[i]].name, placed);
	for (uint32_t i = 0; i < n; i++)
		place_string(o, d->functions.data[functions[i]].system_name, placed);
	for (uint32_t i = 0; i < n; i++)
		place_string(o, d->functions.data[functions[i]].file, placed);
	for (uint32_t i = 0; i < o->count[SECTION_MAPPINGS]; i++)
		place_string(o, d->mappings.data[o->old_of[SECTION_MAPPINGS][i]].file, placed);
	for (uint32_t i = 0; i < o->count[SECTION_MAPPINGS]; i++)
		place_string(o, d->mappings.data[o->old_of[SECTION_MAPPINGS][i]].build_id, placed);
	for (uint32_t i = 0; i < dict_count(d, SECTION_STRINGS); i++)
		place_string(o, i, placed);
	return 0;
}

/* --- stacks: depth first, so that what was called from one place lies together ------------------------ */

struct walk {
	struct sort_item *nodes; /* by parent, then location */
	uint32_t *
		first_child; /* of a node, DICT_NONE: of the roots; an index into nodes, or the end */
	VEC(uint32_t) pending;
};

/* Parents are counted from 1 in the keys: 0 is that of the roots. */
static uint64_t parent_key(uint32_t parent)
{
	return parent == DICT_NONE ? 0 : parent + 1ull;
}

static size_t used_nodes(const struct sorting *c, struct sort_item *nodes)
{
	const uint32_t *used = c->o->new_of[SECTION_STACKS];
	size_t n = 0;

	for (uint32_t i = 0; i < c->d->stacks.len; i++) {
		const struct dict_stack *s = &c->d->stacks.data[i];

		if (used[i] == DICT_NONE)
			continue;
		nodes[n].key =
			parent_key(s->parent) << 32 | c->o->new_of[SECTION_LOCATIONS][s->location];
		nodes[n++].value = i;
	}
	sort_items(nodes, n);
	return n;
}

/* Children of a parent onto the pending ones, the first on top. */
static int push_children(struct walk *w, size_t n, uint64_t key)
{
	uint32_t from = w->first_child[key], to = from;

	while (to < n && w->nodes[to].key >> 32 == key)
		to++;
	for (uint32_t i = to; i > from; i--)
		if (vec_push(&w->pending, (uint32_t)w->nodes[i - 1].value))
			return -ENOMEM;
	return 0;
}

static int walk_stacks(struct sorting *c, struct walk *w)
{
	size_t n = used_nodes(c, w->nodes);
	int err;

	for (size_t i = n; i > 0; i--)
		w->first_child[w->nodes[i - 1].key >> 32] = (uint32_t)i - 1;
	err = push_children(w, n, 0);
	while (!err && w->pending.len) {
		uint32_t id = w->pending.data[--w->pending.len];

		place(c->o, SECTION_STACKS, id);
		err = push_children(w, n, parent_key(id));
	}
	return err;
}

static int order_stacks(struct sorting *c)
{
	size_t n = c->d->stacks.len + 1;
	struct walk w = {malloc(n * sizeof(*w.nodes)), malloc((n + 1) * sizeof(*w.first_child))};
	int err = w.nodes && w.first_child ? 0 : -ENOMEM;

	if (!err) {
		memset(w.first_child, 0xff, (n + 1) * sizeof(*w.first_child));
		err = walk_stacks(c, &w);
	}
	free(w.nodes);
	free(w.first_child);
	vec_release(&w.pending);
	return err;
}

int order_finish(struct dict_order *o, const struct dict *d)
{
	_cleanup_free_ uint32_t *home = malloc((d->functions.len + 1) * sizeof(*home));
	struct sorting c = {d, o, home};

	if (!home)
		return -ENOMEM;
	sort_section(&c, SECTION_MAPPINGS, compare_mappings);
	sort_section(&c, SECTION_LOCATIONS, compare_locations);
	find_homes(&c);
	sort_section(&c, SECTION_FUNCTIONS, compare_functions);
	sort_section(&c, SECTION_LABELSETS, compare_labelsets);
	return order_lines(&c) ?: order_strings(&c) ?: order_stacks(&c);
}

void order_renumber(const struct dict_order *o, struct dict_window *w)
{
	for (size_t i = 0; i < w->samples.len; i++) {
		struct dict_sample *s = &w->samples.data[i];

		s->labelset = o->new_of[SECTION_LABELSETS][s->labelset];
		if (s->stack != DICT_NONE)
			s->stack = o->new_of[SECTION_STACKS][s->stack];
	}
	for (size_t i = 0; i < w->blame.len; i++) {
		struct dict_blame *b = &w->blame.data[i];

		b->module = o->new_of[SECTION_STRINGS][b->module];
		if (b->hint != DICT_NONE)
			b->hint = o->new_of[SECTION_STRINGS][b->hint];
	}
}
