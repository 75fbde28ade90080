// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads a pprof message (proto/pprof.proto) into a profile. Entries refer to others by ids of any
 * size and in any order. So the message is walked once for each table, referenced tables first. One
 * entry at a time is unpacked. It refuses what google/pprof refuses (Profile.CheckValid).
 */
#include <errno.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/formats/export.h"
#include "profiler/formats/pprof_fields.h"
#include "profiler/formats/pprof_read.h"
#include "proto/pprof.pb-c.h"
#include "proto/wire.h"

/* Memory to unpack one entry. A stack of IMPORT_MAX_FRAMES needs 1 MB. */
#define ENTRY_MEMORY (64u << 20)
/* All fields that are not tables: mostly comments. */
#define HEADER_MAX_BYTES (16u << 20)

struct id_entry {
	uint64_t id;
	uint32_t to;
};

/* Foreign ids and their entries. Nearly all files number entries 1, 2, 3, ...; such an entry is
 * found by its place. */
struct id_table {
	VEC(struct id_entry) entries;
	struct htab index; /* of entries that are out of place */
};

struct string_ref {
	uint32_t off, len; /* in the message */
	uint32_t id;	   /* in the profile, PROFILE_NONE until used */
};

struct reader {
	struct profile *p;
	struct bytes message;
	const char **why;
	uint64_t seed;
	struct wire_arena arena;
	struct buf header;
	bool has_time;
	VEC(struct string_ref) strings;
	struct id_table mappings, functions, locations;
	size_t n_samples; /* samples read, before equal ones are joined */
	/* What refers to shared things may be a million times larger than the file. */
	uint64_t n_inlined, name_bytes, label_bytes;
	/* scratch */
	VEC(struct profile_line) lines;
	VEC(uint32_t) frames;
	VEC(struct profile_label) labels;
};

static int fail(struct reader *r, int err, const char *sentence)
{
	*r->why = sentence;
	return err;
}

static int malformed(struct reader *r, const char *sentence)
{
	return fail(r, -EBADMSG, sentence);
}

static int no_memory(struct reader *r)
{
	return fail(r, -ENOMEM, "out of memory");
}

static void reader_release(struct reader *r)
{
	wire_arena_release(&r->arena);
	buf_release(&r->header);
	vec_release(&r->strings);
	vec_release(&r->mappings.entries);
	htab_release(&r->mappings.index);
	vec_release(&r->functions.entries);
	htab_release(&r->functions.index);
	vec_release(&r->locations.entries);
	htab_release(&r->locations.index);
	vec_release(&r->lines);
	vec_release(&r->frames);
	vec_release(&r->labels);
	profile_free(r->p);
}

/* --- ids ----------------------------------------------------------------------------------------- */

struct id_needle {
	const struct id_table *t;
	uint64_t id;
};

static bool id_eq(const void *ctx, uint32_t place)
{
	const struct id_needle *n = ctx;

	return n->t->entries.data[place].id == n->id;
}

static uint32_t id_place(const struct reader *r, const struct id_table *t, uint64_t id)
{
	struct id_needle n = {t, id};

	if (id - 1 < t->entries.len && t->entries.data[id - 1].id == id)
		return (uint32_t)(id - 1);
	return htab_find(&t->index, hash_mix(r->seed, id), id_eq, &n);
}

/* The profile's id for a foreign id; PROFILE_NONE if there is none. */
static uint32_t id_find(const struct reader *r, const struct id_table *t, uint64_t id)
{
	uint32_t place = id_place(r, t, id);

	return place == HTAB_NONE ? PROFILE_NONE : t->entries.data[place].to;
}

static int id_add(struct reader *r, struct id_table *t, uint64_t id, uint32_t to)
{
	size_t n = t->entries.len;

	if (!id)
		return malformed(r, "an entry has the reserved id 0");
	if (id_place(r, t, id) != HTAB_NONE)
		return malformed(r, "two entries have the same id");
	if (n >= IMPORT_MAX_ENTRIES)
		return fail(r, -EFBIG, "it has more entries than any real profile");
	if (id != n + 1 && htab_insert(&t->index, hash_mix(r->seed, id), (uint32_t)n))
		return no_memory(r);
	return vec_push(&t->entries, (struct id_entry){id, to}) ? no_memory(r) : 0;
}

/* --- strings ------------------------------------------------------------------------------------- */

