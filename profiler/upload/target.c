// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/target.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/base64.h"
#include "profiler/base/text.h"
#include "profiler/upload/secrets.h"
#include "profiler/upload/url.h"

#define MAX_HEADERS 64
#define MAX_NAME    64
#define MAX_SHARDS  64

static int no_memory(struct why *why)
{
	return why_say(why, -ENOMEM, "out of memory");
}

static int copy(char **out, const char *text, struct why *why)
{
	return !text || (*out = strdup(text)) ? 0 : no_memory(why);
}

__attribute__((format(printf, 3, 4))) static int print(char **out, struct why *why, const char *fmt,
						       ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	return (*out = buf_take(&b)) ? 0 : no_memory(why);
}

/* --- what goes together ----------------------------------------------------------------------------- */

static int check_pairs(const struct upload_target_opts *o, const struct upload_url *u,
		       struct why *why)
{
	if (u->user && o->username)
		return why_say(why, -EINVAL,
			       "username, and a user in the URL: only one can be used");
	if (u->user && o->token_file)
		return why_say(why, -EINVAL,
			       "token_file, and a user in the URL: only one can be used");
	if (u->user)
		return 0;
	if (!o->username != !o->password_file)
		return why_say(why, -EINVAL, "username and password_file go together");
	if (o->token_file && o->username)
		return why_say(why, -EINVAL, "a token_file and a username: only one can be used");
	if (!o->cert_file != !o->key_file)
		return why_say(why, -EINVAL, "cert_file and key_file go together");
	return 0;
}

static int check_text(const char *option, const char *text, struct why *why)
{
	if (text && (!*text || !text_is_clean(text, strlen(text))))
		return why_say(why, -EINVAL, "%s: empty, or control characters", option);
	return 0;
}

static int check_texts(const struct upload_target_opts *o, struct why *why)
{
	int err = check_text("username", o->username, why);

	err = err ?: check_text("tenant", o->tenant, why);
	err = err ?: check_text("proxy", o->proxy, why);
	if (!err && o->username && strchr(o->username, ':'))
		err = why_say(why, -EINVAL, "username: a name with a colon cannot be sent");
	return err;
}

static int check_proxy(const char *proxy, struct why *why)
{
	const char *host = proxy ? proxy + strlen("http://") : NULL;

	if (!proxy)
		return 0;
	if (strchr(proxy, '@'))
		return why_say(why, -EINVAL, "proxy: a password in it cannot be used");
	if (!text_has_prefix(proxy, "http://") || !*host || strchr("/:?#", *host) ||
	    host[strcspn(host, "/?# ")])
		return why_say(why, -EINVAL, "proxy: \"%.80s\" is no http://HOST:PORT", proxy);
	return 0;
}

static int set_pem(struct upload_target *t, const struct upload_target_opts *o, bool has_tls,
		   struct why *why)
{
	const struct {
		const char *option, *path;
		char **out;
		int *fd;
	} files[] = {{"ca_file", o->ca_file, &t->ca_file, &t->ca_fd},
		     {"cert_file", o->cert_file, &t->cert_file, &t->cert_fd},
		     {"key_file", o->key_file, &t->key_file, &t->key_fd}};
	int err = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && !err; i++) {
		if (!files[i].path)
			continue;
		if (!has_tls)
			return why_say(why, -EINVAL, "%s: the scheme of the URL is one without TLS",
				       files[i].option);
		err = pem_hold(files[i].out, files[i].fd, files[i].option, files[i].path,
			       files[i].out == &t->key_file, why);
	}
	return err;
}

/* --- the URL ---------------------------------------------------------------------------------------- */

/* "http://HOST:PORT" */
static int print_base(char **out, const struct upload_url *u, struct why *why)
{
	bool has_tls = !strcmp(u->scheme->net, "https");
	uint16_t port = u->port ?: has_tls ? 0 : u->scheme->kind->default_port;

	if (port)
		return print(out, why, "%s://%.*s:%u", u->scheme->net, (int)u->host_len, u->host,
			     port);
	return print(out, why, "%s://%.*s", u->scheme->net, (int)u->host_len, u->host);
}

