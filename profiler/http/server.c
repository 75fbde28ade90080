// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server on top of libmicrohttpd: a thread for each connection, so that handlers may block. A
 * connection that takes too long is shut down by `watch`, whatever it does meanwhile.
 */
#include "profiler/http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/http/guard.h"
#include "profiler/http/watch.h"

#define THREAD_STACK (512u << 10)

struct exchange { /* a request and its answer */
	struct request request;
	struct answer answer;
	handler handle;
	bool has_nul; /* its path */
};

/* --- answers ----------------------------------------------------------------------------------- */

static void add_header(struct MHD_Response *r, const char *key, const char *value)
{
	MHD_add_response_header(r, key, value);
}

static void add_headers(struct MHD_Response *r, const struct answer *a)
{
	char text[320];

	add_header(r, "Content-Type", a->type);
	add_header(r, "Content-Security-Policy",
		   a->csp[0] ? a->csp : "default-src 'none'; frame-ancestors 'none'");
	add_header(r, "X-Content-Type-Options", "nosniff");
	add_header(r, "X-Frame-Options", "DENY");
	add_header(r, "Referrer-Policy", "no-referrer");
	add_header(r, "Cache-Control", "no-store");
	if (a->status ==
	    MHD_HTTP_UNAUTHORIZED) { /* two headers: some clients read one scheme of each */
		add_header(r, "WWW-Authenticate", "Basic realm=\"kiln\"");
		add_header(r, "WWW-Authenticate", "Bearer");
	}
	if (a->allow)
		add_header(r, "Allow", a->allow);
	if (a->name) {
		snprintf(text, sizeof(text), "attachment; filename=\"%s\"", a->name);
		add_header(r, "Content-Disposition", text);
	}
	if (a->retry_after) {
		snprintf(text, sizeof(text), "%u", a->retry_after);
		add_header(r, "Retry-After", text);
	}
}

/* The body becomes the response's. */
static enum MHD_Result send_answer(struct MHD_Connection *c, struct answer *a)
{
	struct MHD_Response *r;
	enum MHD_Result result;
	size_t len;
	char *body;

	if (a->body.err)
		answer_error(a, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	len = a->body.len;
	body = buf_take(&a->body);
	r = body ? MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!r) {
		free(body);
		return MHD_NO;
	}
	add_headers(r, a);
	result = MHD_queue_response(c, (unsigned)a->status, r);
	MHD_destroy_response(r);
	return result;
}

/* --- requests ---------------------------------------------------------------------------------- */

static const char *header(struct MHD_Connection *c, const char *key)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, key);
}

struct counting {
	const char *key;
	unsigned n;
};

static enum MHD_Result count_key(void *ctx, enum MHD_ValueKind kind, const char *key,
				 const char *value)
{
	struct counting *counting = ctx;

	(void)kind;
	(void)value;
	counting->n += !strcasecmp(key, counting->key);
	return MHD_YES;
}

static unsigned count(struct MHD_Connection *c, const char *key)
{
	struct counting counting = {key, 0};

	MHD_get_connection_values(c, MHD_HEADER_KIND, count_key, &counting);
	return counting.n;
}

/* With two of them, one could be for us and the other one for a proxy. */
static bool has_one_host(struct MHD_Connection *c)
{
	return count(c, MHD_HTTP_HEADER_HOST) == 1;
}

/* A proxy that believes the other one takes the end of a body for another request, or the other way round: RFC 9112,
 * 6.3 and 11.2. */
static bool has_two_lengths(struct MHD_Connection *c)
{
	return count(c, MHD_HTTP_HEADER_CONTENT_LENGTH) +
		       count(c, MHD_HTTP_HEADER_TRANSFER_ENCODING) >
	       1;
}

