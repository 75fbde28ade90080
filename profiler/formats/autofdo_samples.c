// SPDX-License-Identifier: GPL-2.0-or-later
/* Sums samples up by function, inlined call and line, as LLVM tells them apart. */
#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/formats/autofdo_priv.h"

#define NONE AUTOFDO_NONE
/* Of one sample: a year. Times the copies of a line it still is a number. */
#define MAX_WEIGHT (1ll << 45)

/* --- discriminators ------------------------------------------------------------------------------ */

/* LLVM packs three numbers into one (llvm/IR/DebugInfoMetadata.h), each of 1, 7 or 14 bits. */
static uint32_t component(uint32_t d)
{
	if (d & 1)
		return 0;
	d >>= 1;
	return d & 0x20 ? (d >> 1 & 0xfe0) | (d & 0x1f) : d & 0x1f;
}

static uint32_t next_component(uint32_t d)
{
	return d & 1 ? d >> 1 : d >> (d & 0x40 ? 14 : 7);
}

/* How many times the line stands in the code: each copy gets a part of its samples. */
static uint32_t copies(uint32_t d)
{
	uint32_t n = component(next_component(d));

	return n ? n : 1;
}

static struct place place_of(const struct profile *p, const struct profile_line *l)
{
	int64_t start = p->functions.data[l->function].start_line;

	return (struct place){(uint32_t)(l->line - start) & 0xffff, component(l->discriminator)};
}

/* --- interning ------------------------------------------------------------------------------------ */

static uint64_t place_hash(uint64_t h, const struct place *at)
{
	return hash_mix(h, (uint64_t)at->offset << 32 | at->discriminator);
}

struct instance_needle {
	const struct fdo *f;
	const struct instance *want;
};

static bool instance_eq(const void *ctx, uint32_t id)
{
	const struct instance_needle *n = ctx;
	const struct instance *a = &n->f->instances.data[id];

	return a->parent == n->want->parent && a->name == n->want->name &&
	       place_eq(&a->at, &n->want->at);
}

static int get_instance(struct fdo *f, const struct instance *want, uint32_t *id)
{
	struct instance_needle n = {f, want};
	uint64_t h = place_hash(hash_mix(want->parent, want->name), &want->at);

	*id = htab_find(&f->instance_index, h, instance_eq, &n);
	if (*id != HTAB_NONE)
		return 0;
	*id = (uint32_t)f->instances.len;
	if (want->parent == NONE)
		f->of_name.data[want->name] = *id;
	return vec_push(&f->instances, *want) ?: htab_insert(&f->instance_index, h, *id);
}

struct line_needle {
	const struct fdo *f;
	uint32_t instance;
	struct place at;
};

static bool line_eq(const void *ctx, uint32_t id)
{
	const struct line_needle *n = ctx;
	const struct line *a = &n->f->lines.data[id];

	return a->instance == n->instance && place_eq(&a->at, &n->at);
}

static int get_line(struct fdo *f, uint32_t instance, struct place at, uint32_t *id)
{
	struct line_needle n = {f, instance, at};
	uint64_t h = place_hash(instance, &at);

	*id = htab_find(&f->line_index, h, line_eq, &n);
	if (*id != HTAB_NONE)
		return 0;
	*id = (uint32_t)f->lines.len;
	return vec_push(&f->lines, (struct line){.instance = instance, .at = at})
		       ?: htab_insert(&f->line_index, h, *id);
}

struct call_needle {
	const struct fdo *f;
	uint32_t line, callee;
};

static bool call_eq(const void *ctx, uint32_t id)
{
	const struct call_needle *n = ctx;
	const struct call *a = &n->f->calls.data[id];

	return a->line == n->line && a->callee == n->callee;
}

static int add_call(struct fdo *f, uint32_t line, uint32_t callee, int64_t weight)
{
	struct call_needle n = {f, line, callee};
	uint64_t h = hash_mix(line, callee);
	uint32_t id = htab_find(&f->call_index, h, call_eq, &n);

	if (id == HTAB_NONE) {
		id = (uint32_t)f->calls.len;
		if (vec_push(&f->calls, (struct call){.line = line, .callee = callee}) ||
		    htab_insert(&f->call_index, h, id))
			return -ENOMEM;
	}
	f->calls.data[id].weight = saturating_sum(f->calls.data[id].weight, weight);
	f->through.data[callee] = saturating_sum(f->through.data[callee], weight);
	return 0;
}

/* LLVM takes a name up to its first dot: what follows says which clone or part it is. */
static int get_name(struct fdo *f, uint32_t function, uint32_t *id)
{
	const struct profile_function *fn = &f->p->functions.data[function];
	const char *name = profile_text(f->p, fn->system_name ?: fn->name), *dot;
	int err;

	dot = *name == '.' ? NULL : strchr(name, '.');
	err = strtab_add_n(f->names, name, dot ? (size_t)(dot - name) : strlen(name), id);
	while (!err && f->through.len <= *id)
		err = vec_push(&f->through, 0) ?: vec_push(&f->of_name, NONE);
	return err;
}

/* --- samples ---------------------------------------------------------------------------------------- */

