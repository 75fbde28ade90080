// SPDX-License-Identifier: GPL-2.0-or-later
/* What handlers use. */
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/json.h"
#include "profiler/base/text.h"
#include "profiler/http/server.h"

const char *request_param(const struct request *r, const char *key)
{
	const char *v = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, key);

	return v && v[0] ? v : NULL;
}

void answer_error(struct answer *a, int status, const char *fmt, ...)
{
	struct json j = {.out = &a->body};
	char text[512], *clean;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clean = text_clean_dup(text, strlen(text));
	a->status = status;
	a->type = TYPE_JSON;
	buf_clear(&a->body);
	json_open(&j, '{');
	json_key_text(&j, "error", clean ? clean : "out of memory");
	json_close(&j, '}');
	buf_char(&a->body, '\n');
	free(clean);
}

bool server_begin_query(struct server *s, struct answer *a)
{
	struct timespec until;
	int err = 0;
	bool mine;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HTTP_QUERY_WAIT_S;
	pthread_mutex_lock(&s->lock);
	while (s->queries >= HTTP_QUERIES && !err)
		err = pthread_cond_timedwait(&s->turn, &s->lock, &until);
	mine = s->queries < HTTP_QUERIES;
	s->queries += mine;
	pthread_mutex_unlock(&s->lock);
	if (!mine) {
		a->retry_after = HTTP_QUERY_WAIT_S;
		answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE,
			     "too many queries at once: try again in a few seconds");
	}
	return mine;
}

void server_end_query(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->queries--;
	pthread_cond_signal(&s->turn);
	pthread_mutex_unlock(&s->lock);
}
