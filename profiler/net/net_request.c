// SPDX-License-Identifier: GPL-2.0-or-later
/* From a request to libcurl's options. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/base/version.h"
#include "profiler/net/net_answer.h"
#include "profiler/net/net_lines.h"
#include "profiler/net/net_priv.h"
#include "profiler/net/net_sigv4.h"
#include "profiler/net/net_sockets.h"

#define CONNECT_MS 10000
#define TOTAL_MS   60000
#define STALL_MS   30000
/* So much comes on the wire, and not even so much of an answer. */
#define STUCK_WIRE     (2u << 20)
#define STUCK_PROGRESS (16u << 10)
/* Of an answer, and of the kernel's queue for it. */
#define SMALL_ANSWER (1u << 20)
#define SMALL_QUEUE  (16 << 10)

__attribute__((format(printf, 3, 4))) static int refuse(struct net_transfer *t, int err,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->answer.why, sizeof(t->answer.why), fmt, ap);
	va_end(ap);
	t->answer.is_bad_request = err != -ENOMEM;
	return t->answer.err = err;
}

/* --- is it a request ------------------------------------------------------------------------------ */

static bool is_printable(const char *s)
{
	for (; s && *s; s++)
		if (*s != '\t' && ((unsigned char)*s < ' ' || *s == 0x7f))
			return false;
	return true;
}

/* What follows the scheme, up to the path. */
static size_t authority_len(const char *s)
{
	return strcspn(s, "/?#");
}

