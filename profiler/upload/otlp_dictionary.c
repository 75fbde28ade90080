// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/otlp_dictionary.h"
#include "proto/otlp.pb-c.h"
#include "proto/wire.h"

/* Semantic conventions for profiles, and of a process's resource (opentelemetry.io/docs/specs/semconv) */
#define ATTRIBUTE_BUILD_ID   "process.executable.build_id.gnu"
#define ATTRIBUTE_FRAME_TYPE "profile.frame.type"

/* More than any entry has besides its texts: a few numbers, each a tag and at most ten bytes. */
#define ENTRY_BYTES 64
#define INDEX_BYTES 5 /* of an int32 that is not negative */

struct table {
	struct buf fields; /* of ProfilesDictionary, one an entry */
	VEC(size_t) ends;  /* of entries, in fields */
	struct htab index; /* of entries by their bytes */
};

/* Indices of the profile's own things in this request; UNKNOWN: not added yet. */
struct known {
	int32_t *of;
	size_t n;
};
#define UNKNOWN (-1)

enum known_kind {
	KNOWN_STRING,
	KNOWN_MAPPING,
	KNOWN_FUNCTION,
	KNOWN_LOCATION,
	KNOWN_STACK,
	KNOWN_KIND,	  /* of a mapping: what its frames are */
	KNOWN_FRAME_TYPE, /* of a mapping: the attribute of its frames; 0: none */
	N_KNOWN
};

struct otlp_dictionary {
	const struct profile *p;
	struct otlp_dictionary_opts opts;
	struct table tables[OTLP_N_TABLES];
	struct known known[N_KNOWN];
	uint64_t seed; /* foreign names must not be able to choose hash collisions */
	/* scratch */
	VEC(int32_t) frames;
	VEC(Otlp__Line) lines;
	VEC(Otlp__Line *) line_ptrs;
};

struct needle {
	const struct table *t;
	const char *field;
	size_t len;
};

static bool entry_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	size_t start = id ? n->t->ends.data[id - 1] : 0;

	return n->t->ends.data[id] - start == n->len &&
	       !memcmp(n->t->fields.data + start, n->field, n->len);
}

/* The entry that was appended behind `from`: if there is an equal one, this one goes. */
static int take(struct otlp_dictionary *d, enum otlp_table which, size_t from, int32_t *index)
{
	struct table *t = &d->tables[which];
	struct needle n = {.t = t};
	uint64_t hash;
	uint32_t id;

	if (t->fields.err)
		return t->fields.err;
	n.field = t->fields.data + from;
	n.len = t->fields.len - from;
	hash = hash_bytes(n.field, n.len, d->seed);
	id = htab_find(&t->index, hash, entry_eq, &n);
	if (id != HTAB_NONE) {
		t->fields.len = from;
	} else {
		id = (uint32_t)t->ends.len;
		if (vec_push(&t->ends, t->fields.len) || htab_insert(&t->index, hash, id))
			return -ENOMEM;
	}
	*index = (int32_t)id;
	return 0;
}

static int take_message(struct otlp_dictionary *d, enum otlp_table which, const ProtobufCMessage *m,
			int32_t *index)
{
	struct buf *fields = &d->tables[which].fields;
	size_t from = fields->len;

	wire_put_message(fields, which, m);
	return take(d, which, from, index);
}

int otlp_dictionary_string(struct otlp_dictionary *d, const char *s, int32_t *index)
{
	struct buf *fields = &d->tables[OTLP_STRINGS].fields;
	size_t from = fields->len;

	wire_put_bytes(fields, OTLP_STRINGS, s, strlen(s));
	return take(d, OTLP_STRINGS, from, index);
}

int otlp_dictionary_attribute(struct otlp_dictionary *d, const char *key, const char *value,
			      int32_t *index)
{
	Otlp__KeyValueAndUnit msg = OTLP__KEY_VALUE_AND_UNIT__INIT;
	Otlp__AnyValue any = OTLP__ANY_VALUE__INIT;
	int err = otlp_dictionary_string(d, key, &msg.key_strindex);

	any.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	any.string_value = (char *)value;
	msg.value = &any;
	return err ?: take_message(d, OTLP_ATTRIBUTES, &msg.base, index);
}

/* A string of the profile. */
static int known_string(struct otlp_dictionary *d, uint32_t id, int32_t *index)
{
	int32_t *known = &d->known[KNOWN_STRING].of[id];
	int err = 0;

	if (*known == UNKNOWN)
		err = otlp_dictionary_string(d, profile_text(d->p, id), known);
	*index = *known;
	return err;
}

