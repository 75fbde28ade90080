// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/chunk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/pack.h"

/* --- what the columns are ------------------------------------------------------------------------- */

/* What a number is written as the difference from. */
enum guess {
	GUESS_NOTHING,	/* 0 */
	GUESS_PREVIOUS, /* the same field of the record before, 0 at the start of a chunk */
	GUESS_SIBLING,	/* `other`, another field of the same record */
	GUESS_FOLLOWS,	/* the record before, if both agree in `other`; else 0 */
	GUESS_OWN,	/* the record's own number; backwards, 0 standing for DICT_NONE */
	GUESS_PARENT, /* the same field of the record that `other` names, if it is in this chunk; else 0 */
};

struct column {
	uint16_t offset, other;
	uint8_t bytes, other_bytes; /* 4: a number of the dictionary, or DICT_NONE; or 8 */
	enum guess guess;
};

#define BYTES_OF(type, field) sizeof(((struct type *)0)->field)
#define COLUMN(type, field, guess)                                                                 \
	{                                                                                          \
		offsetof(struct type, field), 0, BYTES_OF(type, field), 0, guess                   \
	}
#define COLUMN_BY(type, field, guess, other)                                                       \
	{                                                                                          \
		offsetof(struct type, field), offsetof(struct type, other), BYTES_OF(type, field), \
			BYTES_OF(type, other), guess                                               \
	}
/* Both halves of a reference: where it lies, and what it is to. */
#define REFERENCE(type, field, section)                                                            \
	{                                                                                          \
		offsetof(struct type, field), section                                              \
	}

#define MAX_COLUMNS    6
#define MAX_REFERENCES 3

static const struct layout {
	size_t size;
	struct column columns[MAX_COLUMNS + 1]; /* in the order of writing; ends with bytes 0 */
	struct reference {
		uint16_t offset, section;
	} references[MAX_REFERENCES];
	size_t n_references;
} layouts[SECTION_COUNT] = {
	[SECTION_MAPPINGS] = {sizeof(struct dict_mapping),
			      {COLUMN(dict_mapping, start, GUESS_PREVIOUS),
			       COLUMN_BY(dict_mapping, limit, GUESS_SIBLING, start),
			       COLUMN(dict_mapping, offset, GUESS_NOTHING),
			       COLUMN(dict_mapping, file, GUESS_PREVIOUS),
			       COLUMN(dict_mapping, build_id, GUESS_PREVIOUS),
			       COLUMN(dict_mapping, flags, GUESS_NOTHING)},
			      {REFERENCE(dict_mapping, file, SECTION_STRINGS),
			       REFERENCE(dict_mapping, build_id, SECTION_STRINGS)},
			      2},
	[SECTION_FUNCTIONS] = {sizeof(struct dict_function),
			       {COLUMN(dict_function, name, GUESS_PREVIOUS),
				COLUMN_BY(dict_function, system_name, GUESS_SIBLING, name),
				COLUMN(dict_function, file, GUESS_PREVIOUS),
				COLUMN(dict_function, start_line, GUESS_NOTHING)},
			       {REFERENCE(dict_function, name, SECTION_STRINGS),
				REFERENCE(dict_function, system_name, SECTION_STRINGS),
				REFERENCE(dict_function, file, SECTION_STRINGS)},
			       3},
	[SECTION_LINES] = {sizeof(struct dict_line),
			   {COLUMN(dict_line, parent, GUESS_OWN),
			    COLUMN(dict_line, function, GUESS_PREVIOUS),
			    COLUMN_BY(dict_line, line, GUESS_FOLLOWS, function)},
			   {REFERENCE(dict_line, parent, SECTION_LINES),
			    REFERENCE(dict_line, function, SECTION_FUNCTIONS)},
			   2},
	[SECTION_LOCATIONS] = {sizeof(struct dict_location),
			       {COLUMN(dict_location, mapping, GUESS_PREVIOUS),
				COLUMN_BY(dict_location, address, GUESS_FOLLOWS, mapping),
				COLUMN(dict_location, line, GUESS_PREVIOUS),
				COLUMN(dict_location, folded, GUESS_NOTHING)},
			       {REFERENCE(dict_location, mapping, SECTION_MAPPINGS),
				REFERENCE(dict_location, line, SECTION_LINES)},
			       2},
	[SECTION_STACKS] = {sizeof(struct dict_stack),
			    {COLUMN(dict_stack, parent, GUESS_OWN),
			     COLUMN_BY(dict_stack, location, GUESS_PARENT, parent)},
			    {REFERENCE(dict_stack, parent, SECTION_STACKS),
			     REFERENCE(dict_stack, location, SECTION_LOCATIONS)},
			    2},
	[SECTION_LABELSETS] = {sizeof(struct dict_labelset),
			       {COLUMN(dict_labelset, series, GUESS_PREVIOUS),
				COLUMN(dict_labelset, n_values, GUESS_NOTHING)}},
};

