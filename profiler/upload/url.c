// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/suggest.h"
#include "profiler/base/text.h"

static int say_schemes(const char *url, struct why *why)
{
	char typed[32], known[32], best[32] = "";
	struct suggest near = {.typed = typed};
	size_t distance = SIZE_MAX;

	snprintf(typed, sizeof(typed), "%.*s://", (int)strcspn(url, ":"), url);
	/* "http://" alone would be near to the shortest of them, which it is not. */
	for (const struct upload_scheme *s = upload_schemes; s->name && strchr(typed, '+'); s++) {
		snprintf(known, sizeof(known), "%s://", s->name);
		suggest_consider(&near, known);
		if (near.best && near.distance < distance) {
			snprintf(best, sizeof(best), "%s", known);
			distance = near.distance;
		}
	}
	return why_say(why, -EINVAL,
		       "not a URL that says which protocol it takes, such as "
		       "pyroscope+http://HOST:4040%s%s%s",
		       *best ? " (did you mean \"" : "", best, *best ? "\"?)" : "");
}

static const struct upload_scheme *find_scheme(const char *url, const char **rest)
{
	for (const struct upload_scheme *s = upload_schemes; s->name; s++) {
		size_t len = strlen(s->name);

		if (!strncmp(url, s->name, len) && !strncmp(url + len, "://", 3)) {
			*rest = url + len + 3;
			return s;
		}
	}
	return NULL;
}

/* What may stand in a URL as it is (RFC 3986), and braces if it is a template. */
static bool is_escaped(const char *s, bool is_template)
{
	for (; *s; s++) {
		if (*s == '%' && (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2])))
			return false;
		if (isalnum((unsigned char)*s) || strchr("-._~:/?#[]@!$&'()*+,;=%", *s))
			continue;
		if (!is_template || !strchr("{}", *s))
			return false;
	}
	return true;
}

/* Bytes of a name, an IPv4 address, or an IPv6 address in brackets; 0: it is none. */
static size_t host_len(const char *s)
{
	size_t n = 0;

	if (*s == '[') {
		n = 1 + strspn(s + 1, "0123456789abcdefABCDEF:.");
		return n > 2 && s[n] == ']' ? n + 1 : 0;
	}
	while (isalnum((unsigned char)s[n]) || (s[n] && strchr("-._", s[n])))
		n++;
	return n;
}

static int parse_port(const char **rest, uint16_t *port)
{
	size_t digits = strspn(*rest + 1, "0123456789");
	uint64_t number;
	char text[8];

	if (!digits || digits > 5)
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s", (int)digits, *rest + 1);
	if (text_parse_u64(text, 65535, &number) || !number)
		return -EINVAL;
	*port = (uint16_t)number;
	*rest += 1 + digits;
	return 0;
}

/* HOST[:PORT], which *rest moves behind. */
static int parse_host(struct upload_url *u, const char **rest, struct why *why)
{
	u->port = 0;
	u->host = *rest;
	u->host_len = host_len(*rest);
	if (!**rest || strchr("/?#:", **rest))
		return why_say(why, -EINVAL, "a URL without a host");
	*rest += u->host_len;
	if (u->host_len && **rest == ':' && parse_port(rest, &u->port))
		return why_say(why, -EINVAL, "a URL without a port after its colon");
	if (!u->host_len ||
	    (**rest && !strchr(u->scheme->kind->takes_shards ? ",/?#" : "/?#", **rest)))
		return why_say(why, -EINVAL, "a URL whose host is no name and no address");
	return 0;
}

/* USER@ in front of the host. A password is never taken from a URL. */
static int parse_user(struct upload_url *u, const char **rest, struct why *why)
{
	const char *at = memchr(*rest, '@', strcspn(*rest, "/?#"));
	size_t len = at ? (size_t)(at - *rest) : 0;

	if (!at)
		return 0;
	if (!len || memchr(*rest, ':', len) || !u->scheme->kind->takes_shards)
		return why_say(why, -EINVAL,
			       "a URL with a password in it: use username and password_file");
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)(*rest)[i]) && !strchr("-._~", (*rest)[i]))
			return why_say(why, -EINVAL,
				       "a user in a URL has letters, digits and -._~: for any "
				       "other use username");
	u->user = *rest;
	u->user_len = len;
	*rest = at + 1;
	return 0;
}

/* All are looked at once, so that upload_url_more() cannot fail. */
static int parse_more(struct upload_url *u, const char **rest, struct why *why)
{
	struct upload_url other = *u;
	int err = 0;

	u->more = *rest + (**rest == ',');
	while (!err && **rest == ',') {
		++*rest;
		err = parse_host(&other, rest, why);
	}
	u->more_len = (size_t)(*rest - u->more);
	return err;
}

bool upload_url_more(struct upload_url *u)
{
	const char *rest = u->more;

	if (!u->more_len || parse_host(u, &rest, NULL))
		return false;
	rest += *rest == ',' && (size_t)(rest - u->more) < u->more_len;
	u->more_len -= (size_t)(rest - u->more);
	u->more = rest;
	return true;
}

static int parse_rest(struct upload_url *u, const char *rest, struct why *why)
{
	int err = parse_user(u, &rest, why);

	if (!err && !is_escaped(rest, u->scheme->kind->takes_template))
		err = why_say(why, -EINVAL, "a URL with characters that have to be escaped");
	err = err ?: parse_host(u, &rest, why);
	err = err ?: parse_more(u, &rest, why);
	if (err)
		return err;
	u->path = rest;
	u->path_len = strcspn(rest, "?#");
	rest += u->path_len;
	u->query = rest + (*rest == '?');
	u->query_len = strcspn(u->query, "#");
	if (u->query[u->query_len])
		return why_say(why, -EINVAL, "a URL with a fragment, which no server is sent");
	return 0;
}

int upload_url_parse(struct upload_url *out, const char *url, struct why *why)
{
	struct upload_url u = {0};
	const char *rest;
	int err;

	if (strlen(url) > UPLOAD_MAX_URL)
		return why_say(why, -EINVAL, "a URL of more than %d bytes", UPLOAD_MAX_URL);
	u.scheme = find_scheme(url, &rest);
	if (!u.scheme)
		return say_schemes(url, why);
	err = parse_rest(&u, rest, why);
	if (!err)
		*out = u;
	return err;
}
