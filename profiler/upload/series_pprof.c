// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/base/vec.h"
#include "profiler/formats/pprof_fields.h"
#include "profiler/formats/pprof_put.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/series_priv.h"
#include "proto/wire.h"

/*
 * Numbers from 1 on, in the order in which samples lead to things. A number counts in one turn, which is one profile:
 * so a window of many small series costs no more than one of few.
 */
struct number {
	uint32_t turn, number;
};
struct numbers {
	struct number *of; /* by id */
	VEC(uint32_t) ids; /* by number, from the first on */
};

/* What is known of a mapping before samples lead to it. */
struct mapping_kind {
	bool may_be_main, is_kernel;
	bool is_bare; /* no names for its addresses */
};

/*
 * Ids are those of the window. Beyond them there are things that it does not have: the mapping and the location of
 * the mark where a stack was cut, strings of `more`, and for each of these a function of that name.
 */
struct series_pprof {
	const struct profile *p;
	const struct series_opts *o;
	struct buf *out;
	uint32_t turn;
	struct numbers strings, mappings, functions, locations, stacks;
	struct strtab *more;
	uint32_t mark_module, mark_name; /* strings */
	uint32_t *unnamed; /* of a location: the string that names it; 0: not made yet */
	struct mapping_kind *kinds;
	struct htab cut; /* of stacks that are cut, the first of those that then are equal */
	uint64_t seed;
	VEC(int64_t) values;		/* of stacks, by number */
	VEC(struct profile_line) lines; /* of the location that is being looked at */
	struct pprof_scratch scratch;
};

/* --- numbers ---------------------------------------------------------------------------------------- */

static bool has_number(const struct series_pprof *w, const struct numbers *n, uint32_t id)
{
	return n->of[id].turn == w->turn;
}

static int give_number(const struct series_pprof *w, struct numbers *n, uint32_t id)
{
	if (vec_push(&n->ids, id))
		return -ENOMEM;
	n->of[id] = (struct number){w->turn, (uint32_t)n->ids.len};
	return 0;
}

/* The first string is "", and its place is 0. */
static int meet_string(struct series_pprof *w, uint32_t id)
{
	return has_number(w, &w->strings, id) ? 0 : give_number(w, &w->strings, id);
}

static uint32_t string_place(const struct series_pprof *w, uint32_t id)
{
	return w->strings.of[id].number - 1;
}

static int more_string(struct series_pprof *w, const char *text, uint32_t *id)
{
	int err = strtab_add(w->more, text, id);

	*id += strtab_count(w->p->strings);
	return err;
}

static struct profile_mapping mapping_of(const struct series_pprof *w, uint32_t id)
{
	struct profile_mapping m = {.file = w->mark_module, .has_functions = true};

	if (id == w->p->mappings.len)
		return m;
	m = w->p->mappings.data[id];
	/* Stores look at these flags to learn whether they may name a mapping's frames. */
	if (w->kinds[id].is_bare)
		m.has_functions = m.has_filenames = m.has_line_numbers = m.has_inline_frames =
			false;
	else if (w->o->name_all)
		m.has_functions = true;
	return m;
}

static int meet_mapping(struct series_pprof *w, uint32_t id)
{
	struct profile_mapping m;

	if (id == PROFILE_NONE || has_number(w, &w->mappings, id))
		return 0;
	m = mapping_of(w, id);
	return meet_string(w, m.file) ?:
	       meet_string(w, m.build_id) ?:
	       give_number(w, &w->mappings, id);
}

/* The function that has this name, of `more`, and nothing else. */
static uint32_t function_named(const struct series_pprof *w, uint32_t name)
{
	return (uint32_t)w->p->functions.len + (name - strtab_count(w->p->strings));
}

static struct profile_function function_of(const struct series_pprof *w, uint32_t id)
{
	uint32_t name;

	if (id < w->p->functions.len)
		return w->p->functions.data[id];
	name = strtab_count(w->p->strings) + (id - (uint32_t)w->p->functions.len);
	return (struct profile_function){.name = name, .system_name = name};
}

