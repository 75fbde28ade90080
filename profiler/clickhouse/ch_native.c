// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/clickhouse/ch_native.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"

#define MAX_NAME  255 /* bytes of a column's name or type */
#define MAX_SHOWN 60

/* Of LowCardinality: flags, and what an index takes, as a power of two. */
#define LOW_VERSION  1
#define LOW_WIDTH    0xffull
#define LOW_HAS_KEYS 0x200ull
#define LOW_KNOWN    (LOW_WIDTH | LOW_HAS_KEYS | 0x400ull) /* the last: keys are of this block */

static const struct {
	const char *name;
	unsigned width;
} types[] = {
#define X(id, name, width) {name, width},
	CH_TYPES(X)
#undef X
};

const char *ch_type_name(enum ch_type type)
{
	return types[type].name;
}

/* --- writing -------------------------------------------------------------------------------------- */

static void put_varint(struct buf *out, uint64_t v)
{
	while (v >= 0x80) {
		buf_char(out, (char)(v | 0x80));
		v >>= 7;
	}
	buf_char(out, (char)v);
}

void ch_put_string(struct buf *out, const char *text, size_t len)
{
	put_varint(out, len);
	buf_add(out, text, len);
}

static void put_uint(struct buf *out, uint64_t v, unsigned width)
{
	char bytes[8];

	for (unsigned i = 0; i < width; i++)
		bytes[i] = (char)(v >> 8 * i);
	buf_add(out, bytes, width);
}

void ch_put_u16(struct buf *out, uint16_t v)
{
	put_uint(out, v, 2);
}

void ch_put_u32(struct buf *out, uint32_t v)
{
	put_uint(out, v, 4);
}

void ch_put_u64(struct buf *out, uint64_t v)
{
	put_uint(out, v, 8);
}

void ch_put_block(struct buf *out, size_t n_columns, size_t n_rows)
{
	put_varint(out, n_columns);
	put_varint(out, n_rows);
}

void ch_put_column(struct buf *out, const char *name, enum ch_type type, bool is_array)
{
	char full[32];
	int n = snprintf(full, sizeof(full), is_array ? "Array(%s)" : "%s", types[type].name);

	ch_put_string(out, name, strlen(name));
	ch_put_string(out, full, (size_t)n);
}

/* --- reading -------------------------------------------------------------------------------------- */

static int cut_off(struct why *why)
{
	return why_say(why, -EBADMSG,
		       "the answer is cut off, or not in ClickHouse's format Native");
}

static int no_memory(struct why *why)
{
	return why_say(why, -ENOMEM, "out of memory");
}

/* "DateTime('Europe/Berlin')" is a DateTime. */
static bool is_type(const char *text, size_t len, const char *name)
{
	size_t n = strlen(name);

	if (len < n || memcmp(text, name, n) != 0)
		return false;
	return len == n || (!strcmp(name, "DateTime") && text[n] == '(' && text[len - 1] == ')');
}

static int parse_type(struct ch_column *c, const char *text, size_t len, struct why *why)
{
	static const char array[] = "Array(";
	size_t prefix = sizeof(array) - 1;
	_cleanup_free_ char *shown = NULL;

	if (is_type(text, len, "LowCardinality(String)")) {
		c->type = CH_STRING;
		c->index_width = 1;
		return 0;
	}
	c->is_array = len > prefix && !memcmp(text, array, prefix) && text[len - 1] == ')';
	if (c->is_array) {
		text += prefix;
		len -= prefix + 1;
	}
	for (int i = 0; i < CH_N_TYPES; i++) {
		if (is_type(text, len, types[i].name)) {
			c->type = (enum ch_type)i;
			return 0;
		}
	}
	shown = text_clean_dup(text, len < MAX_SHOWN ? len : MAX_SHOWN);
	return why_say(why, -EBADMSG,
		       "the answer has a column of the type %s, which kiln cannot read",
		       shown ? shown : "?");
}

static bool read_short(struct bytes *b, const char **text, size_t *len)
{
	uint64_t n = bytes_uleb(b);

	if (n > MAX_NAME || n > bytes_left(b))
		return bytes_fail(b);
	*text = (const char *)b->p;
	*len = (size_t)n;
	return bytes_skip(b, n);
}

