// SPDX-License-Identifier: GPL-2.0-or-later
/* OpenTelemetry profiles over gRPC: one call a request. */
#include <errno.h>
#include <stdlib.h>

#include "profiler/formats/compress.h"
#include "profiler/upload/otlp_answer.h"
#include "profiler/upload/otlp_pack.h"
#include "proto/grpc.h"

#define METHOD "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"

static int check(const struct upload_target *t, struct why *why)
{
	if (*t->path || *t->query)
		return why_say(why, -EINVAL,
			       "a URL of otlp+grpc has no path: gRPC's methods have theirs");
	return 0;
}

static int fill(const struct upload_target *t, const struct buf *message, struct upload_request *r)
{
	static const char *const headers[] = {"Content-Type: application/grpc+proto",
					      "TE: trailers", "grpc-encoding: gzip",
					      "grpc-accept-encoding: identity", NULL};
	struct buf url = {0}, packed = {0};
	int err = compress_gzip_fast(&packed, message->data, message->len);

	buf_printf(&url, "%s%s", t->base, METHOD);
	r->url = buf_take(&url);
	r->version = NET_HTTP2;
	if (!err)
		grpc_frame(&r->body, packed.data, packed.len, true);
	buf_release(&packed);
	return err ?: (r->url ? 0 : -ENOMEM) ?: r->body.err ?: upload_request_headers(r, headers);
}

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	return otlp_pack(t, item, fill, out, why);
}

static void judge(const struct upload_target *t, const struct net_answer *answer,
		  struct upload_judgement *out)
{
	(void)t;
	otlp_judge_grpc(answer, out);
}

const struct upload_kind upload_otlp_grpc = {
	.name = "otlp+grpc",
	.default_port = 4317,
	.check = check,
	.pack = pack,
	.judge = judge,
};
