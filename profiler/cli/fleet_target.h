/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ClickHouse that kiln fleet asks: a URL, or the configuration's destination. */
#ifndef KILN_CLI_FLEET_TARGET_H
#define KILN_CLI_FLEET_TARGET_H

#include "profiler/cli/push_target.h"
#include "profiler/clickhouse/ch_client.h"

/* The name of the configuration's first destination that is a ClickHouse, malloc'd; NULL: it has none. EXIT_OK, or an
 * exit code after an error on stderr. */
int fleet_target_configured(char **out, const char *config);

/*
 * a->to: a URL, the name of a destination, or NULL: the first of the configuration that is a ClickHouse. *server is
 * its first shard, and borrows from *out. EXIT_OK, or an exit code after an error on stderr.
 */
int fleet_target_open(struct upload_target **out, struct ch_server *server,
		      const struct command *cmd, const struct push_target_args *a);

#endif
