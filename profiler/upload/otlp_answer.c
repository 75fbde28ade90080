// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/upload/otlp_answer.h"
#include "profiler/upload/rpc_judge.h"
#include "proto/grpc.h"
#include "proto/wire.h"

/* Bytes of what the server says, in our sentence. */
#define MAX_SAID 300

/* Fields of ExportProfilesServiceResponse and ExportProfilesPartialSuccess, and of google.rpc.Status, which is the
 * body of an error. */
enum {
	RESPONSE_PARTIAL_SUCCESS = 1,
	PARTIAL_REJECTED = 1,
	PARTIAL_MESSAGE = 2,
	STATUS_MESSAGE = 2
};

struct said {
	uint64_t rejected;
	char message[MAX_SAID + 1]; /* clean UTF-8, one line */
};

static void keep_message(struct said *s, const char *text, size_t len)
{
	struct buf clean = {0};
	size_t line = 0;

	while (line < len && line < MAX_SAID && text[line] != '\n' && text[line] != '\r')
		line++;
	text_add_clean(&clean, text, line);
	snprintf(s->message, sizeof(s->message), "%s", buf_cstr(&clean));
	s->message[text_utf8_run(s->message, strlen(s->message))] = 0;
	buf_release(&clean);
}

/* A count that is no count is none. */
static void keep_rejected(struct said *s, uint64_t n)
{
	s->rejected = n <= INT64_MAX ? n : 0;
}

static bool is_protobuf(const struct net_answer *a)
{
	return rpc_is_type(a, "application/x-protobuf") || rpc_is_type(a, "application/protobuf");
}

static bool parse_partial(struct bytes in, struct said *s)
{
	struct wire_field f;

	while (wire_next(&in, &f))
		if (f.number == PARTIAL_REJECTED && f.type == WIRE_VARINT)
			keep_rejected(s, f.value);
		else if (f.number == PARTIAL_MESSAGE && f.type == WIRE_LEN)
			keep_message(s, (const char *)f.bytes.p, bytes_left(&f.bytes));
	return !in.bad;
}

/* Fields that are not known may come. */
static bool parse_response(struct bytes in, struct said *s)
{
	struct wire_field f;

	while (wire_next(&in, &f))
		if (f.number == RESPONSE_PARTIAL_SUCCESS &&
		    (f.type != WIRE_LEN || !parse_partial(f.bytes, s)))
			return false;
	return !in.bad;
}

static void parse_status(struct bytes in, struct said *s)
{
	struct wire_field f;

	while (wire_next(&in, &f))
		if (f.number == STATUS_MESSAGE && f.type == WIRE_LEN)
			keep_message(s, (const char *)f.bytes.p, bytes_left(&f.bytes));
}

static bool is_key(const struct json_step *step, const char *camel, const char *snake)
{
	return step->key && (!strcmp(step->key, camel) || !strcmp(step->key, snake));
}

/* Of an answer, and of an error's. int64 are strings in JSON of protobuf, and numbers from others. */
static int json_value(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct said *s = ctx;
	uint64_t rejected;

	if (n == 1 && is_key(&steps[0], "message", "message"))
		keep_message(s, text, strlen(text));
	if (n != 2 || !is_key(&steps[0], "partialSuccess", "partial_success"))
		return 0;
	if (is_key(&steps[1], "errorMessage", "error_message"))
		keep_message(s, text, strlen(text));
	if (is_key(&steps[1], "rejectedProfiles", "rejected_profiles") &&
	    !text_parse_u64(text, INT64_MAX, &rejected))
		s->rejected = rejected;
	return 0;
}

static bool parse_json(const struct net_answer *a, struct said *s)
{
	return !json_read_all(a->body.data ?: "", a->body.len, json_value, json_value, s);
}

static struct bytes body_of(const struct net_answer *a)
{
	return bytes_of(a->body.data, a->body.len);
}

static bool parse_ok(const struct net_answer *a, struct said *s)
{
	if (!a->body.len)
		return true;
	return rpc_is_type(a, "application/json") ? parse_json(a, s)
						  : parse_response(body_of(a), s);
}