static int check_url(struct net_transfer *t)
{
	const char *url = t->request.url, *host;

	if (!url || (!text_has_prefix(url, "http://") && !text_has_prefix(url, "https://")))
		return refuse(t, -EINVAL, "not a URL of http:// or https://");
	for (const char *s = url; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return refuse(t, -EINVAL, "a URL with characters that have to be escaped");
	host = strstr(url, "://") + 3;
	if (!authority_len(host) || *host == ':')
		return refuse(t, -EINVAL, "a URL without a host");
	if (memchr(host, '@', authority_len(host)))
		return refuse(t, -EINVAL, "a URL with a password in it");
	return 0;
}

static int check_proxy(struct net_transfer *t)
{
	const char *proxy = t->request.proxy;

	if (!proxy)
		return 0;
	if (!text_has_prefix(proxy, "http://") || !is_printable(proxy) ||
	    !authority_len(proxy + strlen("http://")))
		return refuse(t, -EINVAL, "the proxy is no http://HOST:PORT");
	if (strchr(proxy, '@'))
		return refuse(t, -EINVAL, "a proxy with a password in it");
	return 0;
}

static int check_texts(struct net_transfer *t)
{
	const struct net_request *r = &t->request;
	const struct net_auth *a = &r->auth;
	const char *const secrets[] = {a->bearer,	    a->user,	a->password,
				       a->aws_region,	    a->aws_key, a->aws_secret,
				       a->aws_session_token};

	if (!r->method || (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0 &&
			   strcmp(r->method, "PUT") != 0))
		return refuse(t, -EINVAL, "the method is none of GET, POST and PUT");
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		if (!is_printable(secrets[i]))
			return refuse(t, -EINVAL, "a secret with control characters");
	for (size_t i = 0; r->headers && r->headers[i]; i++)
		if (!is_printable(r->headers[i]) || strcspn(r->headers[i], ": ") == 0 ||
		    r->headers[i][strcspn(r->headers[i], ": ")] != ':')
			return refuse(t, -EINVAL, "a header that is no \"Name: value\"");
	if (a->aws_secret && (!a->aws_key || !a->aws_region))
		return refuse(t, -EINVAL, "a signed request wants a key, its secret and a region");
	return 0;
}

static int check_files(struct net_transfer *t)
{
	const struct net_tls *tls = &t->request.tls;
	const char *const paths[] = {tls->ca_file, tls->cert_file, tls->key_file};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (paths[i] && access(paths[i], R_OK))
			return refuse(t, -EACCES, "%s: %s", paths[i], strerror(errno));
	return 0;
}

static int check(struct net_transfer *t)
{
	int err = check_url(t);

	err = err ?: check_proxy(t);
	err = err ?: check_texts(t);
	err = err ?: check_files(t);
	if (!err && t->request.version == NET_HTTP2 && !t->lib->has_http2)
		err = refuse(t, -ENOSYS,
			     "that needs HTTP/2, which libcurl %s here was built without",
			     t->lib->version);
	return err;
}

/* --- headers -------------------------------------------------------------------------------------- */

/* Host as the URL has it, without the scheme's own port. */
static int add_host(struct net_lines *l, const char *url)
{
	const char *host = strstr(url, "://") + 3;
	const char *port = text_has_prefix(url, "https:") ? ":443" : ":80";
	size_t len = authority_len(host), n = strlen(port);

	if (len > n && !memcmp(host + len - n, port, n))
		len -= n;
	return net_lines_add(l, "Host: %.*s", (int)len, host);
}

static int sign(struct net_lines *l, const struct net_request *r)
{
	const char *host = strstr(r->url, "://") + 3;
	const struct net_sigv4 s = {
		.method = r->method,
		.path = host + authority_len(host),
		.body = r->body,
		.len = r->len,
		.time_s = unix_ns() / (int64_t)NS_PER_S,
		.auth = &r->auth,
	};

	return add_host(l, r->url) ?: net_sigv4_sign(l, &s);
}

/* A header without a value is "Name;" for libcurl, and "Name:" takes one of its own away. */
static int add_header(struct net_lines *l, const char *header)
{
	size_t name = strcspn(header, ":");

	if (!header[name + 1 + strspn(header + name + 1, " \t")])
		return net_lines_add(l, "%.*s;", (int)name, header);
	return net_lines_add(l, "%s", header);
}

static int add_lines(struct net_lines *l, const struct net_request *r)
{
	int err = 0;

	for (size_t i = 0; !err && r->headers && r->headers[i]; i++)
		err = add_header(l, r->headers[i]);
	if (!err && r->auth.aws_secret)
		err = sign(l, r);
	else if (!err && r->auth.bearer)
		err = net_lines_add(l, "Authorization: Bearer %s", r->auth.bearer);
	/* Those that libcurl would add. */
	err = err ?: net_lines_add(l, "Expect:");
	if (!err && !net_lines_find(l, "Content-Type"))
		err = net_lines_add(l, "Content-Type:");
	return err;
}

static int set_headers(struct net_transfer *t)
{
	struct net_lines lines = {0};
	int err = add_lines(&lines, &t->request);

	for (size_t i = 0; !err && i < lines.v.len; i++) {
		void *list = t->lib->slist_append(t->headers, lines.v.data[i]);

		if (list)
			t->headers = list;
		else
			err = -ENOMEM;
	}
	net_lines_release(&lines);
	return err ? refuse(t, -ENOMEM, "out of memory") : 0;
}

/* --- what comes ----------------------------------------------------------------------------------- */

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct net_transfer *t = ctx;
	size_t len = size * n;

	if (len > t->max_bytes - t->answer.body.len) {
		t->too_large = true;
		return 0;
	}
	buf_add(&t->answer.body, data, len);
	return t->answer.body.err ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct net_transfer *t = ctx;
	size_t len = size * n;

	t->header_bytes += len;
	if (t->header_bytes > NET_MAX_HEADER_BYTES)
		return 0;
	net_answer_header(&t->answer, data, len, unix_ns() / (int64_t)NS_PER_S);
	return len;
}

/* What has come of it, and not what was read for that: frames and chunks may be empty. */
static uint64_t progress_of(const struct net_transfer *t)
{
	return t->answer.body.len + t->header_bytes + t->answer.sent;
}

/* A connection that another transfer has opened: libcurl tells its port. */
static void find_socket(struct net_transfer *t)
{
	long port = 0;

	if (t->lib->easy_getinfo(t->easy, INFO_LOCAL_PORT, &port) || port <= 0)
		return;
	t->socket = net_sockets_find(t->sockets, port);
	if (t->socket)
		t->seen_wire = UINT64_MAX; /* what others received there is not its own */
}

/* Of its own connection libcurl's sums do not have frames without data. */
static uint64_t wire_bytes(struct net_transfer *t)
{
	uint64_t bytes;

	if (!t->socket)
		find_socket(t);
	return net_sockets_received(t->sockets, t->socket, &bytes) ? bytes : t->answer.received;
}

/* A server that sends and sends, and nothing comes of it, would have the thread until the time is over. Not 0: it
 * ends. */
