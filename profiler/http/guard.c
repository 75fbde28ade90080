// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/guard.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

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

bool guard_token(const char *authorization, const char *token)
{
	static const char scheme[] = "Bearer ";
	size_t len = strlen(token), n;
	unsigned char differs = 0;

	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	authorization += sizeof(scheme) - 1;
	n = strlen(authorization);
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(token[i] ^ (i < n ? authorization[i] : 0));
	return len && !differs && n == len;
}