static int meet_function(struct series_pprof *w, uint32_t id)
{
	struct profile_function f;

	if (has_number(w, &w->functions, id))
		return 0;
	f = function_of(w, id);
	return meet_string(w, f.name) ?:
	       meet_string(w, f.system_name) ?:
	       meet_string(w, f.file) ?:
	       give_number(w, &w->functions, id);
}

/* --- locations and their names ---------------------------------------------------------------------- */

/* Names what has no name, as the page and the reports show it. */
static int name_unnamed(struct series_pprof *w, uint32_t location, uint32_t *function)
{
	uint32_t *name = &w->unnamed[location];
	char text[256];
	int err = 0;

	if (!*name)
		err = more_string(w, profile_unresolved(w->p, location, text, sizeof(text)), name);
	if (!err)
		*function = function_named(w, *name);
	return err;
}

static uint32_t mapping_of_location(const struct series_pprof *w, uint32_t id)
{
	return id < w->p->locations.len ? w->p->locations.data[id].mapping
					: (uint32_t)w->p->mappings.len;
}

/* Whether it goes without lines, and the store names it. */
static bool is_bare(const struct series_pprof *w, const struct profile_location *l)
{
	return l->address && l->mapping != PROFILE_NONE && w->kinds[l->mapping].is_bare;
}

static bool needs_name(const struct series_pprof *w, const struct profile_location *l)
{
	return w->o->name_all || !l->address ||
	       (l->mapping != PROFILE_NONE && mapping_of(w, l->mapping).has_functions);
}

/* Fills w->lines with those that it has in the profile. */
static int find_lines(struct series_pprof *w, uint32_t id)
{
	const struct profile *p = w->p;
	const struct profile_location *l = &p->locations.data[id];
	int err = 0;

	w->lines.len = 0;
	if (id == p->locations.len)
		return vec_push(&w->lines,
				(struct profile_line){.function = function_named(w, w->mark_name)});
	if (is_bare(w, l))
		return 0;
	if (!l->n_lines && needs_name(w, l))
		err = vec_push(&w->lines, (struct profile_line){.function = PROFILE_NONE});
	for (uint32_t i = 0; !err && i < l->n_lines; i++)
		err = vec_push(&w->lines, p->lines.data[l->first_line + i]);
	for (size_t i = 0; !err && i < w->lines.len; i++) {
		uint32_t *function = &w->lines.data[i].function;

		if (*function == PROFILE_NONE ||
		    (w->o->name_all && !p->functions.data[*function].name))
			err = name_unnamed(w, id, function);
	}
	return err;
}

static int meet_location(struct series_pprof *w, uint32_t id)
{
	int err;

	if (has_number(w, &w->locations, id))
		return 0;
	err = meet_mapping(w, mapping_of_location(w, id)) ?: find_lines(w, id);
	for (size_t i = 0; !err && i < w->lines.len; i++)
		err = meet_function(w, w->lines.data[i].function);
	return err ?: give_number(w, &w->locations, id);
}

/* --- samples ---------------------------------------------------------------------------------------- */

static bool is_cut(const struct series_pprof *w, uint32_t stack)
{
	return w->o->max_depth && w->p->stacks.data[stack].len > w->o->max_depth;
}

/* How many frames of it stay, from the leaf on. */
static uint32_t frames_kept(const struct series_pprof *w, uint32_t stack)
{
	return is_cut(w, stack) ? (uint32_t)w->o->max_depth - 1 : w->p->stacks.data[stack].len;
}

static const uint32_t *frames_of(const struct series_pprof *w, uint32_t stack)
{
	return w->p->frames.data + w->p->stacks.data[stack].first;
}

struct cut_needle {
	const struct series_pprof *w;
	const uint32_t *frames;
};

static bool cut_eq(const void *ctx, uint32_t id)
{
	const struct cut_needle *n = ctx;

	return !memcmp(frames_of(n->w, id), n->frames, frames_kept(n->w, id) * sizeof(*n->frames));
}