static int add_string(struct reader *r, const struct bytes *b)
{
	size_t n = r->strings.len;

	if (n >= IMPORT_MAX_ENTRIES)
		return fail(r, -EFBIG, "it has more strings than any real profile");
	if (!n && bytes_left(b))
		return malformed(r, "its first string is not empty");
	if (vec_reserve(&r->strings, n + 1))
		return no_memory(r);
	r->strings.data[r->strings.len++] = (struct string_ref){
		.off = (uint32_t)(b->p - r->message.p),
		.len = (uint32_t)bytes_left(b),
		.id = PROFILE_NONE,
	};
	return 0;
}

static int string_of(struct reader *r, int64_t index, uint32_t *id)
{
	struct string_ref *s;

	if (index < 0 || (uint64_t)index >= r->strings.len)
		return malformed(r, "it refers to a missing string");
	s = &r->strings.data[index];
	if (s->id == PROFILE_NONE &&
	    profile_string_n(r->p, (const char *)r->message.p + s->off, s->len, &s->id))
		return no_memory(r);
	*id = s->id;
	return 0;
}

/* --- the walk over the message --------------------------------------------------------------------- */

typedef int (*entry_fn)(struct reader *r, const struct wire_field *f);

/* Calls fn for every field with this number, or for all if it is 0. */
static int walk(struct reader *r, uint32_t number, entry_fn fn)
{
	struct bytes rest = r->message;
	struct wire_field f;
	int err = 0;

	while (!err && wire_next(&rest, &f))
		if (!number || f.number == number)
			err = fn(r, &f);
	if (!err && rest.bad)
		err = malformed(r, "not a pprof profile: it is no protobuf message");
	return err;
}

/* Unpacks an entry, which lives until the next unpack(). NULL with *err set on failure. */
static void *unpack(struct reader *r, const ProtobufCMessageDescriptor *type, const void *data,
		    size_t len, int *err)
{
	void *m;

	wire_arena_reset(&r->arena);
	m = protobuf_c_message_unpack(type, &r->arena.allocator, len, data);
	if (m)
		return m;
	if (r->arena.no_memory)
		*err = no_memory(r);
	else if (r->arena.exhausted)
		*err = fail(r, -EFBIG, "one of its entries is larger than any real one");
	else
		*err = malformed(r, "not a pprof profile: an entry is malformed");
	return NULL;
}

/* Unpacks the entry as `var`, or returns from the function. */
#define UNPACK(var, descriptor)                                                                    \
	do {                                                                                       \
		int unpack_err = 0;                                                                \
                                                                                                   \
		(var) = unpack(r, &(descriptor), f->bytes.p, bytes_left(&f->bytes), &unpack_err);  \
		if (!(var))                                                                        \
			return unpack_err;                                                         \
	} while (0)

/* First walk: notes the strings, and collects the fields that are not tables as the header. */
static int scan(struct reader *r, const struct wire_field *f)
{
	size_t len = (size_t)(f->end - f->start);

	switch (f->number) {
	case PPROF_SAMPLE ... PPROF_STRING:
		if (f->type != WIRE_LEN)
			return malformed(r, "not a pprof profile: a table holds numbers");
		return f->number == PPROF_STRING ? add_string(r, &f->bytes) : 0;
	case PPROF_TIME:
		/* google/pprof's check, which accepts a second time field of 0 */
		if (r->has_time && f->value)
			return malformed(r,
					 "it is several profiles concatenated: merge them instead");
		r->has_time |= f->value != 0;
		break;
	default:
		break;
	}
	if (f->number > PPROF_LAST)
		return 0;
	if (r->header.len + len > HEADER_MAX_BYTES)
		return fail(r, -EFBIG, "its header is larger than any real one");
	buf_add(&r->header, f->start, len);
	return r->header.err ? no_memory(r) : 0;
}

/* --- the header ------------------------------------------------------------------------------------- */

static int read_value_type(struct reader *r, const Pprof__ValueType *m,
			   struct profile_value_type *t)
{
	int err = string_of(r, m->type, &t->type);

	return err ?: string_of(r, m->unit, &t->unit);
}

static int read_lists(struct reader *r, const Pprof__Profile *m)
{
	if (m->n_sample_type > IMPORT_MAX_TYPES)
		return fail(r, -EFBIG, "it has more sample types than any real profile");
	for (size_t i = 0; i < m->n_sample_type; i++) {
		struct profile_value_type t;
		int err = read_value_type(r, m->sample_type[i], &t);

		if (err)
			return err;
		if (vec_push(&r->p->sample_types, t))
			return no_memory(r);
	}
	for (size_t i = 0; i < m->n_comment; i++) {
		uint32_t id;
		int err = string_of(r, m->comment[i], &id);

		if (err)
			return err;
		if (vec_push(&r->p->comments, id))
			return no_memory(r);
	}
	return 0;
}

