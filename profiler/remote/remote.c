// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/remote/remote.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/net/net.h"
#include "profiler/upload/kinds.h"

#define PORT		"7676"
#define CONNECT_MS	10000
#define TOTAL_MS	300000
#define STALL_MS	60000
#define MAX_BYTES	(256u << 20)
#define MAX_TOKEN	4096
#define MAX_SOCKET_PATH 107
#define MAX_QUOTED	200 /* of what the other side says */

#define HTTP_PREFIX  "kiln+http://"
#define HTTPS_PREFIX "kiln+https://"
#define UNIX_PREFIX  "kiln+unix:"

/* --- the URL -------------------------------------------------------------------------------------- */

static bool is_host_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_';
}

/* Bytes of a name, an IPv4 address, or an IPv6 address in brackets; 0: it is none. */
static size_t host_len(const char *s)
{
	size_t n = 0;

	if (*s == '[') {
		n = 1 + strspn(s + 1, "0123456789abcdefABCDEF:.");
		return n > 2 && s[n] == ']' ? n + 1 : 0;
	}
	while (is_host_char(s[n]))
		n++;
	return n;
}

static int make_base(struct buf *out, const char *url, struct why *why)
{
	bool tls = text_has_prefix(url, HTTPS_PREFIX);
	const char *host = url + strlen(tls ? HTTPS_PREFIX : HTTP_PREFIX), *rest;
	size_t len = host_len(host);
	const char *port = PORT;
	uint64_t number = 0;
	char text[8];

	rest = host + len;
	if (len && *rest == ':') {
		size_t digits = strspn(++rest, "0123456789");

		snprintf(text, sizeof(text), "%.*s", (int)digits, rest);
		if (!digits || digits > 5 || text_parse_u64(text, 65535, &number) || !number)
			return why_say(why, -EINVAL, "%s: no port follows the colon", url);
		port = text;
		rest += digits;
	}
	if (!len || (strcmp(rest, "") && strcmp(rest, "/")))
		return why_say(why, -EINVAL, "%s is no " HTTP_PREFIX "HOST[:PORT]", url);
	buf_printf(out, "%s://%.*s:%s", tls ? "https" : "http", (int)len, host, port);
	return 0;
}

static int say_schemes(const char *url, struct why *why)
{
	struct buf schemes = {0};

	upload_schemes_say(&schemes);
	why_say(why, -EINVAL,
		"%.100s is none of " HTTP_PREFIX "HOST[:PORT], " HTTPS_PREFIX
		"HOST[:PORT], " UNIX_PREFIX "/PATH, a name of the configuration's upload, and a "
		"URL of %s",
		url, buf_cstr(&schemes));
	buf_release(&schemes);
	return -EINVAL;
}

static int parse_url(const char *url, struct buf *base, const char **socket, struct why *why)
{
	*socket = NULL;
	if (text_has_prefix(url, HTTP_PREFIX) || text_has_prefix(url, HTTPS_PREFIX))
		return make_base(base, url, why);
	if (!text_has_prefix(url, UNIX_PREFIX))
		return say_schemes(url, why);
	*socket = url + strlen(UNIX_PREFIX);
	if (**socket != '/' || strlen(*socket) > MAX_SOCKET_PATH)
		return why_say(why, -EINVAL, "%s is no " UNIX_PREFIX "/PATH of at most %d bytes",
			       url, MAX_SOCKET_PATH);
	buf_str(base, "http://localhost");
	return 0;
}

static void add_params(struct buf *b, const struct remote_param *params, size_t n)
{
	char before = '?';

	for (size_t i = 0; i < n; i++) {
		if (!params[i].value)
			continue;
		buf_printf(b, "%c%s=", before, params[i].key);
		text_add_url(b, params[i].value);
		before = '&';
	}
}

/* This machine by a name that is nobody else's: "localhost.example" may be anybody's. */
static bool is_this_machine(const char *host)
{
	size_t len = host_len(host);

	return (len == strlen("localhost") && text_has_prefix(host, "localhost")) ||
	       text_has_prefix(host, "[::1]") ||
	       (text_has_prefix(host, "127.") && strspn(host, "0123456789.") == len);
}

int remote_is_open(const struct remote *r)
{
	return text_has_prefix(r->url, HTTP_PREFIX) &&
	       !is_this_machine(r->url + strlen(HTTP_PREFIX));
}

/* --- the token ------------------------------------------------------------------------------------ */