static int add_mapping(struct otlp_dictionary *d, uint32_t id, int32_t *index)
{
	const struct profile_mapping *m = &d->p->mappings.data[id];
	Otlp__Mapping msg = OTLP__MAPPING__INIT;
	int32_t build_id = 0;
	int err = known_string(d, m->file, &msg.filename_strindex);

	if (!err && m->build_id)
		err = otlp_dictionary_attribute(d, ATTRIBUTE_BUILD_ID,
						profile_text(d->p, m->build_id), &build_id);
	msg.memory_start = m->start;
	msg.memory_limit = m->limit;
	msg.file_offset = m->offset;
	msg.n_attribute_indices = !!m->build_id;
	msg.attribute_indices = &build_id;
	return err ?: take_message(d, OTLP_MAPPINGS, &msg.base, index);
}

static int mapping(struct otlp_dictionary *d, uint32_t id, int32_t *index)
{
	int32_t *known;
	int err = 0;

	*index = 0;
	if (id == PROFILE_NONE)
		return 0;
	known = &d->known[KNOWN_MAPPING].of[id];
	if (*known == UNKNOWN)
		err = add_mapping(d, id, known);
	*index = *known;
	return err;
}

/* A function without a name would be the empty element: no function. */
static const char *function_name(const struct profile *p, const struct profile_function *f)
{
	const char *name = profile_text(p, f->name ?: f->system_name);

	return *name ? name : MAPPING_UNKNOWN;
}

static int add_function(struct otlp_dictionary *d, const struct profile_function *f, int32_t *index)
{
	Otlp__Function msg = OTLP__FUNCTION__INIT;
	int err = f->name ? known_string(d, f->name, &msg.name_strindex)
			  : otlp_dictionary_string(d, function_name(d->p, f), &msg.name_strindex);

	if (!err && f->system_name != f->name)
		err = known_string(d, f->system_name, &msg.system_name_strindex);
	err = err ?: known_string(d, f->file, &msg.filename_strindex);
	msg.start_line = f->start_line;
	return err ?: take_message(d, OTLP_FUNCTIONS, &msg.base, index);
}

static int function(struct otlp_dictionary *d, uint32_t id, int32_t *index)
{
	int32_t *known = &d->known[KNOWN_FUNCTION].of[id];
	int err = 0;

	if (*known == UNKNOWN)
		err = add_function(d, &d->p->functions.data[id], known);
	*index = *known;
	return err;
}

/* The function of a name that stands in no table of the profile. */
static int made_function(struct otlp_dictionary *d, const char *name, int32_t *index)
{
	Otlp__Function msg = OTLP__FUNCTION__INIT;
	int err = otlp_dictionary_string(d, name, &msg.name_strindex);

	return err ?: take_message(d, OTLP_FUNCTIONS, &msg.base, index);
}

/* All frames of a mapping are of a kind. */
static enum frame_kind kind_of(const struct otlp_dictionary *d, uint32_t location)
{
	uint32_t mapping = d->p->locations.data[location].mapping;
	int32_t *known;

	if (mapping == PROFILE_NONE)
		return FRAME_UNKNOWN;
	known = &d->known[KNOWN_KIND].of[mapping];
	if (*known == UNKNOWN)
		*known = (int32_t)profile_mapping_kind(d->p, mapping);
	return (enum frame_kind) * known;
}

/* Who reads it can find the name by build id and address. */
static bool is_nameless(const struct otlp_dictionary *d, uint32_t location)
{
	return d->opts.without_names && d->p->locations.data[location].address &&
	       kind_of(d, location) == FRAME_NATIVE;
}

static int own_lines(struct otlp_dictionary *d, const struct profile_location *l)
{
	int err = 0;

	if (vec_reserve(&d->lines, l->n_lines) || vec_reserve(&d->line_ptrs, l->n_lines))
		return -ENOMEM;
	for (size_t i = 0; !err && i < l->n_lines; i++) {
		const struct profile_line *line = &d->p->lines.data[l->first_line + i];

		d->lines.data[i] = (Otlp__Line)OTLP__LINE__INIT;
		d->line_ptrs.data[i] = &d->lines.data[i];
		d->lines.data[i].line = line->line;
		err = function(d, line->function, &d->lines.data[i].function_index);
	}
	return err;
}

/*
 * Pyroscope leaves frames without a name out of its flame graphs, and samples of such frames alone out of the
 * total. So a location without a function gets one that says where it is.
 */
static int made_line(struct otlp_dictionary *d, const char *name)
{
	if (vec_reserve(&d->lines, 1) || vec_reserve(&d->line_ptrs, 1))
		return -ENOMEM;
	d->lines.data[0] = (Otlp__Line)OTLP__LINE__INIT;
	d->line_ptrs.data[0] = &d->lines.data[0];
	return made_function(d, name, &d->lines.data[0].function_index);
}