/* What it says about its length; parts of unknown number are counted when they come. */
static bool announces_too_much(struct MHD_Connection *c)
{
	const char *length = header(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t n;

	return length && text_parse_u64(length, HTTP_MAX_BODY, &n);
}

/* A page of another site makes browsers ask: it cannot read the answer, but others wait for it. A link may lead
 * here. */
static bool is_foreign(struct MHD_Connection *c)
{
	const char *site = header(c, "Sec-Fetch-Site"), *dest = header(c, "Sec-Fetch-Dest");

	return site && !strcmp(site, "cross-site") && !(dest && !strcmp(dest, "document"));
}

/* Whether it may ask at all; else the answer is there. */
static bool is_welcome(const struct listener *l, struct MHD_Connection *c, const char *path,
		       struct answer *a)
{
	const struct http_opts *o = &l->server->opts;

	/* Probes know neither names nor tokens, and learn nothing. */
	if (!l->tcp || !strcmp(path, "/-/healthy") || !strcmp(path, "/-/ready"))
		return true;
	if (!has_one_host(c) || !guard_host(header(c, MHD_HTTP_HEADER_HOST), o->hosts)) {
		answer_error(a, MHD_HTTP_MISDIRECTED_REQUEST,
			     "this host is not called so: name it in http.hosts");
		return false;
	}
	if (is_foreign(c)) {
		answer_error(a, MHD_HTTP_FORBIDDEN, "a page of another site may not ask");
		return false;
	}
	if (o->token && !guard_token(header(c, MHD_HTTP_HEADER_AUTHORIZATION), o->token)) {
		answer_error(a, MHD_HTTP_UNAUTHORIZED,
			     "the request needs the header Authorization: Bearer TOKEN, or the "
			     "token as a password, as in http://any:TOKEN@HOST; it is in "
			     "http.token_file");
		return false;
	}
	return true;
}

static enum MHD_Result find_nul(void *ctx, enum MHD_ValueKind kind, const char *key, size_t key_len,
				const char *value, size_t len)
{
	bool *found = ctx;

	(void)kind;
	*found |= strlen(key) != key_len || (value && strlen(value) != len);
	return MHD_YES;
}

/* Behind it, nobody would see the rest of a condition. */
static bool has_nul(struct MHD_Connection *c)
{
	bool found = false;

	MHD_get_connection_values_n(c, MHD_GET_ARGUMENT_KIND, find_nul, &found);
	return found;
}

static void find_handler(struct exchange *x, const char *method, const char *path)
{
	x->handle = http_route(method, path, &x->request.rest, &x->answer.allow);
	if (!x->handle && x->answer.allow)
		answer_error(&x->answer, MHD_HTTP_METHOD_NOT_ALLOWED,
			     "%s is not answered here: try %s", method, x->answer.allow);
	else if (!x->handle)
		answer_error(&x->answer, MHD_HTTP_NOT_FOUND,
			     "there is no such page: /api/v1/openapi.json lists what there is");
}

/* The library gives a path without its length, so it is looked at before its escapes are taken out. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *c)
{
	struct exchange *x = calloc(1, sizeof(*x));

	(void)ctx;
	(void)c;
	if (x)
		x->has_nul = memmem(target, strcspn(target, "?"), "%00", strlen("%00"));
	return x;
}

static void begin(const struct listener *l, struct exchange *x, struct MHD_Connection *c,
		  const char *method, const char *path)
{
	x->answer.status = MHD_HTTP_OK;
	x->answer.type = TYPE_JSON;
	x->request.connection = c;
	x->request.path = path;
	x->request.method = method;
	x->request.content_type = header(c, MHD_HTTP_HEADER_CONTENT_TYPE);
	metrics_add(l->server->opts.metrics, METRIC_http_requests, 1);
	if (!is_welcome(l, c, path, &x->answer))
		return;
	if (x->has_nul || has_nul(c))
		answer_error(&x->answer, MHD_HTTP_BAD_REQUEST, "%s contains a NUL",
			     x->has_nul ? "the path" : "a parameter");
	else
		find_handler(x, method, path);
}

static void take_body(struct exchange *x, const char *data, size_t len)
{
	if (x->request.body.len + len > HTTP_MAX_BODY)
		x->request.too_large = true;
	else if (x->handle)
		buf_add(&x->request.body, data, len);
}

static void run_handler(const struct listener *l, struct exchange *x)
{
	const char *known = http_route_params(x->request.path);

	if (x->request.too_large)
		answer_error(&x->answer, MHD_HTTP_CONTENT_TOO_LARGE,
			     "a request may have %u bytes at most", HTTP_MAX_BODY);
	else if (x->request.body.err)
		answer_error(&x->answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	else if (x->handle && (!known || request_has_only(&x->request, known, &x->answer)))
		x->handle(l->server, &x->request, &x->answer);
	if (x->answer.status >= 400 && x->answer.status < 500)
		metrics_add(l->server->opts.metrics, METRIC_http_refused, 1);
}

/* Before its body is read: then the library closes the connection. */
static enum MHD_Result refuse_lengths(const struct listener *l, struct MHD_Connection *c,
				      struct exchange *x)
{
	answer_error(&x->answer, MHD_HTTP_BAD_REQUEST, "the request has more than one length");
	metrics_add(l->server->opts.metrics, METRIC_http_refused, 1);
	return send_answer(c, &x->answer);
}

/* Called after on_target(): for the headers, for each part of the body, and at its end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **state)
{
	const struct listener *l = ctx;
	struct exchange *x = *state;

	(void)version;
	if (!x)
		return MHD_NO; /* out of memory */
	if (!x->request.connection) {
		begin(l, x, c, method, path);
		if (has_two_lengths(c))
			return refuse_lengths(l, c, x);
		if (!announces_too_much(c))
			return MHD_YES;
		/* Nobody waits for what will not be taken. */
		x->request.too_large = true;
		run_handler(l, x);
		return send_answer(c, &x->answer);
	}
	if (*len) {
		take_body(x, data, *len);
		*len = 0;
		return MHD_YES;
	}
	watch_extend(l->server->watch, c, 0);
	run_handler(l, x);
	watch_answer(l->server->watch, c, x->answer.body.len, HTTP_ANSWER_S);
	return send_answer(c, &x->answer);
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode why)
{
	const struct listener *l = ctx;
	struct exchange *x = *state;

	(void)why;
	if (x) {
		buf_release(&x->request.body);
		buf_release(&x->answer.body);
		free(x);
	}
	*state = NULL;
	watch_extend(l->server->watch, c, HTTP_REQUEST_S);
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	const struct listener *l = ctx;

	(void)state;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		watch_add(l->server->watch, c, l, HTTP_REQUEST_S);
	else
		watch_remove(l->server->watch, c);
}