/* Stacks that are cut may then be equal: the first of them stands for all. */
static int find_equal(struct series_pprof *w, uint32_t *stack)
{
	struct cut_needle n = {w, frames_of(w, *stack)};
	uint64_t hash;
	uint32_t found;

	if (!is_cut(w, *stack))
		return 0;
	hash = hash_bytes(n.frames, frames_kept(w, *stack) * sizeof(*n.frames), w->seed);
	found = htab_find(&w->cut, hash, cut_eq, &n);
	if (found == HTAB_NONE)
		return htab_insert(&w->cut, hash, *stack);
	*stack = found;
	return 0;
}

static int meet_stack(struct series_pprof *w, uint32_t stack)
{
	const uint32_t *frames = frames_of(w, stack);
	uint32_t n = frames_kept(w, stack);
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++)
		err = meet_location(w, frames[i]);
	if (!err && is_cut(w, stack))
		err = meet_location(w, (uint32_t)w->p->locations.len);
	return err ?: give_number(w, &w->stacks, stack);
}

static int add_values(struct series_pprof *w, uint32_t stack, const int64_t *values)
{
	size_t n = w->p->sample_types.len;
	int64_t *sums;

	if (!has_number(w, &w->stacks, stack)) {
		int err = meet_stack(w, stack) ?: vec_reserve(&w->values, w->values.len + n);

		if (err)
			return err;
		memset(w->values.data + w->values.len, 0, n * sizeof(*values));
		w->values.len += n;
	}
	sums = w->values.data + (w->stacks.of[stack].number - 1) * n;
	for (size_t i = 0; i < n; i++)
		sums[i] = saturating_sum(sums[i], values[i]);
	return 0;
}

static int add_sample(struct series_pprof *w, const struct profile_sample *s)
{
	const int64_t *values = w->p->values.data + s->first_value;
	uint32_t stack = s->stack;
	size_t i = 0;

	while (i < w->p->sample_types.len && !values[i])
		i++;
	if (i == w->p->sample_types.len)
		return 0;
	return find_equal(w, &stack) ?: add_values(w, stack, values);
}

/* --- the message ------------------------------------------------------------------------------------ */

/* Pyroscope refuses types with "-" in them, Parca also those with ".". */
static int clean_string(struct series_pprof *w, uint32_t id, int64_t *place)
{
	const char *text = profile_text(w->p, id);
	struct buf b = {0};
	int err = 0;

	if (id) {
		series_add_name(&b, text);
		if (strcmp(buf_cstr(&b), text) != 0)
			err = b.err ?: more_string(w, buf_cstr(&b), &id);
	}
	err = b.err ?: err ?: meet_string(w, id);
	buf_release(&b);
	*place = string_place(w, id);
	return err;
}

static int clean_type(struct series_pprof *w, struct profile_value_type t, Pprof__ValueType *out)
{
	return clean_string(w, t.type, &out->type) ?: clean_string(w, t.unit, &out->unit);
}

static int put_header(struct series_pprof *w)
{
	const struct profile *p = w->p;
	Pprof__Profile msg = PPROF__PROFILE__INIT;
	Pprof__ValueType type = PPROF__VALUE_TYPE__INIT, period = PPROF__VALUE_TYPE__INIT;
	int err = clean_type(w, p->period_type, &period);

	for (size_t i = 0; !err && i < p->sample_types.len; i++) {
		err = clean_type(w, p->sample_types.data[i], &type);
		wire_put_message(w->out, PPROF_SAMPLE_TYPE, &type.base);
	}
	err = err ?: clean_string(w, p->default_sample_type, &msg.default_sample_type);
	err = err ?: meet_string(w, p->drop_frames) ?: meet_string(w, p->keep_frames);
	err = err ?: meet_string(w, p->doc_url);
	if (err)
		return err;
	msg.drop_frames = string_place(w, p->drop_frames);
	msg.keep_frames = string_place(w, p->keep_frames);
	msg.doc_url = string_place(w, p->doc_url);
	msg.period_type = period.type || period.unit ? &period : NULL;
	msg.period = p->period;
	msg.time_nanos = p->time_ns;
	msg.duration_nanos = p->duration_ns;
	wire_put_fields(w->out, &msg.base);
	return 0;
}

