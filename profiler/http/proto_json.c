// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/proto_json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/json.h"
#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "proto/wire.h"

#define MAX_NAME 64

/* "sample_type" is "sampleType". */
static void json_name(const char *name, char out[MAX_NAME])
{
	size_t n = 0;
	bool up = false;

	for (; *name && n < MAX_NAME - 1; name++) {
		if (*name == '_') {
			up = true;
			continue;
		}
		out[n++] = up ? (char)toupper((unsigned char)*name) : *name;
		up = false;
	}
	out[n] = '\0';
}

/* --- writing ----------------------------------------------------------------------------------- */

static void write_int64(struct json *j, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	json_text(j, text);
}

static void write_uint64(struct json *j, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	json_text(j, text);
}

static void write_double(struct json *j, double v)
{
	/* Sums of nanoseconds are whole numbers, and longer than json_double()'s digits. */
	if (fabs(v) < 9e15 && v == trunc(v))
		json_int(j, (int64_t)v);
	else
		json_double(j, isfinite(v) ? v : 0);
}

static int write_message(struct json *j, const ProtobufCMessage *m);

static int write_value(struct json *j, const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		json_text(j, *(char *const *)at ?: "");
		return 0;
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *b = at;
		struct buf text = {0};

		buf_add(&text, b->data, b->len);
		json_text(j, buf_cstr(&text));
		buf_release(&text);
		return text.err;
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		return write_message(j, *(ProtobufCMessage *const *)at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		write_uint64(j, *(const uint64_t *)at);
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		write_double(j, *(const double *)at);
		return 0;
	case PROTOBUF_C_TYPE_BOOL:
		json_bool(j, *(const protobuf_c_boolean *)at);
		return 0;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		json_int(j, *(const int32_t *)at);
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
		json_uint(j, *(const uint32_t *)at);
		return 0;
	default:
		write_int64(j, *(const int64_t *)at);
		return 0;
	}
}

static size_t size_of(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	default:
		return 8;
	}
}

static bool is_default(const ProtobufCFieldDescriptor *f, const void *at)
{
	static const char zero[sizeof(ProtobufCBinaryData)];

	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !*(char *const *)at || !**(char *const *)at;
	return !memcmp(at, zero, size_of(f->type));
}

static int write_field(struct json *j, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m)
{
	const char *at = (const char *)m + f->offset;
	char name[MAX_NAME];
	size_t n;
	int err = 0;

	json_name(f->name, name);
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		if (is_default(f, at))
			return 0;
		json_key(j, name);
		return write_value(j, f, at);
	}
	memcpy(&n, (const char *)m + f->quantifier_offset, sizeof(n));
	if (!n)
		return 0;
	json_key_open(j, name, '[');
	for (size_t i = 0; i < n && !err; i++)
		err = write_value(j, f, *(const char *const *)at + i * size_of(f->type));
	json_close(j, ']');
	return err;
}

static int write_message(struct json *j, const ProtobufCMessage *m)
{
	int err = 0;

	json_open(j, '{');
	for (unsigned i = 0; i < m->descriptor->n_fields && !err; i++)
		err = write_field(j, &m->descriptor->fields[i], m);
	json_close(j, '}');
	return err;
}

int proto_to_json(struct buf *out, const ProtobufCMessage *m)
{
	struct json j = {.out = out};

	return write_message(&j, m) ?: out->err;
}

/* --- reading ----------------------------------------------------------------------------------- */

struct parser {
	struct buf *out;
	const ProtobufCMessageDescriptor *type;
	const char *why;
};

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *d,
						  const char *key)
{
	char name[MAX_NAME];

	for (unsigned i = 0; i < d->n_fields; i++) {
		json_name(d->fields[i].name, name);
		if (!strcmp(key, name) || !strcmp(key, d->fields[i].name))
			return &d->fields[i];
	}
	return NULL;
}

static int wrong(struct parser *p, const char *why)
{
	p->why = why;
	return -EINVAL;
}

