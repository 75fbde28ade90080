// SPDX-License-Identifier: GPL-2.0-or-later
/* What keys must have in common, or only together. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/agent/config_read.h"
#include "profiler/agent/config_values.h"
#include "profiler/base/buf.h"
#include "profiler/base/why.h"
#include "profiler/upload/url.h"

static const struct config_place *place(const struct config *c, enum config_key_id key)
{
	return &c->places[key];
}

static bool is_local(const char *listen)
{
	return config_listen_is_off(listen) || config_listen_is_loopback(listen);
}

static void check_http(const struct config *c, struct config_errors *errs)
{
	bool tls = c->tls_cert && c->tls_key;

	if (!c->tls_cert != !c->tls_key)
		config_error(errs, place(c, c->tls_cert ? CONFIG_KEY_tls_cert : CONFIG_KEY_tls_key),
			     "http.tls: cert and key go together");
	if (is_local(c->http_listen))
		return;
	if (!c->http_token_file)
		config_error(errs, place(c, CONFIG_KEY_http_listen),
			     "http.listen: other hosts can reach %s: set http.token_file",
			     c->http_listen);
	if (!tls && !c->tls_proxy)
		config_error(errs, place(c, CONFIG_KEY_http_listen),
			     "http.listen: other hosts can reach %s: set http.tls.cert and "
			     "http.tls.key, or http.tls.proxy if a proxy does TLS",
			     c->http_listen);
}

static void check_relabel(const struct config_relabel *rule, struct config_errors *errs)
{
	if (rule->action < 0)
		config_error(errs, &rule->at, "a relabel rule without action: %s",
			     CONFIG_RELABEL_WORDS);
	else if (rule->action == RELABEL_REPLACE && !rule->target)
		config_error(errs, &rule->at, "a relabel rule that replaces wants a target");
	else if (rule->action == RELABEL_REPLACE && !rule->source && rule->regex)
		config_error(errs, &rule->at, "a relabel rule with a regex wants a source");
	else if (rule->action != RELABEL_REPLACE && (!rule->source || !rule->regex))
		config_error(errs, &rule->at,
			     "a relabel rule that keeps or drops wants a source and a regex");
	else if (rule->action != RELABEL_REPLACE && (rule->target || rule->replacement))
		config_error(errs, &rule->at,
			     "a relabel rule that keeps or drops has no target and no replacement");
	else if (rule->target &&
		 (!strcmp(rule->target, "pid") || !strcmp(rule->target, "thread_id")))
		config_error(errs, &rule->at, "target: \"%s\" is a number that kiln sets itself",
			     rule->target);
}

/* What only some kinds of destination have. */
static void check_kind(const struct config_upload *u, struct config_errors *errs)
{
	struct upload_url url;
	struct why why;

	if (!u->url || upload_url_parse(&url, u->url, &why))
		return;
	if (u->debuginfo != DEBUGINFO_NONE && !url.scheme->kind->debuginfo)
		config_error(errs, &u->at, "debuginfo: only Pyroscope and Parca take it");
	if (u->labels.list.len && !url.scheme->kind->has_series)
		config_error(errs, &u->at,
			     "labels: only Pyroscope and Parca have series that they tell apart");
}

static void check_upload(const struct config *c, size_t i, struct config_errors *errs)
{
	const struct config_upload *u = &c->upload.data[i];

	if (!u->name || !u->url)
		config_error(errs, &u->at, "a destination wants a name and a url");
	for (size_t j = 0; u->name && j < i; j++)
		if (c->upload.data[j].name && !strcmp(c->upload.data[j].name, u->name))
			config_error(errs, &u->at, "a second destination \"%s\"", u->name);
	/* A user may be in the URL. */
	if (!u->username != !u->password_file && !(u->password_file && strchr(u->url ?: "", '@')))
		config_error(errs, &u->at, "username and password_file go together");
	if (u->token_file && u->username)
		config_error(errs, &u->at, "a token_file and a username: only one can be used");
	if (!u->cert_file != !u->key_file)
		config_error(errs, &u->at, "cert_file and key_file go together");
	check_kind(u, errs);
}

void config_warn(struct buf *out, const struct config *c)
{
	if (!is_local(c->http_listen) && !c->http_hosts.list.len)
		buf_printf(out,
			   "http.hosts is empty: other hosts can reach %s, but are refused (421) "
			   "unless they call this host by a name of that list",
			   c->http_listen);
}

int config_check(const struct config *c, struct config_errors *errs)
{
	size_t n = errs->n;

	check_http(c, errs);
	if (c->store_max_age_ns < c->window_ns)
		config_error(errs, place(c, CONFIG_KEY_store_max_age_ns),
			     "store.max_age: less than one window");
	for (size_t i = 0; i < c->relabel.len; i++)
		check_relabel(&c->relabel.data[i], errs);
	for (size_t i = 0; i < c->upload.len; i++)
		check_upload(c, i, errs);
	return errs->text.err ?: errs->n > n ? -EBADMSG : 0;
}