static int check_token(const char *token, const char *from, struct why *why)
{
	for (const char *s = token; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return why_say(why, -EINVAL, "%s: a token has no blanks and only ASCII",
				       from);
	if (!*token || strlen(token) > MAX_TOKEN)
		return why_say(why, -EINVAL, "%s: a token has 1 to %d characters", from, MAX_TOKEN);
	return 0;
}

static int read_token(char **out, const char *path, struct why *why)
{
	char *text;
	size_t len;
	int err = io_read_file(path, MAX_TOKEN + 2, &text, &len);

	if (err)
		return why_say(why, err, "%s: %s", path, strerror(-err));
	text[strcspn(text, "\r\n")] = '\0';
	*out = text;
	return 0;
}

int remote_token(char **out, const char *path, struct why *why)
{
	const char *variable = getenv("KILN_TOKEN");
	_cleanup_free_ char *token = NULL;
	int err = 0;

	*out = NULL;
	if (path)
		err = read_token(&token, path, why);
	else if (variable && *variable)
		err = (token = strdup(variable)) ? 0 : why_say(why, -ENOMEM, "out of memory");
	if (err || !token)
		return err;
	err = check_token(token, path ? path : "KILN_TOKEN", why);
	if (!err)
		*out = steal_ptr(token);
	return err;
}

/* --- answers -------------------------------------------------------------------------------------- */

struct quoting {
	struct buf *out;
	const char *token; /* or NULL */
};

/* Some servers send back what they were sent: that is not told. */
static int on_string(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	const struct quoting *q = ctx;
	size_t len = strlen(text);

	if (n == 1 && steps[0].key && !strcmp(steps[0].key, "error") &&
	    !(q->token && strstr(text, q->token)))
		text_add_clean(q->out, text, len < MAX_QUOTED ? len : MAX_QUOTED);
	return 0;
}

/* What an agent says of an error: {"error": "..."}. Empty: it is none. */
static void quote(struct buf *out, const struct remote *r, const struct buf *body)
{
	struct quoting q = {out, r->token};

	if (body->len && json_read(body->data, body->len, on_string, &q))
		buf_clear(out);
}

static const char *or_else(const struct buf *said, const char *text)
{
	return said->len ? buf_cstr((struct buf *)said) : text;
}

static int refuse(const struct remote *r, const char *path, const struct net_answer *a,
		  struct why *why)
{
	struct buf said = {0};
	int err = -EBADMSG;

	quote(&said, r, &a->body);
	if (a->status == 401)
		err = why_say(why, -EACCES,
			      r->token ? "%s does not accept the token"
				       : "%s wants a token: KILN_TOKEN or --token-file",
			      r->url);
	else if (a->status == 403)
		err = why_say(
			why, -EACCES, "%s refuses: %s", r->url,
			or_else(&said, "its http.hosts has to have the name by which it is asked"));
	else if (a->status == 404 && said.len)
		err = why_say(why, -ENODATA, "%s: %s", r->url, buf_cstr(&said));
	else if (a->status == 404)
		err = why_say(why, -ENOENT, "%s has no %s: is it a kiln agent?", r->url, path);
	else if (a->status == 429 || a->status == 503)
		err = why_say(why, -EBUSY, "%s cannot answer just now, try again: %s", r->url,
			      or_else(&said, "it has too much to do"));
	else if (a->status == 400)
		err = why_say(why, -EINVAL, "%s: %s", r->url,
			      or_else(&said, "it does not understand the question"));
	else
		why_say(why, err, "%s answers with status %ld: %s", r->url, a->status,
			or_else(&said, "is it a kiln agent?"));
	buf_release(&said);
	return err;
}

static int ask(const struct remote *r, const char *path, const char *url, const char *socket,
	       struct buf *out, struct why *why)
{
	const struct net_request request = {
		.method = "GET",
		.url = url,
		.socket = socket,
		.auth.bearer = r->token,
		.connect_ms = r->connect_ms ?: CONNECT_MS,
		.total_ms = r->total_ms ?: TOTAL_MS,
		.stall_ms = r->stall_ms ?: STALL_MS,
		.max_bytes = r->max_bytes ?: MAX_BYTES,
	};
	struct net_answer answer;
	int err = net_fetch(&request, r->soname, &answer);

	if (err)
		why_say(why, err, "%s: %s", r->url, answer.why);
	else if (answer.status != 200)
		err = refuse(r, path, &answer, why);
	else
		buf_add(out, answer.body.data, answer.body.len);
	net_answer_release(&answer);
	return err ?: out->err;
}

/* libcurl says of any failure that it cannot connect to localhost. */
static int try_socket(const char *path, struct why *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd < 0 || !connect(fd, (const struct sockaddr *)&sa, sizeof(sa)))
		return 0;
	return why_say(why, -errno, "%s: %s%s", path, strerror(errno),
		       errno == EACCES ? ": the agent's group may connect to it" : "");
}

int remote_get(const struct remote *r, const char *path, const struct remote_param *params,
	       size_t n, struct buf *out, struct why *why)
{
	struct buf url = {0};
	const char *socket;
	int err = parse_url(r->url, &url, &socket, why);

	if (!err && socket)
		err = try_socket(socket, why);
	buf_str(&url, path);
	add_params(&url, params, n);
	err = err ?: url.err ?: ask(r, path, buf_cstr(&url), socket, out, why);
	buf_release(&url);
	return err;
}
