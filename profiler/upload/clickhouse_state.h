/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a destination that is a ClickHouse knows of its servers, and what it remembers having sent them. */
#ifndef KILN_UPLOAD_CLICKHOUSE_STATE_H
#define KILN_UPLOAD_CLICKHOUSE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/base/why.h"
#include "profiler/net/net_types.h"
#include "profiler/upload/hash_memo.h"
#include "profiler/upload/sent_cache.h"

/* Whether a server has an item that may have been sent before. */
enum clickhouse_told {
	TOLD_NOTHING, /* it was not asked */
	TOLD_ABSENT,
	TOLD_SAMPLES, /* its samples, but not its window: that is missing */
	TOLD_ALL,
};

/* The sums of an item's samples, by which they are recognized. */
struct clickhouse_sums {
	uint64_t rows, hash_sum;
	int64_t value;
};

struct clickhouse_shard {
	bool is_known;
	uint64_t known_ns; /* CLOCK_MONOTONIC */
	unsigned version;
	char suffix[16];
	uint32_t made;
	/* What it has acknowledged in the week of the items. */
	struct sent_cache stacks, functions;
	int64_t week;
	/* The item of which nobody knows whether its samples were stored. */
	bool is_unsure;
	uint64_t unsure_id;
	/* The item that it was asked for last. */
	enum clickhouse_told told;
	uint64_t told_id;
	struct clickhouse_sums expected;
	bool asked_all; /* for samples of all services: other windows are of this host and second */
	unsigned odd;	/* answers that fit to nothing */
};

struct clickhouse_state {
	int64_t begun_ns; /* Unix time: what began before may have been sent by another process */
	VEC(struct clickhouse_shard) shards;
	struct hash_memo memo; /* of functions and stacks */
	/* The item that was packed last. */
	struct clickhouse_shard *shard;
	uint64_t id;
	VEC(uint64_t) stacks, functions; /* keys of its rows, for when they are acknowledged */
};

/* NULL when out of memory. */
struct clickhouse_state *clickhouse_state_new(size_t n_shards);
void clickhouse_state_free(struct clickhouse_state *s);

/* It is not what it was: tables are gone, or others. */
void clickhouse_shard_forget(struct clickhouse_shard *s);
/* Before rows of an item are looked up: each week begins with empty caches. time_s: Unix time. */
void clickhouse_shard_week(struct clickhouse_shard *s, int64_t time_s);

/* The answer to CH_HELLO. 0, or with a sentence -EBADMSG (no such answer) or -EINVAL (a schema that this kiln cannot
 * write). */
int clickhouse_shard_hello(struct clickhouse_shard *s, const struct net_answer *a, struct why *why);

/* SELECT what, n, value, hash_sum: "window" (n: rows of this id), "others" (sums of other windows of this host and
 * time), "samples". *out is set, and whether there are other windows. 0; -EBADMSG with a sentence; or -EAGAIN: the
 * numbers fit to nothing. */
int clickhouse_told(enum clickhouse_told *out, bool *has_others,
		    const struct clickhouse_sums *expected, const struct net_answer *a,
		    struct why *why);

#endif