/* --- daemons ----------------------------------------------------------------------------------- */

static void quiet(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	(void)fmt;
	(void)ap;
}

static struct MHD_Daemon *start(struct listener *l, int fd)
{
	const struct http_opts *o = &l->server->opts;
	bool tls = l->tcp && o->cert && o->key;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
			 MHD_USE_POLL | (tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem secure[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)o->cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)o->key},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, l, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, l, MHD_OPTION_CONNECTION_LIMIT, (unsigned)WATCH_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEADERS_BYTES,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_ARRAY, tls ? secure : none, MHD_OPTION_END);
}

static int start_all(struct server *s)
{
	s->tcp = (struct listener){.server = s, .tcp = true};
	s->local = (struct listener){.server = s};
	if (s->opts.cert && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
		log_error("this kiln was built without TLS: let a proxy do it, and set "
			  "http.tls.proxy "
			  "instead of http.tls.cert");
		return -EOPNOTSUPP;
	}
	if (s->opts.tcp_fd >= 0)
		s->tcp.daemon = start(&s->tcp, s->opts.tcp_fd);
	if (s->opts.unix_fd >= 0)
		s->local.daemon = start(&s->local, s->opts.unix_fd);
	if ((s->opts.tcp_fd < 0 || s->tcp.daemon) && (s->opts.unix_fd < 0 || s->local.daemon))
		return 0;
	log_error("the HTTP server does not start%s",
		  s->opts.cert ? ": are http.tls.cert and http.tls.key a pair in PEM?" : "");
	return -EINVAL;
}

static void server_init(struct server *s, const struct http_opts *opts)
{
	pthread_condattr_t attr;

	s->opts = *opts;
	s->opts.query_ns = opts->query_ns ?: HTTP_QUERY_S * NS_PER_S;
	s->live_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->turn, &attr);
	pthread_condattr_destroy(&attr);
}

int http_start(struct server **out, const struct http_opts *opts)
{
	struct server *s = calloc(1, sizeof(*s));
	sigset_t all, old;
	int err;

	if (!s)
		return -ENOMEM;
	server_init(s, opts);
	s->watch = watch_new(opts->metrics);
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = s->watch ? start_all(s) : -ENOMEM;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		http_stop(s);
	else
		*out = s;
	return err;
}

void http_set_live(struct server *s, int fd)
{
	pthread_mutex_lock(&s->lock);
	if (s->live_fd >= 0 && !s->live)
		close(s->live_fd);
	s->live_fd = fd;
	pthread_mutex_unlock(&s->lock);
}

bool http_look(struct server *s)
{
	watch_look(s->watch);
	return !server_is_stuck(s, monotonic_ns());
}

void http_stop(struct server *s)
{
	if (!s)
		return;
	if (s->watch)
		watch_end_all(s->watch);
	if (s->tcp.daemon)
		MHD_stop_daemon(s->tcp.daemon);
	if (s->local.daemon)
		MHD_stop_daemon(s->local.daemon);
	watch_free(s->watch);
	if (s->live_fd >= 0)
		close(s->live_fd);
	free(s);
}
