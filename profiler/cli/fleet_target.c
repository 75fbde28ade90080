// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/fleet_target.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/command.h"
#include "profiler/upload/clickhouse.h"

DEFINE_CLEANUP(config, config_free)

int fleet_target_configured(char **out, const char *path)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_inputs in = {.path = path, .env = environ};
	struct config_errors errs = {0};
	int err = config_load(&c, &in, &errs);

	*out = NULL;
	if (err)
		log_error("%s", errs.n ? buf_cstr(&errs.text) : strerror(-err));
	buf_release(&errs.text);
	if (err)
		return err == -EBADMSG ? EXIT_USAGE : EXIT_ERROR;
	for (size_t i = 0; i < c->upload.len; i++) {
		const struct config_upload *u = &c->upload.data[i];

		if (!u->name || !text_has_prefix(u->url ?: "", "clickhouse+"))
			continue;
		*out = strdup(u->name);
		return *out ? EXIT_OK : EXIT_ERROR;
	}
	return EXIT_OK;
}

int fleet_target_open(struct upload_target **out, struct ch_server *server,
		      const struct command *cmd, const struct push_target_args *a)
{
	_cleanup_free_ char *name = NULL;
	struct push_target_args args = *a;
	int code = a->to ? EXIT_OK : fleet_target_configured(&name, a->config);

	if (code != EXIT_OK)
		return code;
	if (!a->to && !name)
		return usage_error(cmd,
				   "which ClickHouse? Give a URL such as "
				   "clickhouse+http://HOST:8123/kiln: the configuration has none");
	args.to = a->to ?: name;
	code = push_target_open(out, cmd, &args, NULL);
	if (code != EXIT_OK)
		return code;
	if (!upload_is_clickhouse(*out))
		return usage_error(cmd, "%s is no ClickHouse: its URL begins with clickhouse+http",
				   (*out)->name);
	upload_clickhouse_server(*out, 0, server);
	return EXIT_OK;
}