static int add_shard(struct upload_target *t, const struct upload_url *u, struct why *why)
{
	char *base = NULL;
	int err = print_base(&base, u, why);

	if (err)
		return err;
	if (!vec_push(&t->shards, base))
		return 0;
	free(base);
	return no_memory(why);
}

static int set_shards(struct upload_target *t, const struct upload_url *u, struct why *why)
{
	struct upload_url next = *u;
	int err = add_shard(t, u, why);

	while (!err && upload_url_more(&next))
		err = add_shard(t, &next, why);
	if (!err && t->shards.len > MAX_SHARDS)
		err = why_say(why, -EINVAL, "a URL with more than %d hosts", MAX_SHARDS);
	return err;
}

/* As people may see it: a query may hold a key. */
static int set_shown(struct upload_target *t, const struct upload_url *u, struct why *why)
{
	struct buf b = {0};
	size_t scheme = strlen(u->scheme->net) + strlen("://");

	buf_printf(&b, "%s://", u->scheme->name);
	if (u->user)
		buf_printf(&b, "%.*s@", (int)u->user_len, u->user);
	buf_str(&b, t->base + scheme);
	for (size_t i = 1; i < t->shards.len; i++)
		buf_printf(&b, ",%s", t->shards.data[i] + scheme);
	buf_printf(&b, "%s%s", t->path, u->query_len ? "?..." : "");
	return (t->shown = buf_take(&b)) ? 0 : no_memory(why);
}

static int set_url(struct upload_target *t, const struct upload_url *u, struct why *why)
{
	size_t path = u->path_len;
	int err;

	/* A slash alone is no path; in front of a query or a template it may be one. */
	if (path == 1 && !u->query_len)
		path = 0;
	err = print_base(&t->base, u, why);
	err = err ?: print(&t->path, why, "%.*s", (int)path, u->path);
	err = err ?: print(&t->query, why, "%.*s", (int)u->query_len, u->query);
	if (!err && t->kind->takes_shards)
		err = set_shards(t, u, why);
	err = err ?: set_shown(t, u, why);
	if (!err && u->user)
		err = print(&t->username, why, "%.*s", (int)u->user_len, u->user);
	return err;
}

/* --- secrets ---------------------------------------------------------------------------------------- */