/* A name that can stand in the format; its function begins on a known line. */
static bool can_place(const struct profile *p, const struct profile_line *l)
{
	const struct profile_function *fn = &p->functions.data[l->function];
	const char *name = profile_text(p, fn->system_name ?: fn->name);

	return l->line > 0 && fn->start_line > 0 && *name && !name[strcspn(name, " \t:[")];
}

static bool is_ours(const struct fdo *f, const struct profile_location *l)
{
	return l->mapping != PROFILE_NONE && f->p->mappings.data[l->mapping].file == f->module;
}

static bool can_place_all(const struct fdo *f, const struct profile_location *l)
{
	for (uint32_t i = 0; i < l->n_lines; i++)
		if (!can_place(f->p, &f->p->lines.data[l->first_line + i]))
			return false;
	return l->n_lines && is_ours(f, l);
}

/* The line of an address in its function, or in what was inlined there; NONE: it has none. */
static int line_of(struct fdo *f, const struct profile_location *l, uint32_t *line)
{
	const struct profile_line *lines = &f->p->lines.data[l->first_line];
	uint32_t id = NONE;
	int err = 0;

	*line = NONE;
	if (!can_place_all(f, l))
		return 0;
	for (uint32_t i = l->n_lines; !err && i-- > 0;) {
		struct instance want = {.parent = id};

		if (id != NONE)
			want.at = place_of(f->p, &lines[i + 1]);
		err = get_name(f, lines[i].function, &want.name) ?: get_instance(f, &want, &id);
	}
	return err ?: get_line(f, id, place_of(f->p, lines), line);
}

static int add_stack(struct fdo *f, const struct profile_stack *s, int64_t weight)
{
	uint32_t callee = NONE;
	int err = 0;

	for (uint32_t i = 0; !err && i < s->len; i++) {
		const struct profile_location *l =
			&f->p->locations.data[f->p->frames.data[s->first + i]];
		const struct profile_line *lines = &f->p->lines.data[l->first_line];
		uint32_t line;

		err = line_of(f, l, &line);
		if (err || line == NONE) {
			callee = NONE;
			continue;
		}
		if (i == 0) {
			int64_t *count = &f->lines.data[line].count;

			*count = saturating_sum(*count, weight * copies(lines->discriminator));
			f->lines.data[line].addresses += !f->seen[f->p->frames.data[s->first]];
			f->seen[f->p->frames.data[s->first]] = true;
			f->result->placed = saturating_sum(f->result->placed, weight);
		} else if (callee != NONE) {
			err = add_call(f, line, callee, weight);
		}
		err = err ?: get_name(f, lines[l->n_lines - 1].function, &callee);
	}
	return err;
}

/* --- which file --------------------------------------------------------------------------------------- */

/* Microseconds; of what is no time, what keeps parts of a sample apart. */
static int64_t weight_of(const struct profile *p, const struct profile_sample *s, size_t type)
{
	int64_t v = p->values.data[s->first_value + type];
	const char *unit = profile_text(p, p->sample_types.data[type].unit);

	if (v <= 0)
		return 0;
	if (!strcmp(unit, "nanoseconds"))
		v = v < 1000 ? 1 : v / 1000;
	else if (v < MAX_WEIGHT)
		v *= 1000;
	return v < MAX_WEIGHT ? v : MAX_WEIGHT;
}

/* The file that most samples with a line were taken in. */
static int choose_module(struct fdo *f, size_t type)
{
	const struct profile *p = f->p;
	_cleanup_free_ int64_t *sums = calloc(strtab_count(p->strings) + 1, sizeof(*sums));
	int64_t best = 0;

	if (!sums)
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_stack *s = &p->stacks.data[p->samples.data[i].stack];
		int64_t weight = weight_of(p, &p->samples.data[i], type);
		const struct profile_location *l;

		f->result->all = saturating_sum(f->result->all, weight);
		if (!s->len)
			continue;
		l = &p->locations.data[p->frames.data[s->first]];
		if (l->mapping == PROFILE_NONE || !l->n_lines ||
		    !can_place(p, &p->lines.data[l->first_line]))
			continue;
		f->module = p->mappings.data[l->mapping].file;
		sums[f->module] = saturating_sum(sums[f->module], weight);
	}
	for (uint32_t i = 0; i < strtab_count(p->strings); i++)
		if (sums[i] > best) {
			best = sums[i];
			f->module = i;
		}
	return best ? 0 : -ENODATA;
}

int fdo_add_samples(struct fdo *f)
{
	const struct profile *p = f->p;
	size_t type = profile_default_type(p);
	int err;

	if (type >= p->sample_types.len)
		return -ENODATA;
	err = choose_module(f, type);
	if (err)
		return err;
	f->result->file = f->module;

	f->seen = calloc(p->locations.len + 1, sizeof(*f->seen));
	if (!f->seen)
		return -ENOMEM;
	for (size_t i = 0; !err && i < p->samples.len; i++) {
		int64_t weight = weight_of(p, &p->samples.data[i], type);

		if (weight)
			err = add_stack(f, &p->stacks.data[p->samples.data[i].stack], weight);
	}
	return err;
}
