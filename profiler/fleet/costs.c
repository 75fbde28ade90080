// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/costs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/saturate.h"
#include "profiler/base/text.h"

void costs_release(struct costs *c)
{
	strtab_free(c->strings);
	vec_release(&c->v);
	htab_release(&c->index);
	*c = (struct costs){0};
}

static uint64_t hash_of(const struct cost *c)
{
	return hash_mix(hash_mix(c->name, c->module), c->of);
}

struct search {
	const struct costs *all;
	const struct cost *wanted;
};

static bool is_same(const void *ctx, uint32_t id)
{
	const struct search *s = ctx;
	const struct cost *c = &s->all->v.data[id];

	return c->name == s->wanted->name && c->module == s->wanted->module &&
	       c->of == s->wanted->of;
}

static int intern(struct costs *c, const struct cost_text *text, struct buf *scratch, uint32_t *id)
{
	buf_clear(scratch);
	text_add_clean(scratch, text->p, text->len);
	return scratch->err ?: strtab_add(c->strings, buf_cstr(scratch), id);
}

static int intern_all(struct costs *c, const struct cost_text text[3], struct cost *out)
{
	struct buf scratch = {0};
	int err = intern(c, &text[0], &scratch, &out->name) ?:
		  intern(c, &text[1], &scratch, &out->module) ?:
		  intern(c, &text[2], &scratch, &out->of);

	buf_release(&scratch);
	return err;
}

void cost_values_add(struct cost_values *to, const struct cost_values *v)
{
	to->self_ns = saturating_sum(to->self_ns, v->self_ns);
	to->total_ns = saturating_sum(to->total_ns, v->total_ns);
	to->self_before_ns = saturating_sum(to->self_before_ns, v->self_before_ns);
	to->total_before_ns = saturating_sum(to->total_before_ns, v->total_before_ns);
}

int costs_add(struct costs *c, const struct cost_text text[3], const struct cost_values *v)
{
	struct cost one = {.v = *v};
	struct search s = {c, &one};
	uint32_t id;
	int err;

	if (!c->strings && !(c->strings = strtab_new()))
		return -ENOMEM;
	err = intern_all(c, text, &one);
	if (err)
		return err;
	id = htab_find(&c->index, hash_of(&one), is_same, &s);
	if (id != HTAB_NONE) {
		cost_values_add(&c->v.data[id].v, v);
		return 0;
	}
	if (c->v.len == COSTS_MAX)
		return -EFBIG;
	return vec_push(&c->v, one) ?: htab_insert(&c->index, hash_of(&one), c->v.len - 1);
}

size_t costs_find(const struct costs *c, const char *name, const char *module, const char *of)
{
	struct cost one;
	struct search s = {c, &one};
	uint32_t id;

	if (!c->strings)
		return SIZE_MAX;
	one = (struct cost){strtab_lookup(c->strings, name),
			    strtab_lookup(c->strings, module),
			    strtab_lookup(c->strings, of),
			    {0}};
	id = htab_find(&c->index, hash_of(&one), is_same, &s);
	return id == HTAB_NONE ? SIZE_MAX : id;
}

struct cost_values costs_sum(const struct costs *c)
{
	struct cost_values sum = {0};

	for (size_t i = 0; i < c->v.len; i++)
		cost_values_add(&sum, &c->v.data[i].v);
	return sum;
}

/* --- order ---------------------------------------------------------------------------------------- */

struct order {
	const struct costs *c;
	enum costs_order by;
};

static int compare(const void *x, const void *y, void *ctx)
{
	const struct cost *a = x, *b = y;
	const struct order *o = ctx;
	int by_self = (a->v.self_ns < b->v.self_ns) - (a->v.self_ns > b->v.self_ns);
	int by_total = (a->v.total_ns < b->v.total_ns) - (a->v.total_ns > b->v.total_ns);
	int by_value = o->by == COSTS_BY_SELF ? by_self ?: by_total : by_total ?: by_self;

	return by_value ?: strcmp(costs_text(o->c, a->name), costs_text(o->c, b->name)) ?:
	       strcmp(costs_text(o->c, a->module), costs_text(o->c, b->module)) ?:
	       strcmp(costs_text(o->c, a->of), costs_text(o->c, b->of));
}

void costs_sort(struct costs *c, enum costs_order by)
{
	struct order o = {c, by};

	htab_release(&c->index);
	if (c->v.len)
		qsort_r(c->v.data, c->v.len, sizeof(*c->v.data), compare, &o);
}
