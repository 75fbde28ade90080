// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/remote/s3_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"

#define MAX_NAME  1024
#define ID_DIGITS 32

static void add_param(struct buf *b, char *before, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, "%c%s=", *before, key);
	text_add_url(b, value);
	*before = '&';
}

void s3_list_path(struct buf *out, const struct s3_list_query *q)
{
	char before = '?';

	buf_str(out, q->bucket);
	add_param(out, &before, "continuation-token", q->token);
	add_param(out, &before, "delimiter", q->delimiter);
	add_param(out, &before, "list-type", "2");
	add_param(out, &before, "prefix", q->prefix);
	if (!q->token)
		add_param(out, &before, "start-after", q->start_after);
}

/* --- the answer ----------------------------------------------------------------------------------- */

/* The next text between <tag> and </tag>; *at moves behind it. NULL: there is none. */
static const char *next_text(const char **at, const char *end, const char *tag, size_t *len)
{
	char open[40];
	const char *from, *to;

	snprintf(open, sizeof(open), "<%s>", tag);
	from = *at < end ? memmem(*at, (size_t)(end - *at), open, strlen(open)) : NULL;
	if (!from)
		return NULL;
	from += strlen(open);
	to = memchr(from, '<', (size_t)(end - from));
	if (!to)
		return NULL;
	*at = to;
	*len = (size_t)(to - from);
	return from;
}

static bool is_plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("-._~/", s[i]))
			return false;
	return len && len <= MAX_NAME && !memchr(s, '\0', len);
}

static int add_name(struct s3_page *p, bool is_key, const char *s, size_t len)
{
	char *name;
	int err;

	if (!is_plain(s, len))
		return 0;
	if (p->keys.len + p->prefixes.len >= S3_MAX_KEYS)
		return -EBADMSG;
	name = strndup(s, len);
	err = !name ? -ENOMEM : is_key ? vec_push(&p->keys, name) : vec_push(&p->prefixes, name);
	if (err)
		free(name);
	return err;
}

/* What XML escapes (1.0, 4.6), and numbers of one byte. */
static int unescape(char *out, size_t size, const char *s, size_t len)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = {{"&amp;", '&'},	  {"&lt;", '<'},  {"&gt;", '>'},   {"&quot;", '"'},
			{"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}, {"&#43;", '+'}};
	size_t n = 0;

	while (len) {
		size_t took = 1;
		char c = *s;

		for (size_t i = 0; c == '&' && i < sizeof(entities) / sizeof(*entities); i++) {
			size_t k = strlen(entities[i].name);

			if (k <= len && !memcmp(s, entities[i].name, k)) {
				c = entities[i].c;
				took = k;
				break;
			}
		}
		if (n + 1 >= size || (unsigned char)c < ' ' || (c == '&' && took == 1))
			return -EBADMSG;
		out[n++] = c;
		s += took;
		len -= took;
	}
	out[n] = '\0';
	return 0;
}

static int read_prefixes(struct s3_page *p, const char *data, const char *end)
{
	const char *at = data, *s;
	size_t len;
	int err = 0;

	while (!err && at < end && (at = memmem(at, (size_t)(end - at), "<CommonPrefixes>", 16))) {
		s = next_text(&at, end, "Prefix", &len);
		if (!s)
			return -EBADMSG;
		err = add_name(p, false, s, len);
	}
	return err;
}

int s3_page_read(struct s3_page *p, const char *data, size_t len)
{
	const char *end = data + len, *at = data, *s;
	size_t n;
	int err = 0;

	if (!len || !memmem(data, len, "<ListBucketResult", 17) ||
	    !memmem(data, len, "</ListBucketResult>", 19))
		return -EBADMSG;
	while (!err && (s = next_text(&at, end, "Key", &n)))
		err = add_name(p, true, s, n);
	err = err ?: read_prefixes(p, data, end);
	at = data;
	s = err ? NULL : next_text(&at, end, "NextContinuationToken", &n);
	return s ? unescape(p->token, sizeof(p->token), s, n) : err;
}

void s3_page_release(struct s3_page *p)
{
	for (size_t i = 0; i < p->keys.len; i++)
		free(p->keys.data[i]);
	for (size_t i = 0; i < p->prefixes.len; i++)
		free(p->prefixes.data[i]);
	vec_release(&p->keys);
	vec_release(&p->prefixes);
}

/* --- names ---------------------------------------------------------------------------------------- */

int s3_key_time(const char *name, int64_t *ns)
{
	struct tm tm = {0};
	const char *rest = strptime(name, "%Y/%m/%d/%H%M%S", &tm);
	int ms = 0;

	if (!rest || rest - name != 17 || *rest++ != '.')
		return -EINVAL;
	for (int i = 0; i < 3; i++, rest++) {
		if (!isdigit((unsigned char)*rest))
			return -EINVAL;
		ms = ms * 10 + *rest - '0';
	}
	if (strncmp(rest, "Z-", 2) || strspn(rest + 2, "0123456789abcdef") != ID_DIGITS ||
	    strcmp(rest + 2 + ID_DIGITS, ".pb.gz") != 0)
		return -EINVAL;
	*ns = (int64_t)timegm(&tm) * (int64_t)NS_PER_S + ms * 1000000;
	return 0;
}
