// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/push_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/suggest.h"
#include "profiler/cli/command.h"

DEFINE_CLEANUP(config, config_free)

static int load(struct config **out, const char *path)
{
	struct config_inputs in = {.path = path, .env = environ};
	struct config_errors errs = {0};
	int err = config_load(out, &in, &errs);

	if (err)
		log_error("%s", errs.n ? buf_cstr(&errs.text) : strerror(-err));
	buf_release(&errs.text);
	return err == -EBADMSG ? EXIT_USAGE : err ? EXIT_ERROR : EXIT_OK;
}

static const struct config_upload *find(const struct command *cmd, const struct config *c,
					const struct push_target_args *a)
{
	const char *name = a->to;
	struct suggest near = {.typed = name};

	for (size_t i = 0; i < c->upload.len; i++) {
		const struct config_upload *u = &c->upload.data[i];

		if (u->name && !strcmp(u->name, name))
			return u;
		if (u->name)
			suggest_consider(&near, u->name);
	}
	if (near.best)
		usage_error(cmd, "%s: no destination \"%.80s\" (did you mean \"%s\"?)", a->option,
			    name, near.best);
	else
		usage_error(cmd,
			    "%s: \"%.80s\" is no destination of the configuration, and no URL "
			    "such as pyroscope+http://HOST:4040",
			    a->option, name);
	return NULL;
}

static int open_target(struct upload_target **out, const struct push_target_args *a,
		       const struct upload_target_opts *o)
{
	struct why why = {""};
	int err = target_args_open(out, &a->args, o, &why);

	if (!err)
		return EXIT_OK;
	log_error("%s: %s", o->name ? o->name : a->option, why.text);
	return err == -EINVAL ? EXIT_USAGE : EXIT_ERROR;
}

static int open_configured(struct upload_target **out, const struct push_target_args *a,
			   const struct config_upload *u)
{
	_cleanup_free_ struct upload_header *headers = NULL;
	size_t n = u->headers.list.len;
	struct upload_target_opts o = {
		.name = u->name,
		.url = u->url,
		.token_file = u->token_file,
		.username = u->username,
		.password_file = u->password_file,
		.tenant = u->tenant,
		.ca_file = u->ca_file,
		.cert_file = u->cert_file,
		.key_file = u->key_file,
		.proxy = u->proxy,
		.n_headers = n,
		.labels = (const char *const *)u->labels.list.data,
		.n_labels = u->labels.list.len,
		.without_names = !u->names,
	};

	headers = calloc(n + 1, sizeof(*headers));
	if (!headers) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	for (size_t i = 0; i < n; i++)
		headers[i] = (struct upload_header){u->headers.list.data[i].name,
						    u->headers.list.data[i].value};
	o.headers = headers;
	return open_target(out, a, &o);
}

static int get_store(char **out, const struct config *c)
{
	*out = strdup(c->store_path);
	if (*out)
		return EXIT_OK;
	log_error("out of memory");
	return EXIT_ERROR;
}

int push_target_open(struct upload_target **out, const struct command *cmd,
		     const struct push_target_args *a, char **store)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const struct upload_target_opts by_url = {.url = a->to};
	const struct config_upload *u;
	bool is_url = strstr(a->to, "://");
	int code = is_url && !store ? EXIT_OK : load(&c, a->config);

	if (code == EXIT_OK && store)
		code = get_store(store, c);
	if (code != EXIT_OK)
		return code;
	if (is_url)
		return open_target(out, a, &by_url);
	u = find(cmd, c, a);
	return u ? open_configured(out, a, u) : EXIT_USAGE;
}