/* --- one number ----------------------------------------------------------------------------------- */

static inline int64_t get_field(const char *record, uint16_t offset, uint8_t bytes)
{
	uint32_t id;
	int64_t v;

	if (bytes == sizeof(id)) {
		memcpy(&id, record + offset, sizeof(id));
		return id == DICT_NONE ? -1ll : id;
	}
	memcpy(&v, record + offset, sizeof(v));
	return v;
}

static inline bool set_field(char *record, const struct column *c, int64_t v)
{
	uint32_t id = (uint32_t)v;

	if (c->bytes == sizeof(v)) {
		memcpy(record + c->offset, &v, sizeof(v));
		return true;
	}
	if (v < -1 || v >= DICT_NONE)
		return false;
	memcpy(record + c->offset, &id, sizeof(id)); /* -1 is DICT_NONE */
	return true;
}

/* The records of a chunk while it is written or read. */
struct table {
	char *records;
	size_t size;
	uint32_t first, count;
};

static inline char *record_at(const struct table *t, uint32_t i)
{
	return t->records + i * t->size;
}

/* What the field of record i may well be. Columns before this one are there already. */
static inline int64_t guess_field(const struct table *t, const struct column *c, uint32_t i)
{
	const char *record = record_at(t, i);
	int64_t parent;

	switch (c->guess) {
	case GUESS_PREVIOUS:
		return i ? get_field(record - t->size, c->offset, c->bytes) : 0;
	case GUESS_SIBLING:
		return get_field(record, c->other, c->other_bytes);
	case GUESS_FOLLOWS:
		return i && get_field(record - t->size, c->other, c->other_bytes) ==
					       get_field(record, c->other, c->other_bytes)
			       ? get_field(record - t->size, c->offset, c->bytes)
			       : 0;
	case GUESS_PARENT:
		parent = get_field(record, c->other, c->other_bytes);
		return parent >= t->first ? get_field(record_at(t, (uint32_t)(parent - t->first)),
						      c->offset, c->bytes)
					  : 0;
	default:
		return 0;
	}
}

static int64_t minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* --- columns -------------------------------------------------------------------------------------- */

static void put_column(struct buf *b, const struct table *t, const struct column *c)
{
	for (uint32_t i = 0; i < t->count; i++) {
		int64_t v = get_field(record_at(t, i), c->offset, c->bytes);

		if (c->guess == GUESS_OWN)
			put_uleb(b, v < 0 ? 0 : (uint64_t)(t->first + i - v));
		else
			put_zigzag(b, minus(v, guess_field(t, c, i)));
	}
}

static bool get_column(struct bytes *b, const struct table *t, const struct column *c)
{
	for (uint32_t i = 0; i < t->count; i++) {
		uint64_t own = (uint64_t)t->first + i, back;
		int64_t v;

		if (c->guess == GUESS_OWN) {
			back = bytes_uleb(b);
			if (back > own)
				return false;
			v = back ? (int64_t)(own - back) : -1;
		} else {
			v = plus(get_zigzag(b), guess_field(t, c, i));
		}
		if (!set_field(record_at(t, i), c, v))
			return false;
	}
	return !b->bad;
}

/* --- strings: what each has in common with the one before, and the rest ---------------------------- */

#define MAX_SHARED 255

