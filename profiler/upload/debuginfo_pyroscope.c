// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debug information for Pyroscope (its API debuginfo.v1alpha1): ShouldInitiateUpload and UploadFinished are unary
 * calls of Connect with JSON; between them the file is the body of a plain POST.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/json.h"
#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/upload/debuginfo_priv.h"
#include "profiler/upload/rpc_judge.h"

#define SERVICE "/debuginfo.v1alpha1.DebuginfoService/"

static int set_url(struct debuginfo *u, const char *method, const char *rest)
{
	struct buf b = {0};
	char *suffix;

	buf_printf(&b, SERVICE "%s%s", method, rest);
	suffix = buf_take(&b);
	u->request.url = suffix ? debuginfo_url(u, suffix) : NULL;
	free(suffix);
	u->request.version = NET_HTTP1;
	return u->request.url ? 0 : -ENOMEM;
}

static void add_ask(struct debuginfo *u, struct buf *b)
{
	struct json j = {.out = b};
	struct buf name = {0};

	text_add_clean(&name, u->file.name, strlen(u->file.name));
	json_open(&j, '{');
	json_key_open(&j, "file", '{');
	json_key_text(&j, "gnuBuildId", u->file.build_id);
	json_key_text(&j, "name", buf_cstr(&name));
	json_key_text(&j, "type",
		      u->file.has_code ? "TYPE_EXECUTABLE_FULL" : "TYPE_EXECUTABLE_NO_TEXT");
	json_close(&j, '}');
	json_close(&j, '}');
	buf_release(&name);
}

static void add_id(struct debuginfo *u, struct buf *b)
{
	struct json j = {.out = b};

	json_open(&j, '{');
	json_key_text(&j, "gnuBuildId", u->file.build_id);
	json_close(&j, '}');
}

static int request(struct debuginfo *u)
{
	static const char *const json[] = {"Content-Type: application/json",
					   "Connect-Protocol-Version: 1", NULL};
	static const char *const bytes[] = {"Content-Type: application/octet-stream", NULL};
	char rest[64];

	switch (u->step) {
	case DEBUGINFO_SEND:
		snprintf(rest, sizeof(rest), "/%s", u->file.build_id);
		u->body_bytes = u->file.bytes;
		return set_url(u, "Upload", rest) ?: upload_request_headers(&u->request, bytes);
	case DEBUGINFO_END:
		add_id(u, &u->request.body);
		return set_url(u, "UploadFinished", "")
			       ?: upload_request_headers(&u->request, json);
	default:
		add_ask(u, &u->request.body);
		return set_url(u, "ShouldInitiateUpload", "")
			       ?: upload_request_headers(&u->request, json);
	}
}

struct said {
	bool wants;
	char reason[200];
};

static int on_value(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct said *s = ctx;

	if (n == 1 && steps[0].key && !strcmp(steps[0].key, "shouldInitiateUpload"))
		s->wants = !strcmp(text, "true");
	if (n == 1 && steps[0].key && !strcmp(steps[0].key, "reason"))
		snprintf(s->reason, sizeof(s->reason), "%s", text);
	return 0;
}

static enum debuginfo_outcome unreadable(struct why *why)
{
	why_say(why, 0, "200, but its answer cannot be read: is it Pyroscope? check the URL");
	return DEBUGINFO_REFUSED;
}

static enum debuginfo_outcome after_ask(struct debuginfo *u, const struct net_answer *a,
					struct why *why)
{
	struct said s = {0};
	struct buf clean = {0};

	if (json_read_all(a->body.data ?: "", a->body.len, on_value, on_value, &s))
		return unreadable(why);
	if (s.wants) {
		u->step = DEBUGINFO_SEND;
		return DEBUGINFO_NEXT;
	}
	text_add_clean(&clean, s.reason, strlen(s.reason));
	why_say(why, 0, "it wants no such file%s%s", clean.len ? ": " : "", buf_cstr(&clean));
	buf_release(&clean);
	return DEBUGINFO_UNWANTED;
}

static enum debuginfo_outcome answer(struct debuginfo *u, const struct net_answer *a,
				     struct why *why)
{
	if (u->step == DEBUGINFO_ASK)
		return after_ask(u, a, why);
	if (rpc_is_type(a, "text/html"))
		return unreadable(why);
	if (u->step == DEBUGINFO_SEND) {
		u->step = DEBUGINFO_END;
		return DEBUGINFO_NEXT;
	}
	why_say(why, 0, "it took the file");
	return DEBUGINFO_SENT;
}

const struct debuginfo_protocol debuginfo_pyroscope = {.request = request, .answer = answer};