static void put_tag(struct buf *out, uint32_t number, enum wire_type type)
{
	wire_put_varint(out, (uint64_t)number << 3 | type);
}

static int put_integer(struct parser *p, struct buf *out, const ProtobufCFieldDescriptor *f,
		       const char *text)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end || isspace((unsigned char)*text))
		return wrong(p, "a whole number is malformed or too large");
	if (size_of(f->type) == 4 && (v < INT32_MIN || v > INT32_MAX))
		return wrong(p, "a whole number is too large");
	put_tag(out, f->id, WIRE_VARINT);
	wire_put_varint(out, (uint64_t)v);
	return 0;
}

static int put_double(struct parser *p, struct buf *out, const ProtobufCFieldDescriptor *f,
		      const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || isspace((unsigned char)*text))
		return wrong(p, "a number is malformed");
	put_tag(out, f->id, WIRE_FIXED64);
	buf_add(out, &v, sizeof(v));
	return 0;
}

static int put_enum(struct parser *p, struct buf *out, const ProtobufCFieldDescriptor *f,
		    const char *text)
{
	const ProtobufCEnumValue *v =
		protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, text);

	if (!v)
		return put_integer(p, out, f, text);
	put_tag(out, f->id, WIRE_VARINT);
	wire_put_varint(out, (uint64_t)v->value);
	return 0;
}

static int put_scalar(struct parser *p, struct buf *out, const ProtobufCFieldDescriptor *f,
		      const char *text, bool is_word)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (is_word)
			return wrong(p, "where a string belongs there is none");
		wire_put_bytes(out, f->id, text, strlen(text));
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		return put_double(p, out, f, text);
	case PROTOBUF_C_TYPE_ENUM:
		return put_enum(p, out, f, text);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_INT64:
		return put_integer(p, out, f, text);
	default:
		return wrong(p, "where an object belongs there is none");
	}
}

/* One value, in the messages that its steps lead through. */
static int put(struct parser *p, struct buf *out, const ProtobufCMessageDescriptor *d,
	       const struct json_step *steps, size_t n, const char *text, bool is_word)
{
	const ProtobufCFieldDescriptor *f;
	struct buf inner = {0};
	int err;

	if (!n || !steps[0].key)
		return wrong(p, "where an object belongs there is none");
	f = find_field(d, steps[0].key);
	if (!f)
		return 0;
	steps++, n--;
	if (n && !steps[0].key) { /* an element of an array */
		if (f->label != PROTOBUF_C_LABEL_REPEATED)
			return wrong(p, "there is an array where one value belongs");
		steps++, n--;
	} else if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		return wrong(p, "where an array belongs there is none");
	}
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return n ? wrong(p, "there is an object where one value belongs")
			 : put_scalar(p, out, f, text, is_word);
	err = put(p, &inner, f->descriptor, steps, n, text, is_word);
	if (!err && inner.len)
		wire_put_bytes(out, f->id, inner.data, inner.len);
	err = err ?: inner.err;
	buf_release(&inner);
	return err;
}

static int on_string(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct parser *p = ctx;

	return put(p, p->out, p->type, steps, n, text, false);
}

static int on_word(void *ctx, const struct json_step *steps, size_t n, const char *word)
{
	struct parser *p = ctx;

	return strcmp(word, "null") ? put(p, p->out, p->type, steps, n, word, true) : 0;
}

int proto_from_json(struct buf *out, const ProtobufCMessageDescriptor *d, const char *data,
		    size_t len, const char **why)
{
	struct parser p = {.out = out, .type = d};
	int err;

	if (text_utf8_run(data, len) != len) {
		*why = "it is not UTF-8";
		return -EINVAL;
	}
	err = json_read_all(data, len, on_string, on_word, &p);
	if (err == -EBADMSG) {
		*why = "it is no JSON, or too deep";
		return -EINVAL;
	}
	if (err == -EINVAL)
		*why = p.why;
	return err ?: out->err;
}
