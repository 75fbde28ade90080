// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/upload/otlp_answer.h"
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

static bool is_type(const struct net_answer *a, const char *type)
{
	size_t len = strlen(type);

	return !strncasecmp(a->content_type, type, len) &&
	       (!a->content_type[len] || strchr("; ", a->content_type[len]));
}

static bool is_html(const struct net_answer *a)
{
	return is_type(a, "text/html") || is_type(a, "application/xhtml+xml");
}

static bool is_protobuf(const struct net_answer *a)
{
	return is_type(a, "application/x-protobuf") || is_type(a, "application/protobuf");
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
	return is_type(a, "application/json") ? parse_json(a, s) : parse_response(body_of(a), s);
}

static void parse_error(const struct net_answer *a, struct said *s)
{
	if (is_protobuf(a))
		parse_status(body_of(a), s);
	else if (is_type(a, "application/json"))
		parse_json(a, s);
	else if (is_type(a, "text/plain") && a->body.len)
		keep_message(s, a->body.data, a->body.len);
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
	if (s->rejected) {
		decide(out, UPLOAD_PARTIAL, status, s->message, "");
		out->rejected = s->rejected;
	} else {
		decide(out, UPLOAD_DELIVERED, status, s->message, "");
	}
}

/* --- HTTP ---------------------------------------------------------------------------------------- */

static const struct http_rule {
	long first, last;
	enum upload_verdict verdict;
	const char *cure;
} http_rules[] = {
	{300, 399, UPLOAD_WRONG, "it sends elsewhere: give the URL it names"},
	{401, 401, UPLOAD_WRONG, "set a token, or a user and password"},
	{403, 403, UPLOAD_WRONG, "this token or user may not write there"},
	{404, 404, UPLOAD_WRONG,
	 "no profiles are taken at this path; does the Collector run with "
	 "--feature-gates=service.profilesSupport?"},
	{405, 405, UPLOAD_WRONG, "no profiles are taken at this path"},
	{407, 407, UPLOAD_WRONG, "the proxy wants a user and password"},
	{408, 408, UPLOAD_AGAIN, ""},
	{413, 413, UPLOAD_REFUSED, "raise the server's limit of a request"},
	{415, 415, UPLOAD_WRONG, "it takes no protobuf at this path"},
	{429, 429, UPLOAD_AGAIN, ""},
	{400, 499, UPLOAD_REFUSED, ""},
	{502, 504, UPLOAD_AGAIN, ""},
	{501, 501, UPLOAD_WRONG, "no profiles are taken at this path"},
	/* Pyroscope's answer to profiles that it cannot convert, and anybody's to a fault of its own. */
	{500, 599, UPLOAD_AGAIN_FEW, ""},
	{0, LONG_MAX, UPLOAD_AGAIN_FEW, "this is no answer of HTTP that kiln knows"},
};

static void begin(const struct net_answer *a, struct upload_judgement *out)
{
	*out = (struct upload_judgement){.retry_after_s = a->retry_after_s};
}

static void judge_status(const struct net_answer *a, const char *status, const struct said *s,
			 struct upload_judgement *out)
{
	const struct http_rule *r = http_rules;

	while (a->status < r->first || a->status > r->last)
		r++;
	decide(out, r->verdict, status, s->message, r->cure);
}

void otlp_judge_http(const struct net_answer *a, struct upload_judgement *out)
{
	struct said s = {0};
	char status[32];

	begin(a, out);
	snprintf(status, sizeof(status), "%ld", a->status);
	if (a->status < 200 || a->status > 299) {
		parse_error(a, &s);
		judge_status(a, status, &s, out);
	} else if (is_html(a)) {
		decide(out, UPLOAD_WRONG, status, "a page of HTML",
		       "this is no OTLP receiver: check port and path");
	} else if (!parse_ok(a, &s)) {
		decide(out, UPLOAD_AGAIN_FEW, status, "its answer is no OTLP",
		       "check port and path");
	} else {
		taken(out, status, &s);
	}
}

