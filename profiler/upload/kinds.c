// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct upload_scheme upload_schemes[] = {
#define X(scheme, net, kind) {scheme, net, &upload_##kind},
	UPLOAD_SCHEMES(X)
#undef X
		{0},
};

void upload_schemes_say(struct buf *out)
{
	for (const struct upload_scheme *s = upload_schemes; s->name; s++)
		buf_printf(out, "%s%s", s == upload_schemes ? "" : ", ", s->name);
}

int upload_request_headers(struct upload_request *r, const char *const *headers)
{
	for (; *headers; headers++) {
		char *copy = strdup(*headers);

		if (!copy || vec_push(&r->headers, copy)) {
			free(copy);
			return -ENOMEM;
		}
	}
	return 0;
}

void upload_requests_release(struct upload_requests *r)
{
	for (size_t i = 0; i < r->v.len; i++) {
		struct upload_request *q = &r->v.data[i];

		free(q->url);
		for (size_t h = 0; h < q->headers.len; h++)
			free(q->headers.data[h]);
		vec_release(&q->headers);
		buf_release(&q->body);
	}
	vec_release(&r->v);
}