static int put_sample(struct series_pprof *w, size_t at)
{
	uint32_t stack = w->stacks.ids.data[at], n = frames_kept(w, stack);
	const uint32_t *frames = frames_of(w, stack);
	Pprof__Sample msg = PPROF__SAMPLE__INIT;

	if (vec_reserve(&w->scratch.location_ids, n + 1ul))
		return -ENOMEM;
	msg.location_id = w->scratch.location_ids.data;
	for (uint32_t i = 0; i < n; i++)
		msg.location_id[msg.n_location_id++] = w->locations.of[frames[i]].number;
	if (is_cut(w, stack))
		msg.location_id[msg.n_location_id++] = w->locations.of[w->p->locations.len].number;
	msg.n_value = w->p->sample_types.len;
	msg.value = w->values.data + at * msg.n_value;
	wire_put_message(w->out, PPROF_SAMPLE, &msg.base);
	return 0;
}

/* The number of the mapping that goes first; 0: none. */
static uint64_t main_mapping(const struct series_pprof *w)
{
	for (size_t i = 0; i < w->mappings.ids.len; i++)
		if (w->kinds[w->mappings.ids.data[i]].may_be_main)
			return i + 1;
	return 0;
}

static void put_mapping(struct series_pprof *w, uint64_t number, uint64_t first)
{
	struct profile_mapping m = mapping_of(w, w->mappings.ids.data[number - 1]);

	m.file = string_place(w, m.file);
	m.build_id = string_place(w, m.build_id);
	pprof_put_mapping(w->out, &m, pprof_mapping_id(number, first));
}

static void put_mappings(struct series_pprof *w, uint64_t first)
{
	if (first)
		put_mapping(w, first, first);
	for (uint64_t i = 1; i <= w->mappings.ids.len; i++)
		if (i != first)
			put_mapping(w, i, first);
}

static int put_location(struct series_pprof *w, size_t at, uint64_t first)
{
	uint32_t id = w->locations.ids.data[at], mapping = mapping_of_location(w, id);
	const struct profile_location *l = &w->p->locations.data[id];
	Pprof__Location msg = PPROF__LOCATION__INIT;
	int err = find_lines(w, id);

	for (size_t i = 0; i < w->lines.len; i++) {
		struct profile_line *line = &w->lines.data[i];

		line->function = w->functions.of[line->function].number - 1;
	}
	msg.id = at + 1;
	if (mapping != PROFILE_NONE)
		msg.mapping_id = pprof_mapping_id(w->mappings.of[mapping].number, first);
	if (id < w->p->locations.len) {
		msg.is_folded = l->is_folded;
		if (!w->lines.len || mapping == PROFILE_NONE || !w->kinds[mapping].is_kernel)
			msg.address = l->address;
	}
	return err ?: pprof_put_location(w->out, &w->scratch, &msg, w->lines.data, w->lines.len);
}

static void put_function(struct series_pprof *w, size_t at)
{
	struct profile_function f = function_of(w, w->functions.ids.data[at]);

	f.name = string_place(w, f.name);
	f.system_name = string_place(w, f.system_name);
	f.file = string_place(w, f.file);
	pprof_put_function(w->out, &f, at + 1);
}

static void put_string(struct series_pprof *w, size_t at)
{
	uint32_t id = w->strings.ids.data[at], n = strtab_count(w->p->strings);
	const char *text = id < n ? profile_text(w->p, id) : strtab_get(w->more, id - n);

	wire_put_bytes(w->out, PPROF_STRING, text, strlen(text));
}

static int put_all(struct series_pprof *w)
{
	uint64_t first = main_mapping(w);
	int err = 0;

	for (size_t i = 0; !err && i < w->stacks.ids.len; i++)
		err = put_sample(w, i);
	put_mappings(w, first);
	for (size_t i = 0; !err && i < w->locations.ids.len; i++)
		err = put_location(w, i, first);
	for (size_t i = 0; i < w->functions.ids.len; i++)
		put_function(w, i);
	for (size_t i = 0; i < w->strings.ids.len; i++)
		put_string(w, i);
	return err ?: w->out->err;
}

