// SPDX-License-Identifier: GPL-2.0-or-later
/* OpenTelemetry profiles over HTTP: POST BASE[/PATH][?QUERY]. */
#include <errno.h>
#include <stdlib.h>

#include "profiler/formats/compress.h"
#include "profiler/upload/otlp_answer.h"
#include "profiler/upload/otlp_pack.h"

/* OpenObserve and others have a path of their own. */
#define DEFAULT_PATH "/v1development/profiles"

static int check(const struct upload_target *t, struct why *why)
{
	(void)t, (void)why;
	return 0;
}

/* The type exactly so: the Collector takes no other word for it, and Pyroscope nothing behind it. */
static int fill(const struct upload_target *t, const struct buf *message, struct upload_request *r)
{
	static const char *const headers[] = {"Content-Type: application/x-protobuf",
					      "Content-Encoding: gzip", NULL};
	struct buf url = {0};

	buf_printf(&url, "%s%s%s%s", t->base, *t->path ? t->path : DEFAULT_PATH,
		   *t->query ? "?" : "", t->query);
	r->url = buf_take(&url);
	r->version = NET_HTTP1;
	return (r->url ? 0 : -ENOMEM) ?:
	       upload_request_headers(r, headers) ?:
	       compress_gzip_fast(&r->body, message->data, message->len);
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
	otlp_judge_http(answer, out);
}

const struct upload_kind upload_otlp_http = {
	.name = "otlp+http",
	.default_port = 4318,
	.check = check,
	.pack = pack,
	.judge = judge,
};