static int lines(struct otlp_dictionary *d, uint32_t id, Otlp__Location *msg)
{
	const struct profile_location *l = &d->p->locations.data[id];
	char text[256];
	int err;

	if (is_nameless(d, id))
		return 0;
	if (l->n_lines)
		err = own_lines(d, l);
	else
		err = made_line(d, profile_unresolved(d->p, id, text, sizeof(text)));
	msg->n_lines = l->n_lines ?: 1;
	msg->lines = d->line_ptrs.data;
	return err;
}

/* The convention's word, or NULL: it has none for code of unknown languages and for frames that stand for a
 * loss. */
static const char *frame_type(enum frame_kind kind)
{
	if (kind == FRAME_NATIVE)
		return "native";
	return kind == FRAME_KERNEL ? "kernel" : NULL;
}

static int frame_attribute(struct otlp_dictionary *d, uint32_t location, int32_t *index)
{
	const char *type = frame_type(kind_of(d, location));
	int32_t *known;
	int err = 0;

	*index = 0;
	if (!type)
		return 0;
	known = &d->known[KNOWN_FRAME_TYPE].of[d->p->locations.data[location].mapping];
	if (*known == UNKNOWN)
		err = otlp_dictionary_attribute(d, ATTRIBUTE_FRAME_TYPE, type, known);
	*index = *known;
	return err;
}

static int add_location(struct otlp_dictionary *d, uint32_t id, int32_t *index)
{
	const struct profile_location *l = &d->p->locations.data[id];
	enum frame_kind kind = kind_of(d, id);
	Otlp__Location msg = OTLP__LOCATION__INIT;
	int32_t attribute;
	int err = lines(d, id, &msg) ?: mapping(d, l->mapping, &msg.mapping_index);

	err = err ?: frame_attribute(d, id, &attribute);
	/* A named kernel frame needs no address, and the address would reveal the KASLR offset. */
	msg.address = l->n_lines && kind == FRAME_KERNEL ? 0 : l->address;
	msg.n_attribute_indices = !err && attribute;
	msg.attribute_indices = &attribute;
	return err ?: take_message(d, OTLP_LOCATIONS, &msg.base, index);
}

static int location(struct otlp_dictionary *d, uint32_t id, int32_t *index)
{
	int32_t *known = &d->known[KNOWN_LOCATION].of[id];
	int err = 0;

	if (*known == UNKNOWN)
		err = add_location(d, id, known);
	*index = *known;
	return err;
}

static int truncated(struct otlp_dictionary *d, int32_t *index)
{
	Otlp__Location msg = OTLP__LOCATION__INIT;
	Otlp__Mapping in = OTLP__MAPPING__INIT;
	int err = made_line(d, FRAME_TRUNCATED) ?:
		  otlp_dictionary_string(d, MAPPING_KILN, &in.filename_strindex) ?:
		  take_message(d, OTLP_MAPPINGS, &in.base, &msg.mapping_index);

	msg.n_lines = 1;
	msg.lines = d->line_ptrs.data;
	return err ?: take_message(d, OTLP_LOCATIONS, &msg.base, index);
}

static int take_stack(struct otlp_dictionary *d, size_t n, int32_t *index)
{
	Otlp__Stack msg = OTLP__STACK__INIT;

	msg.n_location_indices = n;
	msg.location_indices = d->frames.data;
	return take_message(d, OTLP_STACKS, &msg.base, index);
}

int otlp_dictionary_no_stack(struct otlp_dictionary *d, int32_t *index)
{
	int err = vec_reserve(&d->frames, 1);

	return err ?: truncated(d, &d->frames.data[0]) ?: take_stack(d, 1, index);
}

/* From the root on: callers come first, so that neighbours in the table are neighbours in the program. */
static int add_stack(struct otlp_dictionary *d, const struct profile_stack *s, int32_t *index)
{
	size_t n = s->len, max = d->opts.max_depth;
	int err = 0;

	if (n > max)
		n = max;
	if (vec_reserve(&d->frames, n ?: 1))
		return -ENOMEM;
	for (size_t i = n; !err && i--;) {
		if (n < s->len && i == n - 1)
			err = truncated(d, &d->frames.data[i]);
		else
			err = location(d, d->p->frames.data[s->first + i], &d->frames.data[i]);
	}
	return err ?: take_stack(d, n, index);
}

int otlp_dictionary_stack(struct otlp_dictionary *d, uint32_t stack, int32_t *index)
{
	int32_t *known = &d->known[KNOWN_STACK].of[stack];
	int err = 0;

	if (*known == UNKNOWN)
		err = add_stack(d, &d->p->stacks.data[stack], known);
	*index = *known;
	return err;
}

/* --- sizes --------------------------------------------------------------------------------------- */

