// SPDX-License-Identifier: GPL-2.0-or-later
/* A message comes in, as protobuf or as JSON, and one goes out. */
#include "profiler/http/querier.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "profiler/base/json.h"
#include "profiler/base/text.h"
#include "profiler/formats/compress.h"
#include "profiler/http/proto_json.h"
#include "profiler/http/querier_methods.h"
#include "profiler/store/query.h"
#include "proto/querier.pb-c.h"
#include "proto/wire.h"

#define MAX_INFLATED (1 << 20)
#define MAX_MESSAGE  (4 << 20) /* of memory, for a message */

static const struct method {
	const char *name;
	const ProtobufCMessageDescriptor *request;
	void (*run)(struct querier *q, const ProtobufCMessage *m);
} methods[] = {
#define X(name, function) {#name, &querier__##function##_request__descriptor, querier_##function},
	QUERIER_METHODS(X)
#undef X
};

/* connectrpc.com/docs/protocol, "Error codes" */
static const char *code_of(unsigned status)
{
	switch (status) {
	case 400:
	case 413:
		return "invalid_argument";
	case 404:
		return "not_found";
	case 501:
		return "unimplemented";
	case 503:
		return "unavailable";
	default:
		return "internal";
	}
}

void querier_fail(struct querier *q, unsigned status, const char *fmt, ...)
{
	struct buf raw = {0}, clean = {0};
	struct json j = {.out = q->out};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_add_clean(&clean, buf_cstr(&raw), raw.len);
	buf_clear(q->out);
	json_open(&j, '{');
	json_key_text(&j, "code", code_of(status));
	json_key_text(&j, "message", buf_cstr(&clean));
	json_close(&j, '}');
	buf_char(q->out, '\n');
	buf_release(&raw);
	buf_release(&clean);
	q->status = status;
}

void querier_reply(struct querier *q, const ProtobufCMessage *m)
{
	if (!q->json)
		wire_put_fields(q->out, m);
	else if (proto_to_json(q->out, m))
		querier_fail(q, 500, "out of memory");
}

unsigned querier_status(int err)
{
	switch (err) {
	case -EINVAL:
	case -E2BIG:
		return 400;
	case -ENOENT:
		return 404;
	case -EBUSY:
	case -EACCES:
	case -EPERM:
	case -ETIME:
		return 503;
	default:
		return 500;
	}
}

bool querier_query(struct querier *q, const struct store_query *query, struct store_result *result)
{
	struct why why = {""};
	int err;

	*result = (struct store_result){0};
	err = store_query(q->store, query, result, &why);
	if (err)
		querier_fail(q, querier_status(err), "%s", *why.text ? why.text : strerror(-err));
	return !err;
}

/* --- requests ---------------------------------------------------------------------------------- */

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

/* A compressed body shows: no message and no JSON begins as gzip does. */
static bool read_body(struct querier *q, const struct querier_request *r, struct buf *body)
{
	const char *why = "";
	int err = 0;

	if (compression_of(r->body, r->len) == COMPRESSION_GZIP)
		err = decompress(body, r->body, r->len, MAX_INFLATED, &why);
	else
		buf_add(body, r->body, r->len);
	if (err)
		querier_fail(q, err == -EFBIG ? 413 : 400, "the body: %s", why);
	else if (body->err)
		querier_fail(q, 500, "out of memory");
	return !q->status;
}

static bool from_json(struct querier *q, const struct method *m, struct buf *body)
{
	struct buf wire = {0};
	const char *why = "";
	int err = body->len ? proto_from_json(&wire, m->request, body->data, body->len, &why) : 0;

	if (err)
		querier_fail(q, err == -EINVAL ? 400 : 500, "the request: %s",
			     err == -EINVAL ? why : strerror(-err));
	buf_release(body);
	*body = wire;
	return !err;
}

static void run(struct querier *q, const struct method *m, const struct buf *wire)
{
	struct wire_arena arena;
	ProtobufCMessage *msg;

	wire_arena_init(&arena, MAX_MESSAGE);
	msg = protobuf_c_message_unpack(m->request, &arena.allocator, wire->len,
					(const uint8_t *)(wire->data ?: ""));
	if (msg)
		m->run(q, msg);
	else
		querier_fail(q, arena.no_memory ? 500 : 400, "the request: %s",
			     arena.exhausted   ? "it is too large"
			     : arena.no_memory ? "out of memory"
					       : "it is no message of this method");
	wire_arena_release(&arena);
}

int querier_answer(const struct querier_request *r, struct buf *out)
{
	const struct method *m = find_method(r->method);
	struct querier q = {.store = r->store, .out = out, .json = r->json};
	struct buf body = {0};

	if (!m)
		querier_fail(&q, 501, "there is no method %.60s here", r->method);
	else if (read_body(&q, r, &body) && (!r->json || from_json(&q, m, &body)))
		run(&q, m, &body);
	buf_release(&body);
	return q.status ? (int)q.status : 200;
}