/* --- gRPC ---------------------------------------------------------------------------------------- */

/* The codes' numbers are those of grpc.io/docs/guides/status-codes. */
static const struct grpc_rule {
	const char *name;
	enum upload_verdict verdict;
	const char *cure;
} grpc_rules[] = {
	[0] = {"OK", UPLOAD_DELIVERED, ""},
	[1] = {"CANCELLED", UPLOAD_AGAIN, ""},
	[2] = {"UNKNOWN", UPLOAD_AGAIN_FEW, ""},
	[3] = {"INVALID_ARGUMENT", UPLOAD_REFUSED, ""},
	[4] = {"DEADLINE_EXCEEDED", UPLOAD_AGAIN, ""},
	[5] = {"NOT_FOUND", UPLOAD_REFUSED, ""},
	[6] = {"ALREADY_EXISTS", UPLOAD_REFUSED, ""},
	[7] = {"PERMISSION_DENIED", UPLOAD_WRONG, "this token or user may not write there"},
	/* Also that a message is too large. Only a RetryInfo makes it one to send again as often as it takes, and
	 * kiln does not read the header that holds it (grpc-status-details-bin). */
	[8] = {"RESOURCE_EXHAUSTED", UPLOAD_AGAIN_FEW, ""},
	[9] = {"FAILED_PRECONDITION", UPLOAD_REFUSED, ""},
	[10] = {"ABORTED", UPLOAD_AGAIN, ""},
	[11] = {"OUT_OF_RANGE", UPLOAD_AGAIN, ""},
	[12] = {"UNIMPLEMENTED", UPLOAD_WRONG,
		"it takes no profiles; does the Collector run with "
		"--feature-gates=service.profilesSupport?"},
	[13] = {"INTERNAL", UPLOAD_AGAIN_FEW, ""},
	[14] = {"UNAVAILABLE", UPLOAD_AGAIN, ""},
	[15] = {"DATA_LOSS", UPLOAD_AGAIN, ""},
	[16] = {"UNAUTHENTICATED", UPLOAD_WRONG, "set a token, or a user and password"},
};
#define N_GRPC_RULES ((int)(sizeof(grpc_rules) / sizeof(*grpc_rules)))

/* One frame. An answer that was not asked for compressed is not taken compressed. */
static bool parse_grpc(const struct net_answer *a, struct said *s)
{
	struct bytes in = body_of(a), message;

	return grpc_unframe(&in, &message) && parse_response(message, s) && !bytes_left(&in);
}

static void judge_code(const struct net_answer *a, struct upload_judgement *out)
{
	int code = a->grpc_status;
	struct said s = {0};
	char status[64];

	if (code >= N_GRPC_RULES) {
		snprintf(status, sizeof(status), "gRPC status %d", code);
		decide(out, UPLOAD_AGAIN_FEW, status, a->grpc_message, "");
		return;
	}
	snprintf(status, sizeof(status), "%s", grpc_rules[code].name);
	if (code)
		decide(out, grpc_rules[code].verdict, status, a->grpc_message,
		       grpc_rules[code].cure);
	else if (!parse_grpc(a, &s))
		decide(out, UPLOAD_AGAIN_FEW, status, "its answer is no OTLP", "");
	else
		taken(out, status, &s);
}

void otlp_judge_grpc(const struct net_answer *a, struct upload_judgement *out)
{
	struct said s = {0};
	char status[32];

	begin(a, out);
	snprintf(status, sizeof(status), "%ld", a->status);
	if (a->grpc_status >= 0) {
		judge_code(a, out);
	} else if (is_html(a)) {
		decide(out, UPLOAD_WRONG, status, "a page of HTML",
		       "this is no OTLP receiver for gRPC: check the port");
	} else if (a->status == 200) {
		/* Parca's answer when reading has taken it too long: nothing was stored. */
		decide(out, UPLOAD_AGAIN_FEW, status, "without a status of gRPC", "");
	} else {
		parse_error(a, &s);
		judge_status(a, status, &s, out);
	}
}