static int on_progress(void *ctx, int64_t down_all, int64_t down, int64_t up_all, int64_t up)
{
	struct net_transfer *t = ctx;
	uint64_t wire = wire_bytes(t);

	net_sockets_sign(t->sockets);
	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	/* Another connection begins at 0. */
	if (wire < t->seen_wire || progress_of(t) - t->seen_progress >= STUCK_PROGRESS) {
		t->seen_wire = wire;
		t->seen_progress = progress_of(t);
	}
	t->is_stuck = wire - t->seen_wire >= STUCK_WIRE;
	return t->is_stuck;
}

/* libcurl reads until a socket is empty, and empty frames of HTTP/2 it reads without looking at the time: a short
 * queue is soon empty, unless they come faster than it reads. */
static int on_socket(void *ctx, int fd, int purpose)
{
	struct net_transfer *t = ctx;
	int bytes = SMALL_QUEUE;

	(void)purpose;
	t->socket = net_sockets_add(t->sockets, fd);
	/* It works without. */
	if (t->max_bytes <= SMALL_ANSWER)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return 0;
}

static int on_close(void *sockets, int fd)
{
	net_sockets_close(sockets, fd);
	return 0;
}

/* CURL_READFUNC_ABORT, CURL_SEEKFUNC_OK and _FAIL */
#define READ_ABORT 0x10000000
#define SEEK_OK	   0
#define SEEK_FAIL  1

static size_t on_read(char *out, size_t size, size_t n, void *ctx)
{
	struct net_transfer *t = ctx;
	uint64_t left = t->request.len - t->read_at;
	size_t max = size * n < left ? size * n : (size_t)left;
	ssize_t got;

	if (!max)
		return 0;
	got = t->request.read(t->request.read_ctx, t->read_at, out, max);
	if (got <= 0 || (size_t)got > max)
		return READ_ABORT;
	t->read_at += (size_t)got;
	return (size_t)got;
}

/* A connection that was kept may have ended meanwhile: then libcurl begins again on another one. */
static int on_seek(void *ctx, int64_t off, int origin)
{
	struct net_transfer *t = ctx;

	if (origin != SEEK_SET || off < 0 || (uint64_t)off > t->request.len)
		return SEEK_FAIL;
	t->read_at = (uint64_t)off;
	return SEEK_OK;
}

/* Of libcurl's sums of bytes some count headers, and some do not. */
static int on_trace(void *easy, int type, char *data, size_t len, void *ctx)
{
	struct net_transfer *t = ctx;

	(void)easy;
	(void)data;
	if (type == TRACE_HEADER_OUT || type == TRACE_DATA_OUT)
		t->answer.sent += len;
	else if (type == TRACE_HEADER_IN || type == TRACE_DATA_IN)
		t->answer.received += len;
	return 0;
}

/* --- options -------------------------------------------------------------------------------------- */

#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (!rc)                                                                           \
			rc = t->lib->easy_setopt(t->easy, OPT_##option, (value));                  \
	} while (0)

static int set_common(struct net_transfer *t)
{
	int rc = 0;

	SET(URL, t->request.url);
	SET(NOSIGNAL, 1l);
	SET(PROTOCOLS, (long)(PROTOCOL_HTTP | PROTOCOL_HTTPS));
	SET(REDIR_PROTOCOLS, (long)(PROTOCOL_HTTP | PROTOCOL_HTTPS));
	SET(FOLLOWLOCATION, 0l);
	SET(NETRC, 0l);
	SET(PATH_AS_IS, 1l);
	SET(SUPPRESS_CONNECT_HEADERS, 1l);
	SET(USERAGENT, "kiln/" KILN_VERSION);
	SET(PRIVATE, t);
	SET(ERRORBUFFER, t->error);
	SET(WRITEFUNCTION, on_data);
	SET(WRITEDATA, t);
	SET(HEADERFUNCTION, on_header);
	SET(HEADERDATA, t);
	SET(DEBUGFUNCTION, on_trace);
	SET(DEBUGDATA, t);
	SET(VERBOSE, 1l);
	SET(XFERINFOFUNCTION, on_progress);
	SET(SOCKOPTFUNCTION, on_socket);
	SET(SOCKOPTDATA, t);
	SET(CLOSESOCKETFUNCTION, on_close);
	SET(CLOSESOCKETDATA, t->sockets);
	SET(XFERINFODATA, t);
	SET(NOPROGRESS, 0l);
	if (t->lib->has_libz)
		SET(ACCEPT_ENCODING, "gzip");
	/* Nobody waits for a server of names that is silent; older libraries cannot do otherwise. */
	(void)t->lib->easy_setopt(t->easy, OPT_QUICK_EXIT, 1l);
	return rc;
}