/* "STATUS: what the server said: what to do"; said and cure may be "". */
static void decide(struct upload_judgement *out, enum upload_verdict verdict, const char *status,
		   const char *said, const char *cure)
{
	out->verdict = verdict;
	why_say(&out->why, 0, "%s%s%s%s%s", status, *said ? ": " : "", said, *cure ? ": " : "",
		cure);
}

static void taken(struct upload_judgement *out, const char *status, const struct said *s)
{
	decide(out, s->rejected ? UPLOAD_PARTIAL : UPLOAD_DELIVERED, status, s->message, "");
	out->rejected = s->rejected;
}

/* --- HTTP ---------------------------------------------------------------------------------------- */

/* What a Collector without its feature gate says in no words. */
static const char *advice_of(long status)
{
	return status == 404 ? "no profiles are taken at this path; does the Collector run with "
			       "--feature-gates=service.profilesSupport?"
			     : NULL;
}

static void judge_failure(const struct net_answer *a, struct upload_judgement *out)
{
	struct said s = {0};

	if (is_protobuf(a))
		parse_status(body_of(a), &s);
	if (is_protobuf(a) || advice_of(a->status))
		upload_judge_said(a, s.message, advice_of(a->status), out);
}

void otlp_judge_http(const struct net_answer *a, struct upload_judgement *out)
{
	struct said s = {0};
	char status[32];

	snprintf(status, sizeof(status), "%ld", a->status);
	if (a->status < 200 || a->status > 299)
		judge_failure(a, out);
	else if (out->verdict == UPLOAD_DELIVERED && !parse_ok(a, &s))
		decide(out, UPLOAD_AGAIN_FEW, status, "its answer is no OTLP",
		       "check port and path");
	else if (out->verdict == UPLOAD_DELIVERED)
		taken(out, status, &s);
}

/* --- gRPC ---------------------------------------------------------------------------------------- */

/* Where the specification differs from what is usual for a status (rpc_judge.h). */
static const struct grpc_rule {
	const char *name;
	enum upload_verdict verdict;
	const char *cure;
} grpc_rules[] = {
	/* Also that a message is too large. Only a RetryInfo makes it one to send again as often as it takes, and
	 * kiln does not read the header that holds it (grpc-status-details-bin). */
	{"RESOURCE_EXHAUSTED", UPLOAD_AGAIN_FEW, NULL},
	{"OUT_OF_RANGE", UPLOAD_AGAIN, NULL},
	{"DATA_LOSS", UPLOAD_AGAIN, NULL},
	{"UNIMPLEMENTED", UPLOAD_WRONG,
	 "it takes no profiles; does the Collector run with "
	 "--feature-gates=service.profilesSupport?"},
};

static void judge_code(const struct net_answer *a, struct upload_judgement *out)
{
	const char *name = grpc_status_name(a->grpc_status) ?: "";

	for (size_t i = 0; i < sizeof(grpc_rules) / sizeof(*grpc_rules); i++) {
		if (strcmp(name, grpc_rules[i].name) != 0)
			continue;
		rpc_judge_grpc(a, grpc_rules[i].cure, out);
		out->verdict = grpc_rules[i].verdict;
		return;
	}
	rpc_judge_grpc(a, NULL, out);
}

static bool parse_grpc(const struct net_answer *a, struct said *s)
{
	struct buf raw = {0};
	bool good = !rpc_message(a, &raw) && parse_response(bytes_of(raw.data, raw.len), s);

	buf_release(&raw);
	return good;
}

void otlp_judge_grpc(const struct net_answer *a, struct upload_judgement *out)
{
	struct said s = {0};

	if (a->grpc_status > 0)
		judge_code(a, out);
	else if (!a->grpc_status && !parse_grpc(a, &s))
		decide(out, UPLOAD_AGAIN_FEW, "OK", "its answer is no OTLP", "");
	else if (!a->grpc_status)
		taken(out, "OK", &s);
	else if (out->verdict == UPLOAD_DELIVERED)
		/* So Parca answers when reading has taken it too long: nothing was stored. */
		decide(out, UPLOAD_AGAIN_FEW, "200", "without a status of gRPC", "");
}
