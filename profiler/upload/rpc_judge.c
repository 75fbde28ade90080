// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/rpc_judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "profiler/base/text.h"
#include "profiler/formats/compress.h"
#include "proto/grpc.h"

/* Of what the server says, in our sentence. */
#define MAX_SAID 300

static const struct {
	const char *name;
	enum upload_verdict verdict;
	const char *advice;
} rules[] = {
	{"CANCELLED", UPLOAD_AGAIN, NULL},
	{"UNKNOWN", UPLOAD_AGAIN_FEW, NULL}, /* both "it does not decode" and "I am not ready" */
	{"INVALID_ARGUMENT", UPLOAD_REFUSED, NULL},
	{"DEADLINE_EXCEEDED", UPLOAD_AGAIN, NULL},
	{"NOT_FOUND", UPLOAD_WRONG, "check the URL"},
	{"ALREADY_EXISTS", UPLOAD_REFUSED, NULL},
	{"PERMISSION_DENIED", UPLOAD_WRONG, "check token_file, username and password_file, tenant"},
	{"RESOURCE_EXHAUSTED", UPLOAD_AGAIN, NULL},
	{"FAILED_PRECONDITION", UPLOAD_REFUSED, NULL},
	{"ABORTED", UPLOAD_AGAIN, NULL},
	{"OUT_OF_RANGE", UPLOAD_REFUSED, NULL},
	{"UNIMPLEMENTED", UPLOAD_WRONG, "check the URL and its scheme"},
	{"INTERNAL", UPLOAD_AGAIN_FEW, NULL},
	{"UNAVAILABLE", UPLOAD_AGAIN, NULL},
	{"DATA_LOSS", UPLOAD_AGAIN_FEW, NULL},
	{"UNAUTHENTICATED", UPLOAD_WRONG, NULL},
};

/* The first line, clean and of bounded length. */
static void add_said(struct buf *b, const char *said)
{
	text_add_clean(b, said, strcspn(said, "\r\n"));
	if (!b->err && b->len > MAX_SAID)
		b->len = text_utf8_run(b->data, MAX_SAID);
}

void rpc_judge(int status, const char *shown, const char *said, const char *advice,
	       struct upload_judgement *out)
{
	const char *name = grpc_status_name(status) ?: "UNKNOWN";
	struct buf text = {0};
	size_t i = 0;

	while (i < sizeof(rules) / sizeof(*rules) && strcmp(rules[i].name, name) != 0)
		i++;
	if (i == sizeof(rules) / sizeof(*rules)) /* OK, which is no failure to explain */
		i = 1;
	out->verdict = rules[i].verdict;
	out->is_unauthenticated = !advice && !strcmp(rules[i].name, "UNAUTHENTICATED");
	advice = advice ?: rules[i].advice;
	if (said)
		add_said(&text, said);
	/* No full stop in front of a colon. */
	text.len -=
		text.len && text.data[text.len - 1] == '.' && (advice || out->is_unauthenticated);
	why_say(&out->why, 0, "%s%s%s%s%s", shown, text.len ? ": " : "", buf_cstr(&text),
		advice ? ": " : "", advice ?: "");
	buf_release(&text);
}

void rpc_judge_grpc(const struct net_answer *a, const char *advice, struct upload_judgement *out)
{
	const char *name = grpc_status_name(a->grpc_status);
	char shown[40];

	if (name)
		snprintf(shown, sizeof(shown), "%s", name);
	else
		snprintf(shown, sizeof(shown), "gRPC status %d", a->grpc_status);
	rpc_judge(a->grpc_status, shown, a->grpc_message, advice, out);
}

bool rpc_is_type(const struct net_answer *a, const char *type)
{
	size_t len = strlen(type);

	return !strncasecmp(a->content_type, type, len) &&
	       (!a->content_type[len] || strchr("; ", a->content_type[len]));
}

void rpc_shown(const struct net_answer *a, char *out, size_t size)
{
	_Static_assert(sizeof(a->content_type) < 128, "fits into what callers have");
	if (a->content_type[0])
		snprintf(out, size, "%ld with %s", a->status, a->content_type);
	else
		snprintf(out, size, "%ld without a content type", a->status);
	for (; *out; out++)
		if (*out < ' ' ||
		    *out > '~') /* such bytes are in no type, but servers are strangers */
			*out = '?';
}

/* Answers to what is sent are small. */
#define MAX_MESSAGE (1u << 20)

int rpc_message(const struct net_answer *a, struct buf *out)
{
	struct bytes in = bytes_of(a->body.data, a->body.len), message;
	const char *why;
	bool is_compressed;
	size_t len;

	if (!grpc_unframe_any(&in, &message, &is_compressed) || bytes_left(&in))
		return -EBADMSG;
	len = bytes_left(&message);
	if (is_compressed)
		return decompress(out, message.p, len, MAX_MESSAGE, &why);
	buf_add(out, message.p, len);
	return out->err;
}
