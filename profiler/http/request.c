// SPDX-License-Identifier: GPL-2.0-or-later
/* What handlers use. */
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/json.h"
#include "profiler/base/suggest.h"
#include "profiler/base/text.h"
#include "profiler/http/server.h"

const char *request_param(const struct request *r, const char *key)
{
	const char *v = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, key);

	return v && v[0] ? v : NULL;
}

struct params {
	const char *known; /* "a|b" */
	unsigned seen;	   /* bits of those */
	const char *wrong; /* that is not one of them, or there twice; or NULL */
	bool is_twice;
};

int place_of_word(const char *word, const char *words)
{
	size_t len = strlen(word), n;

	for (int i = 0; *words; i++, words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		if (n == len && !memcmp(words, word, n))
			return i;
	}
	return -1;
}

static enum MHD_Result look_at(void *ctx, enum MHD_ValueKind kind, const char *key,
			       const char *value)
{
	struct params *p = ctx;
	int place = place_of_word(key, p->known);

	(void)kind;
	(void)value;
	p->is_twice = place >= 0 && p->seen & 1u << place;
	if (place >= 0 && !p->is_twice) {
		p->seen |= 1u << place;
		return MHD_YES;
	}
	p->wrong = key;
	return MHD_NO;
}

/* A mistyped "where" would be an answer about everything, a second one about something else. */
bool request_has_only(const struct request *r, const char *known, struct answer *a)
{
	struct params p = {.known = known};
	struct suggest near = {0};
	char words[256];

	MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, look_at, &p);
	if (!p.wrong)
		return true;
	if (p.is_twice) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "parameter \"%s\": it is there twice",
			     p.wrong);
		return false;
	}
	near.typed = p.wrong;
	snprintf(words, sizeof(words), "%s", known);
	for (char *rest = words, *word; (word = strsep(&rest, "|"));)
		suggest_consider(&near, word);
	answer_error(a, MHD_HTTP_BAD_REQUEST, "unknown parameter \"%.60s\"%s%s%s", p.wrong,
		     near.best ? " (did you mean \"" : "", near.best ?: "",
		     near.best ? "\"?)" : "");
	return false;
}

void answer_error(struct answer *a, int status, const char *fmt, ...)
{
	struct json j = {.out = &a->body};
	char *clean;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	clean = text_clean_dup(a->why, strlen(a->why));
	a->status = status;
	a->type = TYPE_JSON;
	buf_clear(&a->body);
	json_open(&j, '{');
	json_key_text(&j, "error", clean ? clean : "out of memory");
	json_close(&j, '}');
	buf_char(&a->body, '\n');
	free(clean);
}

/* The place of a thread's query, or (NULL) a free one; HTTP_QUERIES: none. With the lock. */
static size_t find_query(const struct server *s, const pthread_t *thread)
{
	size_t i = 0;

	while (i < HTTP_QUERIES &&
	       (thread ? !s->queries[i].began_ns || !pthread_equal(s->queries[i].thread, *thread)
		       : s->queries[i].began_ns != 0))
		i++;
	return i;
}

bool server_begin_query(struct server *s, struct answer *a)
{
	struct timespec until;
	int err = 0;
	size_t mine;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HTTP_QUERY_WAIT_S;
	pthread_mutex_lock(&s->lock);
	while ((mine = find_query(s, NULL)) == HTTP_QUERIES && !err)
		err = pthread_cond_timedwait(&s->turn, &s->lock, &until);
	if (mine < HTTP_QUERIES) {
		s->queries[mine].thread = pthread_self();
		s->queries[mine].began_ns = monotonic_ns();
	}
	pthread_mutex_unlock(&s->lock);
	if (mine < HTTP_QUERIES)
		return true;
	a->retry_after = HTTP_QUERY_WAIT_S;
	answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE,
		     "too many queries at once: try again in a few seconds");
	return false;
}

void server_end_query(struct server *s)
{
	pthread_t me = pthread_self();
	size_t i;

	pthread_mutex_lock(&s->lock);
	i = find_query(s, &me);
	if (i < HTTP_QUERIES)
		s->queries[i].began_ns = 0;
	pthread_cond_signal(&s->turn);
	pthread_mutex_unlock(&s->lock);
}

bool server_is_stuck(struct server *s, uint64_t now_ns)
{
	bool is_stuck = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < HTTP_QUERIES; i++)
		is_stuck |= s->queries[i].began_ns &&
			    now_ns > s->queries[i].began_ns + HTTP_STUCK_S * NS_PER_S;
	pthread_mutex_unlock(&s->lock);
	return is_stuck;
}
