// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "profiler/upload/otlp.h"
#include "profiler/upload/otlp_pack.h"

static int add_request(const struct upload_target *t, const struct otlp_request *from,
		       otlp_fill *fill, struct upload_requests *out)
{
	struct upload_request r = {.method = "POST", .samples = from->samples};
	int err = vec_push(&out->v, r);

	return err ?: fill(t, &from->body, &vec_last(&out->v));
}

int otlp_pack(const struct upload_target *t, const struct upload_item *item, otlp_fill *fill,
	      struct upload_requests *out, struct why *why)
{
	struct otlp_opts o = {
		.host = item->host,
		.id = {item->id[0], item->id[1]},
		.without_names = t->without_names,
	};
	struct otlp_requests messages = {0};
	int err = otlp_encode(&messages, item->profile, &o);

	for (size_t i = 0; !err && i < messages.v.len; i++)
		err = add_request(t, &messages.v.data[i], fill, out);
	otlp_requests_release(&messages);
	return err ? why_say(why, err, "out of memory") : 0;
}
