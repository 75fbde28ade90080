// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/net/net_sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/sha256.h"
#include "profiler/base/text.h"

#define HEX_LEN (2 * SHA256_LEN + 1)

static void hash_hex(const void *data, size_t len, char out[HEX_LEN])
{
	uint8_t hash[SHA256_LEN];

	sha256(data, len, hash);
	text_hex(hash, sizeof(hash), out);
}

/* --- the canonical request ------------------------------------------------------------------------ */

static bool is_signed(const char *line)
{
	static const char *const names[] = {"host:", "date:", "content-type:", "range:", "x-amz-"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncasecmp(line, names[i], strlen(names[i])))
			return true;
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By the name: what is before the colon, which no name has. */
static int by_name(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t nx = strcspn(x, ":"), ny = strcspn(y, ":");
	int order = memcmp(x, y, nx < ny ? nx : ny);

	return order ?: (nx > ny) - (nx < ny);
}

/* "Name:  a  b " as "name:a b"; "Name;" is one without a value. */
static char *canonical_line(const char *line)
{
	struct buf b = {0};
	const char *s = line;

	for (; *s && *s != ':' && *s != ';'; s++)
		buf_char(&b, (char)tolower((unsigned char)*s));
	buf_char(&b, ':');
	for (s += !!*s; *s;) {
		size_t blanks = strspn(s, " \t"), word = strcspn(s + blanks, " \t");

		if (blanks && word && b.len && b.data[b.len - 1] != ':')
			buf_char(&b, ' ');
		buf_add(&b, s + blanks, word);
		s += blanks + word;
	}
	return buf_take(&b);
}

static int canonical_headers(const struct net_lines *headers, struct net_lines *out)
{
	for (size_t i = 0; i < headers->v.len; i++) {
		char *line =
			is_signed(headers->v.data[i]) ? canonical_line(headers->v.data[i]) : NULL;

		if (is_signed(headers->v.data[i]) && (!line || vec_push(&out->v, line))) {
			free(line);
			return -ENOMEM;
		}
	}
	if (out->v.len)
		qsort(out->v.data, out->v.len, sizeof(*out->v.data), by_name);
	return 0;
}

/* "b&a=1" as "a=1&b=". */
static int add_canonical_query(struct buf *b, const char *query)
{
	struct net_lines parts = {0};
	int err = 0;

	for (const char *s = query; *s && !err; s += strcspn(s, "&"), s += *s == '&') {
		int len = (int)strcspn(s, "&");

		err = net_lines_add(&parts, "%.*s%s", len, s,
				    memchr(s, '=', (size_t)len) ? "" : "=");
	}
	if (parts.v.len)
		qsort(parts.v.data, parts.v.len, sizeof(*parts.v.data), by_text);
	for (size_t i = 0; i < parts.v.len; i++)
		buf_printf(b, "%s%s", i ? "&" : "", parts.v.data[i]);
	net_lines_release(&parts);
	return err;
}

static void add_names(struct buf *b, const struct net_lines *canonical)
{
	for (size_t i = 0; i < canonical->v.len; i++)
		buf_printf(b, "%s%.*s", i ? ";" : "", (int)strcspn(canonical->v.data[i], ":"),
			   canonical->v.data[i]);
}

static int add_canonical_request(struct buf *b, const struct net_sigv4 *s,
				 const struct net_lines *canonical, const char *body_hash)
{
	size_t path = strcspn(s->path, "?");
	int err;

	buf_printf(b, "%s\n%s%.*s\n", s->method, path ? "" : "/", (int)path, s->path);
	err = add_canonical_query(b, s->path + path + (s->path[path] == '?'));
	buf_char(b, '\n');
	for (size_t i = 0; i < canonical->v.len; i++)
		buf_printf(b, "%s\n", canonical->v.data[i]);
	buf_char(b, '\n');
	add_names(b, canonical);
	buf_printf(b, "\n%s", body_hash);
	return err ?: b->err;
}

/* --- the signature -------------------------------------------------------------------------------- */

static void hmac_text(uint8_t key[SHA256_LEN], size_t key_len, const void *first, const char *text)
{
	uint8_t out[SHA256_LEN];

	sha256_hmac(first ? first : key, first ? key_len : SHA256_LEN, text, strlen(text), out);
	memcpy(key, out, sizeof(out));
}

static int sign_text(const struct net_auth *a, const char *date, const char *text,
		     char out[HEX_LEN])
{
	_cleanup_free_ char *secret = NULL;
	uint8_t key[SHA256_LEN];

	if (asprintf(&secret, "AWS4%s", a->aws_secret) < 0) {
		secret = NULL;
		return -ENOMEM;
	}
	hmac_text(key, strlen(secret), secret, date);
	hmac_text(key, 0, NULL, a->aws_region);
	hmac_text(key, 0, NULL, "s3");
	hmac_text(key, 0, NULL, "aws4_request");
	hmac_text(key, 0, NULL, text);
	text_hex(key, sizeof(key), out);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(secret, strlen(secret));
	return 0;
}

static int add_authorization(struct net_lines *headers, const struct net_sigv4 *s, const char *when,
			     const char *body_hash)
{
	struct buf request = {0}, text = {0}, names = {0};
	struct net_lines canonical = {0};
	char date[9], hash[HEX_LEN], signature[HEX_LEN];
	int err = canonical_headers(headers, &canonical);

	snprintf(date, sizeof(date), "%.8s", when);
	err = err ?: add_canonical_request(&request, s, &canonical, body_hash);
	hash_hex(request.data, request.len, hash);
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", when, date,
		   s->auth->aws_region, hash);
	add_names(&names, &canonical);
	err = err ?: text.err ?: names.err;
	err = err ?: sign_text(s->auth, date, buf_cstr(&text), signature);
	if (!err)
		err = net_lines_add(headers,
				    "Authorization: AWS4-HMAC-SHA256 "
				    "Credential=%s/%s/%s/s3/aws4_request,SignedHeaders=%s,"
				    "Signature=%s",
				    s->auth->aws_key, date, s->auth->aws_region, buf_cstr(&names),
				    signature);
	buf_release(&request);
	buf_release(&text);
	buf_release(&names);
	net_lines_release(&canonical);
	return err;
}

int net_sigv4_sign(struct net_lines *headers, const struct net_sigv4 *s)
{
	char when[32], body_hash[HEX_LEN];
	time_t time_s = (time_t)s->time_s;
	struct tm tm;
	int err;

	gmtime_r(&time_s, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	hash_hex(s->body, s->len, body_hash);
	err = net_lines_add(headers, "x-amz-content-sha256: %s", body_hash);
	err = err ?: net_lines_add(headers, "x-amz-date: %s", when);
	if (!err && s->auth->aws_session_token)
		err = net_lines_add(headers, "x-amz-security-token: %s",
				    s->auth->aws_session_token);
	return err ?: add_authorization(headers, s, when, body_hash);
}