static const char *string_at(const struct dict *d, const struct dict_order *o, uint32_t i)
{
	return strtab_get(d->strings, o ? o->old_of[SECTION_STRINGS][i] : i);
}

static size_t shared_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (n < MAX_SHARED && a[n] && a[n] == b[n])
		n++;
	return n;
}

static void put_strings(struct buf *b, const struct dict *d, const struct dict_order *o,
			uint32_t first, uint32_t count)
{
	struct buf lengths = {0}, rest = {0};
	const char *before = "";

	for (uint32_t i = first; i < first + count; i++) {
		const char *s = string_at(d, o, i);
		size_t shared = shared_prefix(before, s), len = strlen(s + shared);

		buf_char(b, (char)shared);
		put_uleb(&lengths, len);
		buf_add(&rest, s + shared, len);
		before = s;
	}
	buf_add(b, lengths.data, lengths.len);
	buf_add(b, rest.data, rest.len);
	b->err = b->err ?: lengths.err ?: rest.err;
	buf_release(&lengths);
	buf_release(&rest);
}

/* One string after the other into text; *before is where the last one begins. */
static bool get_string(struct bytes *rest, size_t shared, uint64_t len, struct buf *text,
		       size_t *before)
{
	size_t start = text->len;
	char *room;

	if ((shared && shared >= start - *before) || len > bytes_left(rest))
		return false;
	room = buf_room(text, shared + (size_t)len + 1);
	if (!room)
		return false;
	memcpy(room, text->data + *before, shared);
	bytes_read(rest, room + shared, (size_t)len);
	if (memchr(room + shared, 0, (size_t)len))
		return false;
	room[shared + len] = '\0';
	text->len += shared + (size_t)len + 1;
	*before = start;
	return text->len <= PACK_MAX_BYTES;
}

static int get_strings(struct bytes *b, struct chunk *c)
{
	struct bytes shared = bytes_sub(b, c->count), lengths = *b;
	struct buf text = {0};
	size_t before = 0;
	bool good = !shared.bad;

	for (uint32_t i = 0; i < c->count && good; i++)
		good = bytes_uleb(b) <= PACK_MAX_BYTES && !b->bad;
	c->offsets = malloc(((size_t)c->count + 1) * sizeof(*c->offsets));
	if (!c->offsets)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->count && good; i++) {
		c->offsets[i] = (uint32_t)text.len;
		good = get_string(b, bytes_u8(&shared), bytes_uleb(&lengths), &text, &before);
	}
	c->text = text.data;
	return text.err ?: good ? 0 : -EBADMSG;
}

/* --- label sets: their numbers follow ------------------------------------------------------------- */

static void put_values(struct buf *b, const struct dict *d, const struct table *t)
{
	const struct dict_labelset *l = (const struct dict_labelset *)t->records;
	int64_t before = 0;

	for (uint32_t i = 0; i < t->count; i++) {
		for (uint32_t k = 0; k < l[i].n_values; k++) {
			int64_t v = d->values.data[l[i].first_value + k];

			/* A process id is near the last one, a thread id near its process's. */
			put_zigzag(b, minus(v, k ? d->values.data[l[i].first_value] : before));
		}
		if (l[i].n_values)
			before = d->values.data[l[i].first_value];
	}
}

static int get_values(struct bytes *b, struct chunk *c)
{
	struct dict_labelset *l = c->records;
	VEC(int64_t) values = {0};
	int64_t before = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		l[i].first_value = (uint32_t)values.len;
		for (uint32_t k = 0; k < l[i].n_values; k++) {
			int64_t v = plus(get_zigzag(b), k ? values.data[l[i].first_value] : before);

			if (b->bad || vec_push(&values, v)) {
				vec_release(&values);
				return b->bad ? -EBADMSG : -ENOMEM;
			}
		}
		if (l[i].n_values)
			before = values.data[l[i].first_value];
	}
	c->values = values.data;
	return 0;
}

/* --- chunks --------------------------------------------------------------------------------------- */

