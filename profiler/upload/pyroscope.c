// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pyroscope: POST BASE/push.v1.PusherService/Push, a unary call of Connect (connectrpc.com, "Protocol Reference").
 *
 * A call is neither atomic nor idempotent: a series that is refused stops no other, and what is sent twice counts
 * twice. So a request has few series. Numeric labels of samples are dropped by the server; they are left out, so
 * that equal stacks become one sample. Each frame has a name, because the flame graph leaves out others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/json_read.h"
#include "profiler/upload/debuginfo_priv.h"
#include "profiler/upload/rpc_judge.h"
#include "profiler/upload/series_pack.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"
#include "proto/push.pb-c.h"
#include "proto/wire.h"

/* Below the server's limits: 16,000 samples, 1000 frames, and 2 MB at once, counted before compression: a profile
 * above that is answered 429 for ever. A request of several series stays below as well. */
#define MAX_SAMPLES 15000
#define MAX_DEPTH   960
#define MAX_RAW	    1700000
#define MAX_MESSAGE 1900000
#define MAX_SERIES  16
/* It refuses what began more than an hour ago; a request takes its time. */
#define MAX_AGE_NS (55 * 60 * NS_PER_S)

enum { PUSH_SERIES = 1 };

static int check(const struct upload_target *t, struct why *why)
{
	if (*t->query)
		return why_say(why, -EINVAL, "a URL of Pyroscope has no query (\"?...\")");
	if (t->without_names)
		return why_say(why, -EINVAL,
			       "names: false is not for Pyroscope: its flame graph leaves out "
			       "frames without a name");
	return 0;
}

/* --- what is sent ---------------------------------------------------------------------------------- */

/* Its own labels, in front of those of the series. */
#define N_OWN 2

static void add(struct buf *message, const struct series_raw *s)
{
	Push__LabelPair labels[SERIES_MAX_LABELS + N_OWN], *label_ptrs[SERIES_MAX_LABELS + N_OWN];
	const struct series_labels *from = s->series->labels;
	Push__RawProfileSeries series = PUSH__RAW_PROFILE_SERIES__INIT;
	Push__RawSample sample = PUSH__RAW_SAMPLE__INIT, *samples[] = {&sample};
	size_t n = from->v.len + N_OWN;

	for (size_t i = 0; i < n; i++) {
		labels[i] = (Push__LabelPair)PUSH__LABEL_PAIR__INIT;
		label_ptrs[i] = &labels[i];
	}
	labels[0].name = "__name__";
	labels[0].value = (char *)s->type;
	labels[1].name = "__delta__"; /* the values are of this window alone */
	labels[1].value = "false";
	for (size_t i = 0; i < from->v.len; i++) {
		labels[N_OWN + i].name = from->v.data[i].name;
		labels[N_OWN + i].value = from->v.data[i].value;
	}
	sample.raw_profile.data = (uint8_t *)s->series->raw->data;
	sample.raw_profile.len = s->series->raw->len;
	sample.id = (char *)s->id;
	series.n_labels = n;
	series.labels = label_ptrs;
	series.n_samples = 1;
	series.samples = samples;
	wire_put_message(message, PUSH_SERIES, &series.base);
}

static const char *const headers[] = {"Content-Type: application/proto", "Content-Encoding: gzip",
				      "Connect-Protocol-Version: 1", NULL};

static const struct series_pack packing = {
	.series =
		{
			.max_samples = MAX_SAMPLES,
			.max_bytes = MAX_RAW,
			.max_depth = MAX_DEPTH,
			.name_all = true,
		},
	.max_series = MAX_SERIES,
	.max_bytes = MAX_MESSAGE,
	.add = add,
	.method = "/push.v1.PusherService/Push",
	.headers = headers,
};

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	return series_pack(&packing, t, item, out, why);
}

/* --- what it answers ------------------------------------------------------------------------------- */

#define MAX_CODE	 40
#define MAX_MESSAGE_TEXT 400

/* {"code":"invalid_argument","message":"..."} */
struct connect_error {
	char code[MAX_CODE], message[MAX_MESSAGE_TEXT];
};

static int on_string(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct connect_error *e = ctx;

	if (n != 1 || !steps[0].key)
		return 0;
	if (!strcmp(steps[0].key, "code"))
		snprintf(e->code, sizeof(e->code), "%s", text);
	else if (!strcmp(steps[0].key, "message"))
		snprintf(e->message, sizeof(e->message), "%s", text);
	return 0;
}

static void judge_error(const struct net_answer *a, struct upload_judgement *out)
{
	struct connect_error e = {0};
	const char *advice = NULL;
	int status = -1;
	char shown[64];

	if (!json_read(a->body.data ?: "", a->body.len, on_string, &e))
		status = grpc_status_of(e.code);
	/* "unknown" goes with 500. With another status it is that of something before Pyroscope. */
	if (status == grpc_status_of("unknown") && a->status != 500)
		return;
	if (status > 0) {
		snprintf(shown, sizeof(shown), "%ld %s", a->status, e.code);
		if (status == grpc_status_of("unauthenticated") && strstr(e.message, "org id"))
			advice = "set tenant";
		rpc_judge(status, shown, e.message, advice, out);
	} else if (a->status == 400) {
		/* A front end's. What is queued is not at fault. */
		out->verdict = UPLOAD_WRONG;
		why_say(&out->why, 0, "400, which is no answer of Pyroscope's: check the URL");
	}
}

/* PushResponse has no fields yet. */
static bool is_message(const struct net_answer *a)
{
	struct bytes in = bytes_of(a->body.data, a->body.len);
	struct wire_field f;

	while (wire_next(&in, &f))
		;
	return !in.bad;
}

static void judge(const struct upload_target *t, const struct net_answer *a,
		  struct upload_judgement *out)
{
	char shown[160];

	(void)t;
	out->retry_after_s = a->retry_after_s;
	if (a->status != 200) {
		judge_error(a, out);
		return;
	}
	if (!rpc_is_type(a, "application/proto")) {
		rpc_shown(a, shown, sizeof(shown));
		out->verdict = UPLOAD_WRONG;
		why_say(&out->why, 0, "%s: is it Pyroscope? check the URL", shown);
	} else if (!is_message(a)) {
		out->verdict = UPLOAD_AGAIN_FEW;
		why_say(&out->why, 0,
			"200, but its answer cannot be read: is there something "
			"between it and kiln that changes answers?");
	} else {
		out->verdict = UPLOAD_DELIVERED;
		why_say(&out->why, 0, "200");
	}
}

const struct upload_kind upload_pyroscope = {
	.name = "pyroscope",
	.default_port = 4040,
	.max_age_ns = MAX_AGE_NS,
	.has_series = true,
	.check = check,
	.pack = pack,
	.judge = judge,
	.debuginfo = &debuginfo_pyroscope,
};
