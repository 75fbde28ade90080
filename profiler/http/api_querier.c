// SPDX-License-Identifier: GPL-2.0-or-later
#include <microhttpd.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/http/querier.h"
#include "profiler/http/range.h"

void answer_querier(struct server *s, const struct request *r, struct answer *a)
{
	struct querier_request q = {.method = r->rest, .body = r->body.data, .len = r->body.len};
	const char *type = r->content_type ? r->content_type : "";

	q.json = text_has_prefix(type, "application/json");
	if (!q.json && !text_has_prefix(type, "application/proto")) {
		answer_error(a, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			     "Content-Type: application/proto or application/json");
		return;
	}
	if (!server_begin_query(s, a))
		return;
	q.store = range_open(s, a);
	if (q.store) {
		a->status = querier_answer(&q, &a->body);
		a->type = a->status == MHD_HTTP_OK && !q.json ? "application/proto" : TYPE_JSON;
	}
	store_close(q.store);
	server_end_query(s);
}
