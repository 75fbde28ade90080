// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/guard.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#define MAX_CREDENTIALS (32u << 10) /* longer ones are refused */

/* Length of the name in "name:port", or 0: what follows is no port. */
static size_t name_len(const char *host)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
	size_t len, i;

	if (host[0] == '[' && !end)
		return 0;
	end = host[0] == '[' ? end + 1 : end;
	len = end ? (size_t)(end - host) : strlen(host);
	if (!host[len])
		return len;
	for (i = len + 1; isdigit((unsigned char)host[i]); i++)
		;
	return host[len] == ':' && !host[i] && i - len >= 2 && i - len <= 6 ? len : 0;
}

static bool is(const char *host, size_t len, const char *name)
{
	return strlen(name) == len && !strncasecmp(host, name, len);
}

bool guard_host(const char *host, const char *const *hosts)
{
	static const char *const own[] = {"localhost", "127.0.0.1", "[::1]"};
	size_t len = host ? name_len(host) : 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (len && is(host, len, own[i]))
			return true;
	for (size_t i = 0; len && hosts && hosts[i]; i++)
		if (is(host, len, hosts[i]))
			return true;
	return false;
}

/* The credentials of a scheme, past spaces; NULL: it is another one. */
static const char *credentials(const char *authorization, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(authorization, scheme, len) != 0 || authorization[len] != ' ')
		return NULL;
	return authorization + len + strspn(authorization + len, " ");
}

/* Takes the same time wherever they differ. */
static bool is_token(const char *given, size_t n, const char *token)
{
	size_t len = strlen(token);
	unsigned char differs = 0;

	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(token[i] ^ (i < n ? given[i] : 0));
	return len && !differs && n == len;
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decodes with or without padding. Its length, or -1: it is no base64, or has more than size bytes. */
static ssize_t decode_base64(const char *text, char *out, size_t size)
{
	size_t len = strlen(text), n = 0;
	unsigned bits = 0;

	for (int i = 0; i < 2 && len && text[len - 1] == '='; i++)
		len--;
	for (size_t i = 0; i < len; i++) {
		int v = base64_value(text[i]);

		if (v < 0 || n == size)
			return -1;
		bits = bits << 6 | (unsigned)v;
		if (i % 4)
			out[n++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
	}
	return len % 4 == 1 ? -1 : (ssize_t)n;
}

/* Whatever the user is called. */
static bool has_password(const char *basic, const char *token)
{
	char text[MAX_CREDENTIALS];
	ssize_t len = decode_base64(basic, text, sizeof(text));
	const char *colon = len > 0 ? memchr(text, ':', (size_t)len) : NULL;

	return colon && is_token(colon + 1, (size_t)(text + len - colon - 1), token);
}

bool guard_token(const char *authorization, const char *token)
{
	const char *bearer = authorization ? credentials(authorization, "Bearer") : NULL;
	const char *basic = authorization ? credentials(authorization, "Basic") : NULL;

	if (bearer)
		return is_token(bearer, strlen(bearer), token);
	return basic && has_password(basic, token);
}

bool guard_work(const char *fetch_site, const char *user_agent)
{
	if (fetch_site)
		return !strcmp(fetch_site, "same-origin") || !strcmp(fetch_site, "none");
	return !user_agent || strncmp(user_agent, "Mozilla/", 8) != 0;
}
