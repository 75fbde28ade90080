// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debug information for Parca (github.com/parca-dev/parca, proto/parca/debuginfo/v1alpha1/debuginfo.proto):
 * ShouldInitiateUpload, InitiateUpload and MarkUploadFinished over gRPC. Between them the server takes the file by
 * the client stream Upload, which is one POST of concatenated frames, or by PUT at a URL of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/upload/debuginfo_priv.h"
#include "proto/grpc.h"
#include "proto/wire.h"

#define SERVICE "/parca.debuginfo.v1alpha1.DebuginfoService/"
#define MAX_ID	256  /* bytes of an upload's id */
#define MAX_URL 8192 /* of a signed URL */

/* Fields. */
enum { BUILD_ID = 1 }; /* of all requests */
enum { SHOULD_HASH = 2, SHOULD_WANTED = 1, SHOULD_REASON = 2 };
enum { INITIATE_SIZE = 2, INITIATE_HASH = 3, INITIATE_INSTRUCTIONS = 1 };
enum { INSTRUCTIONS_ID = 2, INSTRUCTIONS_STRATEGY = 3, INSTRUCTIONS_URL = 4 };
enum { UPLOAD_INFO = 1, UPLOAD_CHUNK = 2, UPLOAD_ID = 2, UPLOAD_SIZE = 2 };

enum { STRATEGY_GRPC = 1, STRATEGY_SIGNED_URL = 2 };

static void put_text(struct buf *b, uint32_t number, const char *text)
{
	wire_put_bytes(b, number, text, strlen(text));
}

static void put_number(struct buf *b, uint32_t number, uint64_t value)
{
	wire_put_varint(b, (uint64_t)number << 3 | WIRE_VARINT);
	wire_put_varint(b, value);
}

/* What the server tells two files of one build id apart by: a stripped one and the full one differ in size. Reading
 * the whole file once more would tell nothing else. */
static void put_hash(const struct debuginfo *u, struct buf *b, uint32_t number)
{
	char hash[128];

	snprintf(hash, sizeof(hash), "%s-%llu", u->file.build_id,
		 (unsigned long long)u->file.bytes);
	put_text(b, number, hash);
}

/* --- requests ------------------------------------------------------------------------------------- */

static void put_info(const struct debuginfo *u, struct buf *message)
{
	struct buf info = {0};

	put_text(&info, BUILD_ID, u->file.build_id);
	put_text(&info, UPLOAD_ID, u->upload_id ?: "");
	wire_put_bytes(message, UPLOAD_INFO, info.data, info.len);
	if (info.err)
		message->err = info.err;
	buf_release(&info);
}

static void put_message(const struct debuginfo *u, struct buf *b)
{
	switch (u->step) {
	case DEBUGINFO_ASK:
		put_text(b, BUILD_ID, u->file.build_id);
		put_hash(u, b, SHOULD_HASH);
		break;
	case DEBUGINFO_BEGIN:
		put_text(b, BUILD_ID, u->file.build_id);
		put_number(b, INITIATE_SIZE, u->file.bytes);
		put_hash(u, b, INITIATE_HASH);
		break;
	case DEBUGINFO_SEND:
		put_info(u, b);
		break;
	case DEBUGINFO_END:
		put_text(b, BUILD_ID, u->file.build_id);
		put_text(b, UPLOAD_ID, u->upload_id ?: "");
		break;
	}
}

static const char *method(const struct debuginfo *u)
{
	static const char *const methods[] = {
		[DEBUGINFO_ASK] = SERVICE "ShouldInitiateUpload",
		[DEBUGINFO_BEGIN] = SERVICE "InitiateUpload",
		[DEBUGINFO_SEND] = SERVICE "Upload",
		[DEBUGINFO_END] = SERVICE "MarkUploadFinished",
	};

	return methods[u->step];
}

