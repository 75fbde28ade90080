// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any server that takes files over HTTP, at a URL with placeholders:
 *
 *	pprof+https://HOST[:PORT]/files/{host}/{time}-{id}.pb.gz
 *	pprof+http://HOST[:PORT]/ingest?name={host}&from={from}&until={until}&format=pprof
 *
 *	{host}		this machine's name
 *	{time}		when the window began, 20261128T082000.123Z
 *	{id}		32 hex digits, the same whenever the window is sent
 *	{from} {until}	when it began and ended, in seconds since 1970
 *
 * A path with {id} names a file of its own for each window: then the request is PUT, and a window is there once.
 * Otherwise it is POST. The body is pprof's format with gzip, the Content-Type application/octet-stream unless
 * the configuration has another.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/archive.h"
#include "profiler/upload/target.h"

#define MAX_HOST     253
#define PLACEHOLDERS "{host} {time} {id} {from} {until}"

static bool is_placeholder(const char *s, size_t len)
{
	static const char *const names[] = {"{host}", "{time}", "{id}", "{from}", "{until}"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == len && !memcmp(s, names[i], len))
			return true;
	return false;
}

static int check_template(const char *s, struct why *why)
{
	while (*(s += strcspn(s, "{}"))) {
		size_t len = *s == '{' ? strcspn(s, "}") + 1 : 1;

		if (!is_placeholder(s, len))
			return why_say(why, -EINVAL, "\"%.*s\" in the URL is none of " PLACEHOLDERS,
				       (int)strnlen(s, len < 40 ? len : 40), s);
		s += len;
	}
	return 0;
}

static int check(const struct upload_target *t, struct why *why)
{
	return check_template(t->path, why) ?: check_template(t->query, why);
}

/* One part of a path, which no server takes for a step in it, even if it undoes the escaping. */
static void add_host(struct buf *b, const char *host)
{
	char name[MAX_HOST + 1];

	snprintf(name, sizeof(name), "%s", *host ? host : "_");
	for (char *s = name; *s; s++)
		if (strchr("/\\", *s) || (unsigned char)*s < ' ' || (s == name && *s == '.'))
			*s = '_';
	text_add_url(b, name);
}

static void add_value(struct buf *b, const char *name, const struct upload_item *item)
{
	int64_t ns = item->profile->time_ns;
	char text[ARCHIVE_SIZE];

	if (text_has_prefix(name, "{host}")) {
		add_host(b, item->host);
		return;
	}
	if (text_has_prefix(name, "{time}")) {
		archive_time(ns, ARCHIVE_TIME, text);
	} else if (text_has_prefix(name, "{id}")) {
		archive_id(item, text);
	} else {
		if (text_has_prefix(name, "{until}") &&
		    __builtin_add_overflow(ns, item->profile->duration_ns, &ns))
			ns = INT64_MAX;
		snprintf(text, sizeof(text), "%" PRId64, ns / (int64_t)NS_PER_S);
	}
	buf_str(b, text);
}

static void expand(struct buf *b, const char *s, const struct upload_item *item)
{
	while (*s) {
		size_t plain = strcspn(s, "{");

		buf_add(b, s, plain);
		s += plain;
		if (!*s)
			return;
		add_value(b, s, item);
		s += strcspn(s, "}");
		s += *s == '}';
	}
}

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	struct buf url = {0};

	buf_str(&url, t->base);
	if (!*t->path)
		buf_char(&url, '/');
	expand(&url, t->path, item);
	if (*t->query)
		buf_char(&url, '?');
	expand(&url, t->query, item);
	return archive_request(out, item, strstr(t->path, "{id}") ? "PUT" : "POST", buf_take(&url),
			       why);
}

/* What takes files may well answer with a page. */
static void judge(const struct upload_target *t, const struct net_answer *a,
		  struct upload_judgement *out)
{
	(void)t;
	if (a->status >= 200 && a->status < 300) {
		out->verdict = UPLOAD_DELIVERED;
		why_say(&out->why, 0, "%ld", a->status);
	}
}

const struct upload_kind upload_pprof_http = {
	.name = "pprof",
	.takes_template = true,
	.check = check,
	.pack = pack,
	.judge = judge,
};