/* RFC 6750: a token is of visible ASCII. */
static int set_bearer(struct upload_target *t, const char *path, struct why *why)
{
	int err = path ? secret_read(&t->bearer, "token_file", path, why) : 0;

	for (const char *s = err || !path ? "" : t->bearer; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return why_say(why, -EINVAL,
				       "token_file: %s: a token has no blanks and only ASCII",
				       path);
	return err;
}

static int set_keys(struct upload_target *t, const struct upload_target_opts *o, struct why *why)
{
	struct aws_keys k = {0};
	int err;

	if (o->token_file)
		return why_say(
			why, -EINVAL,
			"token_file: requests are signed: use username and password_file for "
			"the access key and its secret");
	err = aws_keys_find(&k, o->env, why);
	if (err)
		return err;
	t->aws_region = k.region;
	k.region = NULL;
	if (!o->username) {
		t->aws_key = k.key;
		t->aws_secret = k.secret;
		t->aws_session_token = k.session_token;
		k = (struct aws_keys){0};
	}
	aws_keys_release(&k);
	if (o->username)
		err = copy(&t->aws_key, o->username, why)
			      ?: secret_read(&t->aws_secret, "password_file", o->password_file,
					     why);
	if (!err && !t->aws_key)
		err = why_say(why, -EINVAL,
			      "an access key is missing: username and password_file, "
			      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
			      "AWS_SHARED_CREDENTIALS_FILE");
	if (!err && !t->aws_region)
		err = copy(&t->aws_region, "us-east-1", why);
	return err;
}

static int set_basic(struct upload_target *t, struct why *why)
{
	struct buf pair = {0}, text = {0};
	int err;

	if (!t->username || !t->password)
		return 0;
	buf_printf(&pair, "%s:%s", t->username, t->password);
	if (!pair.err)
		base64_encode(&text, pair.data, pair.len);
	t->basic = buf_take(&text);
	err = pair.err || !t->basic ? no_memory(why) : 0;
	buf_release(&pair);
	return err;
}

static int set_secrets(struct upload_target *t, const struct upload_target_opts *o, struct why *why)
{
	int err;

	if (t->kind->is_signed)
		return set_keys(t, o, why);
	err = set_bearer(t, o->token_file, why);
	if (!err && o->username)
		err = copy(&t->username, o->username, why);
	if (!err && o->password_file)
		err = secret_read(&t->password, "password_file", o->password_file, why);
	return err ?: set_basic(t, why);
}

/* --- headers ---------------------------------------------------------------------------------------- */

/* Those that frame the request are not for others to set. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = {"Host",	  "Content-Length", "Transfer-Encoding",
					    "Connection", "Expect",	    "TE",
					    "Upgrade",	  "Trailer"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

/* RFC 9110, 5.1 and 5.5. */
static int check_header(const struct upload_target *t, const struct upload_header *h,
			struct why *why)
{
	size_t len = strlen(h->name);
	bool good = len && len <= MAX_NAME;

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)h->name[i]) || strchr("!#$%&'*+-.^_`|~", h->name[i]);
	if (!good)
		return why_say(why, -EINVAL, "headers: \"%.80s\" is no name of a header", h->name);
	if (is_reserved(h->name))
		return why_say(why, -EINVAL, "headers: kiln sets %s itself", h->name);
	if (!strcasecmp(h->name, "Authorization") && (t->bearer || t->username || t->aws_key))
		return why_say(why, -EINVAL,
			       "headers: Authorization, and token_file or username: only one can "
			       "be used");
	if (!text_is_clean(h->value, strlen(h->value)))
		return why_say(why, -EINVAL, "headers: the value of %s has control characters",
			       h->name);
	return 0;
}

static int set_headers(struct upload_target *t, const struct upload_target_opts *o, struct why *why)
{
	size_t n = 0;
	int err = 0;

	if (o->n_headers > MAX_HEADERS)
		return why_say(why, -EINVAL, "headers: more than %d", MAX_HEADERS);
	t->headers = calloc(o->n_headers + 2, sizeof(*t->headers));
	if (!t->headers)
		return no_memory(why);
	for (size_t i = 0; i < o->n_headers && !err; i++) {
		err = check_header(t, &o->headers[i], why);
		err = err
			      ?: print(&t->headers[n++], why, "%s: %s", o->headers[i].name,
				       o->headers[i].value);
	}
	err = err ?: copy(&t->tenant, o->tenant, why);
	if (!err && o->tenant)
		err = print(&t->headers[n], why, "X-Scope-OrgID: %s", o->tenant);
	return err;
}

/* --- labels ------------------------------------------------------------------------------------------ */

static int set_labels(struct upload_target *t, const struct upload_target_opts *o, struct why *why)
{
	int err = 0;

	if (!o->n_labels)
		return 0;
	t->labels = calloc(o->n_labels + 1, sizeof(*t->labels));
	if (!t->labels)
		return no_memory(why);
	for (size_t i = 0; i < o->n_labels && !err; i++)
		err = copy(&t->labels[i], o->labels[i], why);
	return err;
}

/* --- all -------------------------------------------------------------------------------------------- */

static int set_rest(struct upload_target *t, const struct upload_target_opts *o, struct why *why)
{
	int err = copy(&t->name, o->name ? o->name : t->shown, why);

	err = err ?: copy(&t->proxy, o->proxy, why);
	t->without_names = o->without_names;
	return err;
}

int upload_url_check(const char *url, struct why *why)
{
	struct upload_url u;

	return upload_url_parse(&u, url, why);
}