static size_t string_cost(const struct otlp_dictionary *d, uint32_t id)
{
	return d->known[KNOWN_STRING].of[id] == UNKNOWN ? strlen(profile_text(d->p, id)) : 0;
}

static size_t mapping_cost(const struct otlp_dictionary *d, uint32_t id)
{
	const struct profile_mapping *m;

	if (id == PROFILE_NONE || d->known[KNOWN_MAPPING].of[id] != UNKNOWN)
		return 0;
	m = &d->p->mappings.data[id];
	return 4 * ENTRY_BYTES + string_cost(d, m->file) + strlen(profile_text(d->p, m->build_id));
}

/* With names that are made, and those that all entries have in common. */
static size_t location_cost(const struct otlp_dictionary *d, uint32_t id)
{
	const struct profile_location *l = &d->p->locations.data[id];
	size_t cost = 6 * ENTRY_BYTES + mapping_cost(d, l->mapping);

	if (d->known[KNOWN_LOCATION].of[id] != UNKNOWN)
		return 0;
	for (size_t i = 0; i < l->n_lines && !is_nameless(d, id); i++) {
		uint32_t f = d->p->lines.data[l->first_line + i].function;
		const struct profile_function *of = &d->p->functions.data[f];

		cost += ENTRY_BYTES;
		if (d->known[KNOWN_FUNCTION].of[f] == UNKNOWN)
			cost += 4 * ENTRY_BYTES + string_cost(d, of->name) +
				string_cost(d, of->system_name) + string_cost(d, of->file);
	}
	return l->n_lines ? cost : cost + 256;
}

size_t otlp_dictionary_cost(const struct otlp_dictionary *d, uint32_t stack)
{
	const struct profile_stack *s = &d->p->stacks.data[stack];
	size_t cost = 8 * ENTRY_BYTES;

	if (d->known[KNOWN_STACK].of[stack] != UNKNOWN)
		return 0;
	for (size_t i = 0; i < s->len && i < d->opts.max_depth; i++)
		cost += INDEX_BYTES + location_cost(d, d->p->frames.data[s->first + i]);
	return cost;
}

size_t otlp_dictionary_bytes(const struct otlp_dictionary *d)
{
	size_t bytes = 0;

	for (size_t i = 1; i < OTLP_N_TABLES; i++)
		bytes += d->tables[i].fields.len;
	return bytes;
}

void otlp_dictionary_put(const struct otlp_dictionary *d, struct buf *out)
{
	for (size_t i = 1; i < OTLP_N_TABLES; i++)
		buf_add(out, d->tables[i].fields.data, d->tables[i].fields.len);
}

/* --- life ---------------------------------------------------------------------------------------- */

int otlp_dictionary_clear(struct otlp_dictionary *d)
{
	int err = 0;

	for (size_t i = 0; i < N_KNOWN; i++)
		memset(d->known[i].of, 0xff, d->known[i].n * sizeof(*d->known[i].of));
	for (size_t i = 1; !err && i < OTLP_N_TABLES; i++) {
		struct table *t = &d->tables[i];
		int32_t none;

		buf_clear(&t->fields);
		t->ends.len = 0;
		htab_clear(&t->index);
		wire_put_bytes(&t->fields, (uint32_t)i, "", 0);
		err = take(d, i, 0, &none);
	}
	return err;
}

void otlp_dictionary_free(struct otlp_dictionary *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < OTLP_N_TABLES; i++) {
		buf_release(&d->tables[i].fields);
		vec_release(&d->tables[i].ends);
		htab_release(&d->tables[i].index);
	}
	for (size_t i = 0; i < N_KNOWN; i++)
		free(d->known[i].of);
	vec_release(&d->frames);
	vec_release(&d->lines);
	vec_release(&d->line_ptrs);
	free(d);
}

int otlp_dictionary_new(struct otlp_dictionary **out, const struct profile *p,
			const struct otlp_dictionary_opts *o)
{
	_cleanup_(otlp_dictionary_freep) struct otlp_dictionary *d = calloc(1, sizeof(*d));
	size_t counts[N_KNOWN] = {strtab_count(p->strings), p->mappings.len, p->functions.len,
				  p->locations.len,	    p->stacks.len,   p->mappings.len,
				  p->mappings.len};
	int err;

	if (!d)
		return -ENOMEM;
	d->p = p;
	d->opts = *o;
	d->seed = hash_random_seed();
	for (size_t i = 0; i < N_KNOWN; i++) {
		d->known[i].n = counts[i];
		d->known[i].of = calloc(counts[i] ?: 1, sizeof(*d->known[i].of));
		if (!d->known[i].of)
			return -ENOMEM;
	}
	err = otlp_dictionary_clear(d);
	if (!err)
		*out = steal_ptr(d);
	return err;
}
