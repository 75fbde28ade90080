// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/upload_targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "profiler/base/log.h"
#include "profiler/net/net.h"
#include "profiler/upload/target.h"

int upload_targets_make(struct upload_target **out, const struct config_upload *u, struct why *why)
{
	struct upload_header headers[CONFIG_MAX_PAIRS];
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
		.headers = headers,
		.n_headers = u->headers.list.len,
		.labels = (const char *const *)u->labels.list.data,
		.n_labels = u->labels.list.len,
		.without_names = !u->names,
		.env = environ,
	};

	for (size_t i = 0; i < o.n_headers; i++)
		headers[i] = (struct upload_header){u->headers.list.data[i].name,
						    u->headers.list.data[i].value};
	return upload_target_new(out, &o, why);
}

void upload_targets_free(struct upload_targets *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < CONFIG_MAX_UPLOADS; i++)
		upload_target_free(t->v[i]);
	net_free(t->net);
	free(t);
}

int upload_targets_prepare(struct upload_targets **out, const struct config *c,
			   bool (*is_wanted)(const struct config_upload *u), bool is_said)
{
	_cleanup_(upload_targets_freep) struct upload_targets *t = calloc(1, sizeof(*t));
	struct why why = {""};
	int err = t ? net_new(&t->net, NULL, &why) : -ENOMEM;

	/* It holds secrets, and may be root's. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (err) {
		log_error("nothing can be uploaded: %s", t ? why.text : strerror(-err));
		return err;
	}
	for (size_t i = 0; i < c->upload.len; i++) {
		const struct config_upload *u = &c->upload.data[i];

		if (is_wanted(u) && upload_targets_make(&t->v[i], u, &why) && is_said)
			log_error("upload \"%s\": %s: mend it, and reload the agent", u->name,
				  why.text);
	}
	*out = steal_ptr(t);
	return 0;
}