int upload_target_new(struct upload_target **out, const struct upload_target_opts *o,
		      struct why *why)
{
	struct upload_target *t = calloc(1, sizeof(*t));
	struct upload_url u = {0};
	int err = t ? upload_url_parse(&u, o->url, why) : no_memory(why);

	if (t)
		t->ca_fd = t->cert_fd = t->key_fd = -1;
	if (!err)
		t->kind = u.scheme->kind;
	err = err ?: check_pairs(o, &u, why);
	err = err ?: check_texts(o, why);
	err = err ?: check_proxy(o->proxy, why);
	err = err ?: set_pem(t, o, !strcmp(u.scheme->net, "https"), why);
	err = err ?: set_url(t, &u, why);
	err = err ?: set_rest(t, o, why);
	/* The URL first: what is wrong with it is wrong with any secret. */
	if (!err && t->kind->check)
		err = t->kind->check(t, why);
	err = err ?: set_secrets(t, o, why);
	err = err ?: set_headers(t, o, why);
	err = err ?: set_labels(t, o, why);
	if (!err && t->kind->open && t->kind->open(t))
		err = no_memory(why);
	if (err)
		upload_target_free(t);
	else
		*out = t;
	return err;
}

void upload_target_free(struct upload_target *t)
{
	if (!t)
		return;
	char *const secrets[] = {t->bearer, t->password, t->basic, t->aws_secret,
				 t->aws_session_token};
	char *const texts[] = {t->name,	    t->base,	t->path,      t->query,	  t->shown,
			       t->username, t->tenant,	t->proxy,     t->ca_file, t->cert_file,
			       t->key_file, t->aws_key, t->aws_region};

	if (t->kind && t->kind->close)
		t->kind->close(t);
	for (size_t i = 0; i < t->shards.len; i++)
		free(t->shards.data[i]);
	vec_release(&t->shards);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		if (secrets[i])
			explicit_bzero(secrets[i], strlen(secrets[i]));
		free(secrets[i]);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
	for (char **h = t->headers; h && *h; h++)
		free(*h);
	for (char **l = t->labels; l && *l; l++)
		free(*l);
	free(t->labels);
	cleanup_close_fd(&t->ca_fd);
	cleanup_close_fd(&t->cert_fd);
	cleanup_close_fd(&t->key_fd);
	free(t->headers);
	free(t);
}

/* --- requests --------------------------------------------------------------------------------------- */

/* Whether the configuration has a header of the name that this one has. */
static bool is_overridden(const struct upload_target *t, const char *header)
{
	size_t len = strcspn(header, ":") + 1;

	for (char **h = t->headers; *h; h++)
		if (!strncasecmp(*h, header, len))
			return true;
	return false;
}

static const char **collect_headers(const struct upload_target *t, const struct upload_request *r)
{
	size_t n = r->headers.len + 1;
	const char **list;

	for (char **h = t->headers; *h; h++)
		n++;
	list = calloc(n, sizeof(*list));
	n = 0;
	for (size_t i = 0; list && i < r->headers.len; i++)
		if (!is_overridden(t, r->headers.data[i]))
			list[n++] = r->headers.data[i];
	for (char **h = t->headers; list && *h; h++)
		list[n++] = *h;
	return list;
}

int upload_target_request(const struct upload_target *t, const struct upload_request *r,
			  struct net_request *out, const char ***headers)
{
	const char **list = collect_headers(t, r);

	if (!list)
		return -ENOMEM;
	*out = (struct net_request){
		.method = r->method,
		.url = r->url,
		.proxy = t->proxy,
		.headers = list,
		.body = r->body.data,
		.len = r->body.len,
		.version = r->version,
		.is_once = r->is_once,
		.auth = {.bearer = t->bearer, .user = t->username, .password = t->password},
		.tls = {.ca_file = t->ca_file, .cert_file = t->cert_file, .key_file = t->key_file},
	};
	if (r->is_signed)
		out->auth = (struct net_auth){.aws_region = t->aws_region,
					      .aws_key = t->aws_key,
					      .aws_secret = t->aws_secret,
					      .aws_session_token = t->aws_session_token};
	*headers = list;
	return 0;
}