static int begin(struct series_pprof *w, struct buf *out)
{
	buf_clear(out);
	w->out = out;
	w->turn++;
	w->strings.ids.len = w->mappings.ids.len = w->functions.ids.len = 0;
	w->locations.ids.len = w->stacks.ids.len = w->values.len = 0;
	return meet_string(w, 0) ?: put_header(w);
}

static bool is_too_large(const struct series_pprof *w)
{
	return w->o->max_bytes && w->out->len > w->o->max_bytes;
}

int series_pprof_write(struct series_pprof *w, const size_t *samples, size_t n, struct buf *out,
		       uint64_t *weight)
{
	int err = begin(w, out);

	for (size_t i = 0; !err && i < n; i++)
		err = add_sample(w, &w->p->samples.data[samples[i]]);
	*weight = 0;
	for (size_t i = 0; i < w->values.len; i += w->p->sample_types.len)
		*weight += (uint64_t)w->values.data[i];
	if (w->stacks.ids.len)
		err = err ?: put_all(w);
	else
		buf_clear(out);
	return err ?: is_too_large(w) ? -EFBIG : 0;
}

/* --- the writer ------------------------------------------------------------------------------------- */

static void find_kinds(struct series_pprof *w)
{
	for (uint32_t i = 0; i < w->p->mappings.len; i++) {
		enum frame_kind kind = profile_mapping_kind(w->p, i);

		w->kinds[i] = (struct mapping_kind){
			.may_be_main = pprof_may_be_main(w->p, i),
			.is_kernel = kind == FRAME_KERNEL,
			.is_bare = w->o->without_names && kind == FRAME_NATIVE &&
				   w->p->mappings.data[i].build_id,
		};
	}
}

static int make_numbers(struct numbers *n, size_t ids)
{
	n->of = calloc(ids, sizeof(*n->of));
	return n->of ? 0 : -ENOMEM;
}

static int make_tables(struct series_pprof *w)
{
	const struct profile *p = w->p;
	/* Of `more`: "", names of locations, clean types, the mark. */
	size_t more = 1 + p->locations.len + 2 * p->sample_types.len + 3 + 2;

	w->more = strtab_new();
	w->unnamed = calloc(p->locations.len + 1, sizeof(*w->unnamed));
	w->kinds = calloc(p->mappings.len + 1, sizeof(*w->kinds));
	if (!w->more || !w->unnamed || !w->kinds)
		return -ENOMEM;
	find_kinds(w);
	return make_numbers(&w->strings, strtab_count(p->strings) + more) ?:
	       make_numbers(&w->functions, p->functions.len + more) ?:
	       make_numbers(&w->mappings, p->mappings.len + 1) ?:
	       make_numbers(&w->locations, p->locations.len + 1) ?:
	       make_numbers(&w->stacks, p->stacks.len + 1) ?:
	       more_string(w, MAPPING_KILN, &w->mark_module) ?:
	       more_string(w, FRAME_TRUNCATED, &w->mark_name);
}

int series_pprof_new(struct series_pprof **out, const struct profile *p,
		     const struct series_opts *o)
{
	struct series_pprof *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->p = p;
	w->o = o;
	w->seed = hash_random_seed();
	err = make_tables(w);
	if (err)
		series_pprof_free(w);
	else
		*out = w;
	return err;
}

static void numbers_release(struct numbers *n)
{
	free(n->of);
	vec_release(&n->ids);
}

void series_pprof_free(struct series_pprof *w)
{
	if (!w)
		return;
	numbers_release(&w->strings);
	numbers_release(&w->mappings);
	numbers_release(&w->functions);
	numbers_release(&w->locations);
	numbers_release(&w->stacks);
	strtab_free(w->more);
	free(w->unnamed);
	free(w->kinds);
	htab_release(&w->cut);
	vec_release(&w->values);
	vec_release(&w->lines);
	pprof_scratch_release(&w->scratch);
	free(w);
}