static int read_strings(struct bytes *b, struct ch_column *c, uint64_t n, struct why *why)
{
	/* Each has a byte for its length. */
	if (n > bytes_left(b))
		return cut_off(why);
	c->data = b->p;
	c->texts = calloc((size_t)n + 1, sizeof(*c->texts));
	if (!c->texts)
		return no_memory(why);
	for (size_t i = 0; i < n && !b->bad; i++) {
		c->texts[i] = (uint32_t)(b->p - c->data);
		bytes_skip(b, bytes_uleb(b));
	}
	c->texts[n] = (uint32_t)(b->p - c->data);
	return b->bad ? cut_off(why) : 0;
}

static uint64_t index_of(const struct ch_column *c, size_t i)
{
	struct bytes b = bytes_of(c->indices + i * c->index_width, c->index_width);

	return bytes_uint(&b, c->index_width);
}

static int read_low(struct bytes *b, struct ch_column *c, struct why *why)
{
	uint64_t version, flags, n_keys;
	int err;

	if (!c->n) /* then there is nothing at all */
		return read_strings(b, c, 0, why);
	version = bytes_u64(b);
	flags = bytes_u64(b);
	n_keys = bytes_u64(b);
	if (version != LOW_VERSION || (flags & ~LOW_KNOWN) || !(flags & LOW_HAS_KEYS) ||
	    (flags & LOW_WIDTH) > 3)
		return cut_off(why);
	c->index_width = 1u << (flags & LOW_WIDTH);
	err = read_strings(b, c, n_keys, why);
	if (err)
		return err;
	if (bytes_u64(b) != c->n || c->n > bytes_left(b) / c->index_width)
		return cut_off(why);
	c->indices = b->p;
	bytes_skip(b, (uint64_t)c->n * c->index_width);
	for (size_t i = 0; i < c->n; i++)
		if (index_of(c, i) >= n_keys)
			return cut_off(why);
	return 0;
}

static int read_elements(struct bytes *b, struct ch_column *c, struct why *why)
{
	unsigned width = types[c->type].width;

	if (c->index_width)
		return read_low(b, c, why);
	if (!width)
		return read_strings(b, c, c->n, why);
	c->data = b->p;
	if (c->n > bytes_left(b) / width || !bytes_skip(b, (uint64_t)c->n * width))
		return cut_off(why);
	return 0;
}

static uint64_t end_of(const struct ch_column *c, size_t row)
{
	struct bytes b = bytes_of(c->ends + 8 * row, 8);

	return bytes_u64(&b);
}

static int read_ends(struct bytes *b, struct ch_column *c, size_t n_rows, struct why *why)
{
	uint64_t before = 0;

	c->ends = b->p;
	if (n_rows > bytes_left(b) / 8 || !bytes_skip(b, 8 * (uint64_t)n_rows))
		return cut_off(why);
	for (size_t i = 0; i < n_rows; i++) {
		uint64_t end = end_of(c, i);

		if (end < before || end > bytes_left(b))
			return cut_off(why);
		before = end;
	}
	c->n = (size_t)before;
	return 0;
}

static int read_column(struct bytes *b, struct ch_column *c, size_t n_rows, struct why *why)
{
	const char *name, *type;
	size_t name_len, type_len;
	int err;

	if (!read_short(b, &name, &name_len) || !read_short(b, &type, &type_len))
		return cut_off(why);
	c->name = strndup(name, name_len);
	if (!c->name)
		return no_memory(why);
	err = parse_type(c, type, type_len, why);
	c->n = n_rows;
	if (!err && c->is_array)
		err = read_ends(b, c, n_rows, why);
	return err ?: read_elements(b, c, why);
}

static int read_block(struct bytes *b, struct ch_block *out, struct why *why)
{
	uint64_t n_columns = bytes_uleb(b), n_rows = bytes_uleb(b);
	int err = 0;

	/* A row takes a byte at least. */
	if (b->bad || n_columns > CH_MAX_COLUMNS || (!n_columns && n_rows) ||
	    n_rows > bytes_left(b))
		return cut_off(why);
	out->n_rows = (size_t)n_rows;
	for (uint64_t i = 0; i < n_columns && !err; i++) {
		err = vec_push(&out->columns, (struct ch_column){0});
		err = err ? no_memory(why)
			  : read_column(b, &vec_last(&out->columns), out->n_rows, why);
	}
	return err;
}