static const void *records_of(const struct dict *d, enum section s)
{
	switch (s) {
	case SECTION_MAPPINGS:
		return d->mappings.data;
	case SECTION_FUNCTIONS:
		return d->functions.data;
	case SECTION_LINES:
		return d->lines.data;
	case SECTION_LOCATIONS:
		return d->locations.data;
	case SECTION_STACKS:
		return d->stacks.data;
	default:
		return d->labelsets.data;
	}
}

static void renumber(char *record, const struct layout *layout, const struct dict_order *o)
{
	for (size_t i = 0; i < layout->n_references; i++) {
		const struct reference *ref = &layout->references[i];
		uint32_t id;

		memcpy(&id, record + ref->offset, sizeof(id));
		if (id != DICT_NONE)
			id = o->new_of[ref->section][id];
		memcpy(record + ref->offset, &id, sizeof(id));
	}
}

/* Copies of the wanted records, with their references in the new order. NULL when out of memory. */
static char *copy_records(const struct dict *d, const struct dict_order *o, enum section s,
			  uint32_t first, uint32_t count)
{
	const struct layout *layout = &layouts[s];
	const char *from = records_of(d, s);
	char *records = malloc(count * layout->size + 1);

	for (uint32_t i = 0; records && i < count; i++) {
		uint32_t id = o ? o->old_of[s][first + i] : first + i;

		memcpy(records + i * layout->size, from + id * layout->size, layout->size);
		if (o)
			renumber(records + i * layout->size, layout, o);
	}
	return records;
}

static int put_records(struct buf *b, const struct dict *d, const struct dict_order *o,
		       enum section s, uint32_t first, uint32_t count)
{
	_cleanup_free_ char *records = copy_records(d, o, s, first, count);
	struct table t = {records, layouts[s].size, first, count};

	if (!records)
		return -ENOMEM;
	for (const struct column *c = layouts[s].columns; c->bytes; c++)
		put_column(b, &t, c);
	if (s == SECTION_LABELSETS)
		put_values(b, d, &t);
	return b->err;
}

int chunk_encode(struct packer *p, struct buf *out, const struct dict *d,
		 const struct dict_order *order, enum section s, uint32_t first, uint32_t count,
		 int level)
{
	int err = 0;

	buf_clear(&p->raw);
	if (s == SECTION_STRINGS)
		put_strings(&p->raw, d, order, first, count);
	else
		err = put_records(&p->raw, d, order, s, first, count);
	return err ?: pack(p, out, level);
}

static int get_records(struct bytes *b, struct chunk *c)
{
	const struct layout *layout = &layouts[c->section];
	struct table t = {NULL, layout->size, c->first, c->count};

	/* Every number takes a byte at least: what does not fit in is not there. */
	if (c->count > bytes_left(b))
		return -EBADMSG;
	c->records = calloc((size_t)c->count + 1, layout->size);
	if (!c->records)
		return -ENOMEM;
	t.records = c->records;
	for (const struct column *col = layout->columns; col->bytes; col++)
		if (!get_column(b, &t, col))
			return -EBADMSG;
	return c->section == SECTION_LABELSETS ? get_values(b, c) : 0;
}

int chunk_decode(struct packer *p, struct chunk *out, enum section s, uint32_t first,
		 uint32_t count, const void *data, size_t len)
{
	struct chunk c = {.section = s, .first = first, .count = count};
	struct bytes b;
	int err;

	if (s >= SECTION_COUNT || count > DICT_NONE - first)
		return -EBADMSG;
	err = unpack(p, data, len);
	b = bytes_of(p->raw.data, p->raw.len);
	if (!err)
		err = s == SECTION_STRINGS ? get_strings(&b, &c) : get_records(&b, &c);
	if (!err && bytes_left(&b))
		err = -EBADMSG;
	if (err)
		chunk_release(&c);
	else
		*out = c;
	return err;
}

void chunk_release(struct chunk *c)
{
	free(c->records);
	free(c->text);
	free(c->offsets);
	free(c->values);
	*c = (struct chunk){0};
}

const void *chunk_record(const struct chunk *c, uint32_t id)
{
	return (const char *)c->records + (size_t)(id - c->first) * layouts[c->section].size;
}
