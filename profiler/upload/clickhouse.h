/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The destination clickhouse+http(s)://[USER@]HOST[:PORT][,HOST[:PORT]...]/DATABASE, for who asks it. A window is
 * sent to the host that its own host's name chooses, and to no other: each is a shard, and writes into its own
 * tables.
 */
#ifndef KILN_UPLOAD_CLICKHOUSE_H
#define KILN_UPLOAD_CLICKHOUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/clickhouse/ch_client.h"

struct upload_target;

bool upload_is_clickhouse(const struct upload_target *t);
size_t upload_clickhouse_shards(const struct upload_target *t);
/* How the server of a shard is asked: with what the target has, whom *out borrows from. */
void upload_clickhouse_server(const struct upload_target *t, size_t shard, struct ch_server *out);

#endif