static int set_limits(struct net_transfer *t)
{
	const struct net_request *r = &t->request;
	uint64_t stall_s = (r->stall_ms ?: STALL_MS) / 1000;
	int rc = 0;

	SET(CONNECTTIMEOUT_MS, (long)(r->connect_ms ?: CONNECT_MS));
	SET(TIMEOUT_MS, (long)(r->total_ms ?: TOTAL_MS));
	SET(LOW_SPEED_LIMIT, 1l);
	SET(LOW_SPEED_TIME, (long)(stall_s ?: 1));
	return rc;
}

static int set_way(struct net_transfer *t)
{
	const struct net_request *r = &t->request;
	bool tls = text_has_prefix(r->url, "https:");
	int rc = 0;

	/* Empty texts, so that no variable of the environment counts. */
	SET(PROXY, r->proxy ? r->proxy : "");
	SET(NOPROXY, "");
	if (r->socket)
		SET(UNIX_SOCKET_PATH, r->socket);
	if (r->version == NET_HTTP1)
		SET(HTTP_VERSION, (long)HTTP_1_1);
	else
		SET(HTTP_VERSION, (long)(tls ? HTTP_2_TLS : HTTP_2_PRIOR_KNOWLEDGE));
	if (r->is_once)
		SET(FRESH_CONNECT, 1l);
	/* libcurl 7.88 fails every further request on such a connection: "Error in the HTTP2 framing layer". */
	if (r->version == NET_HTTP2 && !tls)
		SET(FORBID_REUSE, 1l);
	if (r->proxy && r->version == NET_HTTP2)
		SET(HTTPPROXYTUNNEL, 1l);
	if (!tls)
		return rc;
	SET(SSLVERSION, (long)TLS_1_2);
	if (r->tls.ca_file) {
		SET(CAINFO, r->tls.ca_file);
		SET(CAPATH, (char *)NULL);
	}
	if (r->tls.cert_file)
		SET(SSLCERT, r->tls.cert_file);
	if (r->tls.key_file)
		SET(SSLKEY, r->tls.key_file);
	return rc;
}

static int set_content(struct net_transfer *t)
{
	const struct net_request *r = &t->request;
	int rc = 0;

	SET(HTTPHEADER, t->headers);
	if (r->auth.user && !r->auth.aws_secret) {
		SET(USERNAME, r->auth.user);
		SET(PASSWORD, r->auth.password ? r->auth.password : "");
	}
	if (!strcmp(r->method, "GET")) {
		SET(HTTPGET, 1l);
		return rc;
	}
	SET(POSTFIELDSIZE_LARGE, (int64_t)r->len);
	if (r->read) {
		SET(POST, 1l);
		SET(READFUNCTION, on_read);
		SET(READDATA, t);
		SET(SEEKFUNCTION, on_seek);
		SET(SEEKDATA, t);
	} else {
		/* NULL would make libcurl ask for the body by a function. */
		SET(POSTFIELDS, r->len ? r->body : "");
	}
	if (r->send_bytes_per_s)
		SET(MAX_SEND_SPEED_LARGE, (int64_t)r->send_bytes_per_s);
	SET(CUSTOMREQUEST, r->method);
	return rc;
}

int net_request_prepare(struct net_transfer *t)
{
	int rc;

	t->max_bytes = t->request.max_bytes ?: 1u << 20;
	if (check(t))
		return t->answer.err;
	t->easy = t->lib->easy_init();
	if (!t->easy || set_headers(t))
		return refuse(t, -ENOMEM, "out of memory");
	rc = set_common(t);
	rc = rc ?: set_limits(t);
	rc = rc ?: set_way(t);
	rc = rc ?: set_content(t);
	if (rc == E_OUT_OF_MEMORY)
		return refuse(t, -ENOMEM, "out of memory");
	if (rc)
		return refuse(t, -ENOSYS, "libcurl %s here cannot do that: %s", t->lib->version,
			      t->lib->easy_strerror(rc));
	return 0;
}
