/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The servers of a destination, asked one after the other. One of several is a shard of its own, of which the local
 * tables are read; a single one may be the door of a cluster. A shard that does not answer is an error: a part of the
 * fleet is never given for the whole.
 */
#ifndef KILN_FLEET_SHARDS_H
#define KILN_FLEET_SHARDS_H

#include <stddef.h>

#include "profiler/base/why.h"
#include "profiler/clickhouse/ch_client.h"

struct upload_target;

#define SHARDS_MAX 64

struct shard {
	struct ch_server server; /* borrows from the target */
	/* Suffixes of the tables that are read, and of those that a rollup goes into. */
	const char *read, *write;
};

struct shards {
	struct shard *v;
	size_t n;
};

/* Looks at each: whether there are tables of kiln's. 0, or with a sentence: -EINVAL (no ClickHouse; tables of a
 * newer kiln), or as ch_ask(). timeout_ms: of a question; 0: ten minutes. */
int shards_open(struct shards *out, const struct upload_target *t, uint64_t timeout_ms,
		struct why *why);
void shards_close(struct shards *s);

/* ch_ask() and ch_tell() whose sentence begins with the server. */
int shard_ask(const struct shard *s, const char *sql, struct ch_answer *out, struct why *why);
int shard_tell(const struct shard *s, const char *sql, int *code, struct why *why);

#endif