static int read_header(struct reader *r)
{
	struct profile *p = r->p;
	const Pprof__Profile *m;
	int err = 0;

	m = unpack(r, &pprof__profile__descriptor, r->header.data, r->header.len, &err);
	if (!m)
		return err;
	if (!r->strings.len)
		return malformed(r, "not a pprof profile: it has no strings");
	p->time_ns = m->time_nanos;
	p->duration_ns = m->duration_nanos;
	p->period = m->period;
	err = read_lists(r, m);
	if (m->period_type)
		err = err ?: read_value_type(r, m->period_type, &p->period_type);
	err = err ?: string_of(r, m->default_sample_type, &p->default_sample_type);
	err = err ?: string_of(r, m->drop_frames, &p->drop_frames);
	err = err ?: string_of(r, m->keep_frames, &p->keep_frames);
	return err ?: string_of(r, m->doc_url, &p->doc_url);
}

/* --- text that is referred to -------------------------------------------------------------------------- */

/* One long string may be referred to a million times. */
static int add_text(struct reader *r, uint64_t *sum, uint64_t most, size_t len)
{
	*sum += len;
	if (*sum > most)
		return fail(r, -EFBIG,
			    "its names are longer, together, than those of any real profile");
	return 0;
}

static int add_name(struct reader *r, uint32_t string)
{
	return add_text(r, &r->name_bytes, IMPORT_MAX_NAME_BYTES,
			strlen(profile_text(r->p, string)));
}

/* A string of the message. */
static int add_label_text(struct reader *r, int64_t index)
{
	return add_text(r, &r->label_bytes, IMPORT_MAX_LABEL_BYTES, r->strings.data[index].len);
}

static int add_names(struct reader *r, const struct profile_function *f)
{
	return add_name(r, f->name) ?: add_name(r, f->system_name) ?: add_name(r, f->file);
}

/* --- tables ----------------------------------------------------------------------------------------- */

static int read_mapping(struct reader *r, const struct wire_field *f)
{
	const Pprof__Mapping *m;
	struct profile_mapping out;
	uint32_t id;
	int err;

	UNPACK(m, pprof__mapping__descriptor);
	out = (struct profile_mapping){
		.start = m->memory_start,
		.limit = m->memory_limit,
		.offset = m->file_offset,
		.has_functions = m->has_functions,
		.has_filenames = m->has_filenames,
		.has_line_numbers = m->has_line_numbers,
		.has_inline_frames = m->has_inline_frames,
	};
	err = string_of(r, m->filename, &out.file);
	err = err ?: string_of(r, m->build_id, &out.build_id);
	err = err ?: add_name(r, out.file);
	if (err)
		return err;
	if (profile_mapping(r->p, &out, &id))
		return no_memory(r);
	return id_add(r, &r->mappings, m->id, id);
}

static int read_function(struct reader *r, const struct wire_field *f)
{
	const Pprof__Function *m;
	struct profile_function out;
	uint32_t id;
	int err;

	UNPACK(m, pprof__function__descriptor);
	out.start_line = m->start_line;
	err = string_of(r, m->name, &out.name);
	err = err ?: string_of(r, m->system_name, &out.system_name);
	err = err ?: string_of(r, m->filename, &out.file);
	if (err)
		return err;
	/* Some writers have a name from the symbol table only. */
	out.name = out.name ?: out.system_name;
	err = add_names(r, &out);
	if (err)
		return err;
	if (profile_function(r->p, &out, &id))
		return no_memory(r);
	return id_add(r, &r->functions, m->id, id);
}

/* Lines of functions that have a name: without one, a location is what it is without a line. */
static int read_location(struct reader *r, const struct wire_field *f)
{
	const Pprof__Location *m;
	uint32_t id, mapping;
	size_t n = 0;
	int err;

	UNPACK(m, pprof__location__descriptor);
	if (m->n_line > IMPORT_MAX_INLINED)
		return fail(r, -EFBIG, "a location has more inlined functions than any real one");
	if (vec_reserve(&r->lines, m->n_line))
		return no_memory(r);
	for (size_t i = 0; i < m->n_line; i++) {
		uint32_t function = id_find(r, &r->functions, m->line[i]->function_id);

		if (function == PROFILE_NONE)
			return malformed(r, "a line refers to a missing function");
		err = add_names(r, &r->p->functions.data[function]);
		if (err)
			return err;
		if (!text_is_blank(profile_text(r->p, r->p->functions.data[function].name)))
			r->lines.data[n++] = (struct profile_line){.function = function,
								   .line = m->line[i]->line};
	}
	/* A reference to a missing mapping means no mapping, as in google/pprof: some writers
	 * leave it out. */
	mapping = id_find(r, &r->mappings, m->mapping_id);
	err = mapping == PROFILE_NONE ? 0 : add_name(r, r->p->mappings.data[mapping].file);
	if (err)
		return err;
	if (profile_location(r->p, mapping, m->address, r->lines.data, n, &id))
		return no_memory(r);
	if (m->is_folded)
		r->p->locations.data[id].is_folded = true;
	return id_add(r, &r->locations, m->id, id);
}