/* The next block, if there may be one more. */
static int add_block(struct ch_answer *out, size_t *n_columns, struct bytes *b, struct why *why)
{
	int err;

	if (out->blocks.len == CH_MAX_BLOCKS || *n_columns > CH_MAX_ALL_COLUMNS)
		return why_say(why, -EBADMSG, "the answer has too many blocks");
	if (vec_push(&out->blocks, (struct ch_block){0}))
		return no_memory(why);
	err = read_block(b, &vec_last(&out->blocks), why);
	*n_columns += vec_last(&out->blocks).columns.len;
	return err;
}

int ch_answer_parse(struct ch_answer *out, struct buf *body, struct why *why)
{
	size_t n_columns = 0;
	struct bytes b;
	int err = 0;

	out->body = *body;
	*body = (struct buf){0};
	if (out->body.len > UINT32_MAX)
		return why_say(why, -EBADMSG, "the answer is too large");
	b = bytes_of(out->body.data, out->body.len);
	while (!err && bytes_left(&b)) {
		err = add_block(out, &n_columns, &b, why);
		out->n_rows += err ? 0 : vec_last(&out->blocks).n_rows;
	}
	return err;
}

void ch_answer_release(struct ch_answer *a)
{
	for (size_t i = 0; i < a->blocks.len; i++) {
		struct ch_block *b = &a->blocks.data[i];

		for (size_t c = 0; c < b->columns.len; c++) {
			free(b->columns.data[c].name);
			free(b->columns.data[c].texts);
		}
		vec_release(&b->columns);
	}
	vec_release(&a->blocks);
	buf_release(&a->body);
	*a = (struct ch_answer){0};
}

const struct ch_column *ch_column(const struct ch_block *b, const char *name, enum ch_type type,
				  bool is_array)
{
	for (size_t i = 0; i < b->columns.len; i++) {
		const struct ch_column *c = &b->columns.data[i];

		if (!strcmp(c->name, name) && c->type == type && c->is_array == is_array)
			return c;
	}
	return NULL;
}

/* --- elements ------------------------------------------------------------------------------------- */

/* Not a number: 0. */
static int64_t saturated(double d)
{
	if (d >= 0x1p63)
		return INT64_MAX;
	if (d < -0x1p63)
		return INT64_MIN;
	return d == d ? (int64_t)d : 0;
}

uint64_t ch_uint(const struct ch_column *c, size_t i)
{
	return (uint64_t)ch_int(c, i);
}

int64_t ch_int(const struct ch_column *c, size_t i)
{
	unsigned width = types[c->type].width;
	struct bytes b = bytes_of(c->data + i * width, width);
	uint64_t v = bytes_uint(&b, width);

	switch (c->type) {
	case CH_INT8:
		return (int8_t)v;
	case CH_INT16:
		return (int16_t)v;
	case CH_INT32:
		return (int32_t)v;
	case CH_FLOAT32:
	case CH_FLOAT64:
		return saturated(ch_double(c, i));
	default:
		return (int64_t)v;
	}
}

double ch_double(const struct ch_column *c, size_t i)
{
	double d;
	float f;

	switch (c->type) {
	case CH_FLOAT32:
		memcpy(&f, c->data + i * sizeof(f), sizeof(f));
		return f;
	case CH_FLOAT64:
		memcpy(&d, c->data + i * sizeof(d), sizeof(d));
		return d;
	case CH_UINT64:
		return (double)ch_uint(c, i);
	default:
		return (double)ch_int(c, i);
	}
}

const char *ch_text(const struct ch_column *c, size_t i, size_t *len)
{
	size_t key = c->indices ? (size_t)index_of(c, i) : i;
	struct bytes b = bytes_of(c->data + c->texts[key], c->texts[key + 1] - c->texts[key]);

	*len = (size_t)bytes_uleb(&b);
	return (const char *)b.p;
}

size_t ch_array(const struct ch_column *c, size_t row, size_t *n)
{
	uint64_t first = row ? end_of(c, row - 1) : 0;

	*n = (size_t)(end_of(c, row) - first);
	return (size_t)first;
}
