// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes a profile as a pprof message (proto/pprof.proto). kiln's ids count from 0, and pprof's from
 * 1. String ids are equal, because "" is string 0 in both.
 */
#include <errno.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/formats/export.h"
#include "profiler/formats/pprof_fields.h"
#include "profiler/formats/pprof_put.h"
#include "proto/wire.h"

struct writer {
	struct buf *out;
	const struct profile *p;
	uint64_t main_mapping; /* written first, from 1 on; 0: no such mapping */
	/* Names made here. They follow the profile's own strings and functions. */
	struct strtab *extra;
	VEC(uint32_t) extra_functions; /* their names: ids in `extra`, one for each function */
	struct htab extra_index;
	/* scratch */
	struct pprof_scratch scratch;
	VEC(Pprof__Label) labels;
	VEC(Pprof__Label *) label_ptrs;
};

static void writer_release(struct writer *w)
{
	strtab_free(w->extra);
	vec_release(&w->extra_functions);
	htab_release(&w->extra_index);
	pprof_scratch_release(&w->scratch);
	vec_release(&w->labels);
	vec_release(&w->label_ptrs);
}

static uint32_t extra_string(const struct writer *w, uint32_t extra_id)
{
	/* id 0 of `extra` is "", too */
	return extra_id ? strtab_count(w->p->strings) + extra_id - 1 : 0;
}

static uint64_t find_main_mapping(const struct profile *p)
{
	for (uint32_t i = 0; i < p->mappings.len; i++)
		if (pprof_may_be_main(p, i))
			return i + 1ull;
	return 0;
}

static void put_mapping(struct writer *w, uint32_t id)
{
	pprof_put_mapping(w->out, &w->p->mappings.data[id],
			  pprof_mapping_id(id + 1ull, w->main_mapping));
}

static void put_mappings(struct writer *w)
{
	if (w->main_mapping)
		put_mapping(w, (uint32_t)w->main_mapping - 1);
	for (uint32_t i = 0; i < w->p->mappings.len; i++)
		if (i + 1ull != w->main_mapping)
			put_mapping(w, i);
}

struct extra_needle {
	const struct writer *w;
	uint32_t name;
};

static bool extra_eq(const void *ctx, uint32_t id)
{
	const struct extra_needle *n = ctx;

	return n->w->extra_functions.data[id] == n->name;
}

/* The function, from 0 on, that stands for a location without a name. */
static int extra_function(struct writer *w, uint32_t location, uint32_t *id)
{
	struct extra_needle n = {.w = w};
	char text[256];
	uint32_t found;
	uint64_t hash;
	int err;

	err = strtab_add(w->extra, profile_unresolved(w->p, location, text, sizeof(text)), &n.name);
	if (err)
		return err;
	hash = hash_u64(n.name);
	found = htab_find(&w->extra_index, hash, extra_eq, &n);
	if (found == HTAB_NONE) {
		found = (uint32_t)w->extra_functions.len;
		if (htab_insert(&w->extra_index, hash, found) ||
		    vec_push(&w->extra_functions, n.name))
			return -ENOMEM;
	}
	*id = (uint32_t)w->p->functions.len + found;
	return 0;
}

/*
 * For Pyroscope, has_functions means that every location of the mapping has a name. It sets
 * addresses to zero and drops a location without line and address. So every location gets a name.
 */
static bool needs_name(const struct profile *p, const struct profile_location *l)
{
	if (l->n_lines)
		return false;
	return !l->address ||
	       (l->mapping != PROFILE_NONE && p->mappings.data[l->mapping].has_functions);
}

static int put_location(struct writer *w, uint32_t id)
{
	const struct profile *p = w->p;
	const struct profile_location *l = &p->locations.data[id];
	const struct profile_line *lines = p->lines.data + l->first_line;
	struct profile_line extra = {0};
	size_t n = l->n_lines;
	Pprof__Location msg = PPROF__LOCATION__INIT;

	if (needs_name(p, l)) {
		int err = extra_function(w, id, &extra.function);

		if (err)
			return err;
		lines = &extra;
		n = 1;
	}
	msg.id = id + 1ull;
	if (l->mapping != PROFILE_NONE)
		msg.mapping_id = pprof_mapping_id(l->mapping + 1ull, w->main_mapping);
	/* A named kernel frame needs no address, and the address would reveal the KASLR offset. */
	msg.address = n && profile_frame_kind(p, id) == FRAME_KERNEL ? 0 : l->address;
	msg.is_folded = l->is_folded;
	return pprof_put_location(w->out, &w->scratch, &msg, lines, n);
}