static int read_label(struct reader *r, const Pprof__Label *m)
{
	struct profile_label l = {.str = PROFILE_NONE};
	int err = string_of(r, m->key, &l.key);

	err = err ?: add_label_text(r, m->key);
	if (m->str) {
		err = err ?: string_of(r, m->str, &l.str) ?: add_label_text(r, m->str);
	} else {
		if (!m->num && !m->num_unit) /* no label, as in google/pprof */
			return err;
		l.num = m->num;
		err = err ?: string_of(r, m->num_unit, &l.num_unit);
		/* export writes 0 without a unit like this */
		if (!l.num && l.num_unit == l.key)
			l.num_unit = 0;
	}
	if (err)
		return err;
	return vec_push(&r->labels, l) ? no_memory(r) : 0;
}

static int read_labelset(struct reader *r, const Pprof__Sample *m, uint32_t *id)
{
	int err = 0;

	r->labels.len = 0;
	for (size_t i = 0; !err && i < m->n_label; i++)
		err = read_label(r, m->label[i]);
	if (!err && profile_labelset(r->p, r->labels.data, r->labels.len, id))
		err = no_memory(r);
	return err;
}

static int read_stack(struct reader *r, const Pprof__Sample *m, uint32_t *id)
{
	uint32_t n_lines;

	if (m->n_location_id > IMPORT_MAX_FRAMES)
		return fail(r, -EFBIG, "a stack is deeper than any real one");
	if (vec_reserve(&r->frames, m->n_location_id))
		return no_memory(r);
	for (size_t i = 0; i < m->n_location_id; i++) {
		uint32_t location = id_find(r, &r->locations, m->location_id[i]);

		if (location == PROFILE_NONE)
			return malformed(r, "a sample refers to a missing location");
		r->frames.data[i] = location;
		n_lines = r->p->locations.data[location].n_lines;
		r->n_inlined += n_lines ? n_lines - 1 : 0;
	}
	if (r->n_inlined > IMPORT_MAX_INLINED_ALL)
		return fail(r, -EFBIG, "its stacks have more inlined calls than any real profile");
	if (profile_stack(r->p, r->frames.data, m->n_location_id, id))
		return no_memory(r);
	return 0;
}

static int read_sample(struct reader *r, const struct wire_field *f)
{
	const Pprof__Sample *m;
	uint32_t stack, labelset;
	int err;

	UNPACK(m, pprof__sample__descriptor);
	if (!r->p->sample_types.len)
		return malformed(r, "it has samples but no sample types");
	if (m->n_value != r->p->sample_types.len)
		return malformed(
			r,
			"the number of a sample's values differs from the number of sample types");
	if (r->n_samples++ >= IMPORT_MAX_ENTRIES)
		return fail(r, -EFBIG, "it has more samples than any real profile");
	err = read_stack(r, m, &stack);
	err = err ?: read_labelset(r, m, &labelset);
	if (err)
		return err;
	return profile_add(r->p, stack, labelset, m->value) ? no_memory(r) : 0;
}

int pprof_read(struct profile **out, const void *data, size_t len, const char **why)
{
	struct reader r = {
		.p = profile_new(),
		.message = bytes_of(data, len),
		.why = why,
		.seed = hash_random_seed(),
	};
	int err;

	wire_arena_init(&r.arena, ENTRY_MEMORY);
	err = !r.p		       ? no_memory(&r)
	      : len > IMPORT_MAX_BYTES ? fail(&r, -EFBIG, "it is larger than 1 GiB")
				       : walk(&r, 0, scan);
	err = err ?: read_header(&r);
	err = err ?: walk(&r, PPROF_MAPPING, read_mapping);
	err = err ?: walk(&r, PPROF_FUNCTION, read_function);
	err = err ?: walk(&r, PPROF_LOCATION, read_location);
	err = err ?: walk(&r, PPROF_SAMPLE, read_sample);
	if (!err) {
		*out = r.p;
		r.p = NULL;
	}
	reader_release(&r);
	return err;
}
