// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parca: parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw over gRPC.
 *
 * The server discards the labels of samples. So only the labels of the series arrive: those of few values that
 * UPLOAD_SERIES_LABELS names. pid and thread_id are left out, because a series for each thread would be too many.
 * A call is atomic, so that a request may have many series. Addresses are those of the file, and a frame without a
 * name goes without: the server names it from its debug information, or shows file and address.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/upload/debuginfo_priv.h"
#include "profiler/upload/rpc_judge.h"
#include "profiler/upload/series_pack.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"
#include "proto/parca.pb-c.h"
#include "proto/wire.h"

/* Far below the 64 MiB that the server takes: it gives up reading after five seconds. */
#define MAX_SAMPLES 15000
#define MAX_DEPTH   960
#define MAX_RAW	    3000000
#define MAX_MESSAGE 3500000
#define MAX_SERIES  500

enum { WRITE_RAW_SERIES = 2 };

static int check(const struct upload_target *t, struct why *why)
{
	if ((*t->path && strcmp(t->path, "/") != 0) || *t->query)
		return why_say(why, -EINVAL,
			       "a URL of Parca has no path: gRPC's methods have theirs");
	return 0;
}

/* --- what is sent ---------------------------------------------------------------------------------- */

static void add(struct buf *message, const struct series_raw *s)
{
	Parca__Label labels[SERIES_MAX_LABELS + 1], *label_ptrs[SERIES_MAX_LABELS + 1];
	const struct series_labels *from = s->series->labels;
	Parca__LabelSet set = PARCA__LABEL_SET__INIT;
	Parca__RawProfileSeries series = PARCA__RAW_PROFILE_SERIES__INIT;
	Parca__RawSample sample = PARCA__RAW_SAMPLE__INIT, *samples[] = {&sample};
	size_t n = from->v.len + 1;

	for (size_t i = 0; i < n; i++) {
		labels[i] = (Parca__Label)PARCA__LABEL__INIT;
		label_ptrs[i] = &labels[i];
	}
	labels[0].name = "__name__";
	labels[0].value = (char *)s->type;
	for (size_t i = 0; i < from->v.len; i++) {
		labels[1 + i].name = from->v.data[i].name;
		labels[1 + i].value = from->v.data[i].value;
	}
	set.n_labels = n;
	set.labels = label_ptrs;
	sample.raw_profile.data = (uint8_t *)s->series->raw->data;
	sample.raw_profile.len = s->series->raw->len;
	series.labels = &set;
	series.n_samples = 1;
	series.samples = samples;
	wire_put_message(message, WRITE_RAW_SERIES, &series.base);
}

static void end(struct buf *message)
{
	Parca__WriteRawRequest rest = PARCA__WRITE_RAW_REQUEST__INIT;

	rest.normalized = true;
	wire_put_fields(message, &rest.base);
}

static const char *const headers[] = {"Content-Type: application/grpc+proto", "TE: trailers",
				      "grpc-encoding: gzip", "grpc-accept-encoding: identity",
				      NULL};

static const struct series_pack packing = {
	.series =
		{
			.max_samples = MAX_SAMPLES,
			.max_bytes = MAX_RAW,
			.max_depth = MAX_DEPTH,
		},
	.max_series = MAX_SERIES,
	.max_bytes = MAX_MESSAGE,
	.add = add,
	.end = end,
	.method = "/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw",
	.headers = headers,
	.is_grpc = true,
};

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	return series_pack(&packing, t, item, out, why);
}

/* --- what it answers ------------------------------------------------------------------------------- */

/* WriteRawResponse has no fields yet. */
static bool is_answer(const struct net_answer *a)
{
	struct buf raw = {0};
	int err = rpc_message(a, &raw);
	struct bytes message = bytes_of(raw.data, raw.len);
	struct wire_field f;

	while (!err && wire_next(&message, &f))
		;
	buf_release(&raw);
	return !err && !message.bad;
}

static void judge_status(const struct net_answer *a, struct upload_judgement *out)
{
	if (a->grpc_status) {
		rpc_judge_grpc(a, NULL, out);
	} else if (!is_answer(a)) {
		out->verdict = UPLOAD_AGAIN_FEW;
		why_say(&out->why, 0,
			"OK, but its answer cannot be read: is there something between "
			"it and kiln that changes answers?");
	} else {
		out->verdict = UPLOAD_DELIVERED;
		why_say(&out->why, 0, "OK");
	}
}

static bool is_page(const struct net_answer *a)
{
	return rpc_is_type(a, "text/html") || (a->body.len && !rpc_is_type(a, "application/grpc") &&
					       !rpc_is_type(a, "application/grpc+proto"));
}

/* Whatever path it does not know it answers with its page and 200. */
static void judge(const struct upload_target *t, const struct net_answer *a,
		  struct upload_judgement *out)
{
	char shown[160];

	(void)t;
	out->retry_after_s = a->retry_after_s;
	rpc_shown(a, shown, sizeof(shown));
	if (a->grpc_status >= 0 && a->status == 200) {
		judge_status(a, out);
	} else if (a->status == 200 && is_page(a)) {
		out->verdict = UPLOAD_WRONG;
		why_say(&out->why, 0, "%s: is it Parca? check the URL", shown);
	} else if (a->status == 200) {
		/* So it answers when reading has taken it too long; then nothing was stored. */
		out->verdict = UPLOAD_AGAIN_FEW;
		why_say(&out->why, 0,
			"200 without a grpc-status: raise Parca's --http-read-timeout");
	} else if (a->status == 400) {
		out->verdict = UPLOAD_WRONG;
		why_say(&out->why, 0, "400, which is no answer of Parca's: check the URL");
	}
}

const struct upload_kind upload_parca = {
	.name = "parca",
	.default_port = 7070,
	.has_series = true,
	.check = check,
	.pack = pack,
	.judge = judge,
	.debuginfo = &debuginfo_parca,
};