/* As grpc_frame() and wire_put_bytes() would, without the bytes. */
static size_t frame(uint64_t bytes, uint8_t *out)
{
	size_t n = GRPC_FRAME_BYTES;
	uint64_t rest = bytes, len;

	out[n++] = UPLOAD_CHUNK << 3 | WIRE_LEN;
	for (; rest >= 0x80; rest >>= 7)
		out[n++] = (uint8_t)(rest | 0x80);
	out[n++] = (uint8_t)rest;
	len = n - GRPC_FRAME_BYTES + bytes;
	out[0] = 0; /* not compressed */
	for (int i = 0; i < 4; i++)
		out[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	return n;
}

static int signed_request(struct debuginfo *u)
{
	u->request.method = "PUT";
	u->request.url = strdup(u->signed_url);
	u->request.version = NET_HTTP1;
	u->body_bytes = u->file.bytes;
	return u->request.url ? 0 : -ENOMEM;
}

static int request(struct debuginfo *u)
{
	static const char *const headers[] = {"Content-Type: application/grpc+proto",
					      "TE: trailers", "grpc-accept-encoding: identity",
					      NULL};
	struct buf message = {0}, *to = &u->request.body;
	int err;

	if (u->step == DEBUGINFO_SEND && u->signed_url)
		return signed_request(u);
	if (u->step == DEBUGINFO_SEND) {
		to = &u->head;
		buf_clear(to);
	}
	put_message(u, &message);
	grpc_frame(to, message.data, message.len, false);
	err = message.err ?: to->err;
	buf_release(&message);
	if (u->step == DEBUGINFO_SEND)
		u->body_bytes = u->head.len + debuginfo_framed_bytes(u);
	u->request.url = debuginfo_url(u, method(u));
	u->request.version = NET_HTTP2;
	return err ?: (u->request.url ? 0 : -ENOMEM) ?: upload_request_headers(&u->request, headers);
}

/* --- answers -------------------------------------------------------------------------------------- */

static enum debuginfo_outcome unreadable(struct why *why)
{
	why_say(why, 0, "its answer cannot be read: is it Parca? check the URL");
	return DEBUGINFO_REFUSED;
}

static enum debuginfo_outcome after_ask(struct debuginfo *u, struct bytes m, struct why *why)
{
	struct wire_field f;
	struct buf reason = {0};
	bool wanted = false;

	while (wire_next(&m, &f)) {
		if (f.number == SHOULD_WANTED && f.type == WIRE_VARINT)
			wanted = f.value;
		if (f.number == SHOULD_REASON && f.type == WIRE_LEN && !reason.len)
			text_add_clean(&reason, (const char *)f.bytes.p,
				       bytes_left(&f.bytes) < 200 ? bytes_left(&f.bytes) : 200);
	}
	if (!m.bad && wanted)
		u->step = DEBUGINFO_BEGIN;
	else if (!m.bad)
		why_say(why, 0, "it wants no such file%s%s", reason.len ? ": " : "",
			buf_cstr(&reason));
	buf_release(&reason);
	if (m.bad)
		return unreadable(why);
	return wanted ? DEBUGINFO_NEXT : DEBUGINFO_UNWANTED;
}

/* A text of the server's; NULL: it is none, or too long. */
static char *take_text(const struct wire_field *f, size_t max)
{
	size_t len = bytes_left(&f->bytes);

	if (f->type != WIRE_LEN || len > max || !text_is_clean((const char *)f->bytes.p, len))
		return NULL;
	return strndup((const char *)f->bytes.p, len);
}

static uint64_t read_instructions(struct debuginfo *u, struct bytes m)
{
	uint64_t strategy = 0;
	struct wire_field f;

	while (wire_next(&m, &f)) {
		if (f.number == INSTRUCTIONS_ID && !u->upload_id)
			u->upload_id = take_text(&f, MAX_ID);
		if (f.number == INSTRUCTIONS_STRATEGY && f.type == WIRE_VARINT)
			strategy = f.value;
		if (f.number == INSTRUCTIONS_URL && !u->signed_url)
			u->signed_url = take_text(&f, MAX_URL);
	}
	return m.bad ? 0 : strategy;
}

/* Who is sent files by TLS does not send them on without. */
static bool is_good_url(const struct debuginfo *u)
{
	return u->signed_url && (text_has_prefix(u->signed_url, "https://") ||
				 (text_has_prefix(u->signed_url, "http://") &&
				  text_has_prefix(u->target->base, "http://")));
}

static enum debuginfo_outcome after_begin(struct debuginfo *u, struct bytes m, struct why *why)
{
	uint64_t strategy = 0;
	struct wire_field f;

	while (wire_next(&m, &f))
		if (f.number == INITIATE_INSTRUCTIONS && f.type == WIRE_LEN)
			strategy = read_instructions(u, f.bytes);
	if (m.bad || !u->upload_id)
		return unreadable(why);
	if (strategy == STRATEGY_GRPC) {
		free(u->signed_url);
		u->signed_url = NULL;
	} else if (strategy != STRATEGY_SIGNED_URL || !is_good_url(u)) {
		why_say(why, 0, "it wants the file in a way that kiln does not know");
		return DEBUGINFO_REFUSED;
	}
	u->step = DEBUGINFO_SEND;
	return DEBUGINFO_NEXT;
}

/* It says how much has arrived. */
static enum debuginfo_outcome after_send(struct debuginfo *u, struct bytes m, struct why *why)
{
	uint64_t bytes = u->file.bytes;
	struct wire_field f;

	while (wire_next(&m, &f))
		if (f.number == UPLOAD_SIZE && f.type == WIRE_VARINT)
			bytes = f.value;
	if (m.bad)
		return unreadable(why);
	if (bytes != u->file.bytes) {
		why_say(why, 0, "it has got %llu of %llu bytes", (unsigned long long)bytes,
			(unsigned long long)u->file.bytes);
		return DEBUGINFO_AGAIN;
	}
	u->step = DEBUGINFO_END;
	return DEBUGINFO_NEXT;
}

static enum debuginfo_outcome answer(struct debuginfo *u, const struct net_answer *a,
				     struct why *why)
{
	struct bytes in = bytes_of(a->body.data, a->body.len), message;

	if (a->grpc_status < 0) {
		/* Parca answers so when reading took too long: nothing was stored. */
		why_say(why, 0,
			"200 without a grpc-status: check the URL, or raise Parca's "
			"--http-read-timeout");
		return DEBUGINFO_AGAIN;
	}
	if (!grpc_unframe(&in, &message))
		return unreadable(why);
	switch (u->step) {
	case DEBUGINFO_ASK:
		return after_ask(u, message, why);
	case DEBUGINFO_BEGIN:
		return after_begin(u, message, why);
	case DEBUGINFO_SEND:
		return after_send(u, message, why);
	default:
		why_say(why, 0, "it took the file");
		return DEBUGINFO_SENT;
	}
}

const struct debuginfo_protocol debuginfo_parca = {
	.request = request, .answer = answer, .frame = frame};