static void put_functions(struct writer *w)
{
	const struct profile *p = w->p;

	for (size_t i = 0; i < p->functions.len; i++)
		pprof_put_function(w->out, &p->functions.data[i], i + 1);
	for (size_t i = 0; i < w->extra_functions.len; i++) {
		uint32_t name = extra_string(w, w->extra_functions.data[i]);
		struct profile_function f = {.name = name, .system_name = name};

		pprof_put_function(w->out, &f, p->functions.len + i + 1);
	}
}

static Pprof__Label label_message(const struct profile_label *l)
{
	Pprof__Label msg = PPROF__LABEL__INIT;

	msg.key = l->key;
	if (l->str != PROFILE_NONE) {
		msg.str = l->str;
		return msg;
	}
	msg.num = l->num;
	/*
	 * For google/pprof, a label without string, number and unit is no label. Its unit of a
	 * number without one is the key (Profile.NumLabelUnits). So writing that unit changes
	 * nothing else.
	 */
	msg.num_unit = !l->num && !l->num_unit ? l->key : l->num_unit;
	return msg;
}

static int put_sample(struct writer *w, const struct profile_sample *s)
{
	const struct profile *p = w->p;
	const struct profile_stack *stack = &p->stacks.data[s->stack];
	const struct profile_labelset *set = &p->labelsets.data[s->labelset];
	Pprof__Sample msg = PPROF__SAMPLE__INIT;

	if (vec_reserve(&w->scratch.location_ids, stack->len) ||
	    vec_reserve(&w->labels, set->len) || vec_reserve(&w->label_ptrs, set->len))
		return -ENOMEM;
	for (size_t i = 0; i < stack->len; i++)
		w->scratch.location_ids.data[i] = p->frames.data[stack->first + i] + 1ull;
	for (size_t i = 0; i < set->len; i++) {
		w->labels.data[i] = label_message(&p->labels.data[set->first + i]);
		w->label_ptrs.data[i] = &w->labels.data[i];
	}
	msg.n_location_id = stack->len;
	msg.location_id = w->scratch.location_ids.data;
	msg.n_value = p->sample_types.len;
	msg.value = p->values.data + s->first_value;
	msg.n_label = set->len;
	msg.label = w->label_ptrs.data;
	wire_put_message(w->out, PPROF_SAMPLE, &msg.base);
	return 0;
}

static void put_strings(struct writer *w)
{
	const struct strtab *tables[] = {w->p->strings, w->extra};

	for (size_t t = 0; t < 2; t++)
		for (uint32_t i = t; i < strtab_count(tables[t]); i++) {
			const char *s = strtab_get(tables[t], i);

			wire_put_bytes(w->out, PPROF_STRING, s, strlen(s));
		}
}

/* All fields that are not tables, as a message of their own: protobuf messages concatenate. */
static int put_header(struct writer *w)
{
	const struct profile *p = w->p;
	Pprof__Profile msg = PPROF__PROFILE__INIT;
	Pprof__ValueType period_type = PPROF__VALUE_TYPE__INIT;
	VEC(int64_t) comments = {0};

	if (vec_reserve(&comments, p->comments.len))
		return -ENOMEM;
	for (size_t i = 0; i < p->sample_types.len; i++) {
		Pprof__ValueType type = PPROF__VALUE_TYPE__INIT;

		type.type = p->sample_types.data[i].type;
		type.unit = p->sample_types.data[i].unit;
		wire_put_message(w->out, PPROF_SAMPLE_TYPE, &type.base);
	}
	for (size_t i = 0; i < p->comments.len; i++)
		comments.data[comments.len++] = p->comments.data[i];
	period_type.type = p->period_type.type;
	period_type.unit = p->period_type.unit;
	msg.period_type = period_type.type || period_type.unit ? &period_type : NULL;
	msg.period = p->period;
	msg.time_nanos = p->time_ns;
	msg.duration_nanos = p->duration_ns;
	msg.default_sample_type = p->default_sample_type;
	msg.drop_frames = p->drop_frames;
	msg.keep_frames = p->keep_frames;
	msg.doc_url = p->doc_url;
	msg.n_comment = comments.len;
	msg.comment = comments.data;
	wire_put_fields(w->out, &msg.base);
	vec_release(&comments);
	return 0;
}

static int put_all(struct writer *w)
{
	int err = put_header(w);

	for (size_t i = 0; !err && i < w->p->samples.len; i++)
		err = put_sample(w, &w->p->samples.data[i]);
	put_mappings(w);
	for (uint32_t i = 0; !err && i < w->p->locations.len; i++)
		err = put_location(w, i);
	put_functions(w);
	put_strings(w);
	return err ?: w->out->err;
}

int export_pprof(struct buf *out, const struct profile *p)
{
	struct writer w = {.out = out, .p = p, .main_mapping = find_main_mapping(p)};
	int err;

	w.extra = strtab_new();
	err = w.extra ? put_all(&w) : -ENOMEM;
	writer_release(&w);
	return err;
}
