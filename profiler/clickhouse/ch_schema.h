/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of a fleet. Who writes: profiler/upload/clickhouse.c; who reads: kiln fleet, and anybody's dashboard.
 *
 * samples	what a stack cost: a row for each (host, window, type, labels, stack)
 *	service		service_name of the sample (profiler/upload/service.h)
 *	type		TYPE/UNIT of the value, "cpu/nanoseconds" (CH_TYPE_CPU). samples/count is left out beside others
 *	time		when the window began, in whole seconds: the same in `windows`
 *	host		whose it is: the label `host`, else the machine's name
 *	hash		of the stack, see below
 *	value		in the type's unit; summed up, never 0
 *	namespace, pod, unit, comm	labels of the sample; "" where it has none
 * stacks	what a hash stands for. A service has those of its own samples, and again each week in which they occur
 *	service, hash	as in samples
 *	day		when it was seen, by UTC
 *	funcs		ids of functions, leaf first, inlined calls expanded; at most CH_MAX_FRAMES (of a deeper stack both
 *			ends, as kiln report counts it)
 *	lines		as many: the line in the function's file; 0: not known
 * functions	what an id stands for
 *	id		see below
 *	func		as kiln report prints it; of a frame without a name its module in brackets, "[libx.so]"
 *	module		as kiln report prints it: "libc.so.6", "[kernel]", "[jit]"
 *	file		path of the source, "" if it is not known
 *	build		build id in hex of one of the files that had the function; ""
 *	day		as in stacks
 * windows	what was measured, when and how well. Written last: a window without a row here is not complete yet
 *	host, time	as in samples. A batch of several windows is one
 *	id		the same whenever this window is sent, and unlike those of others
 *	begin_ns, duration_ns	begin since 1970
 *	period_ns	of samples; 0: not of time
 *	expected, idle, stolen, filtered, recorded, lost	samples, as in kiln's quality: profiler/profile/quality.h
 *	user_complete, user_truncated, user_missing, kernel_missing	stacks
 *	frames, frames_named
 *	rows, value, hash_sum	of its samples: how many, the sum of value, the sum of hash (modulo 2^64)
 *	kiln		version of who sent it
 *	received	when, by the server's clock: set by the server
 * fn_hour	rollup, built by query: the highest ver counts
 *	service, type, hour (its first second, UTC), func, module, self, total, ver
 * kiln_schema	a view of one row: schema (CH_SCHEMA, UInt32), suffix ("_local" in a cluster, else ""), cluster ("" if
 *		there is none), made (when, UInt32 in seconds since 1970: another one means other tables)
 *
 * In a cluster the tables with these names are Distributed, for readers; agents write into NAME_local of their
 * shard.
 *
 * functions.id is the first eight bytes, as a little-endian number, of the SHA-256 of: func, a NUL byte, module.
 * stacks.hash is the same of: for each frame, leaf first, its id in eight bytes and its line in four, both little
 * endian.
 *
 * Read stacks and functions with ANY LEFT JOIN: one that is missing must not take values away, and one that is
 * there twice (its parts are not merged yet) must not count twice. windows: once for each (host, time, id).
 */
#ifndef KILN_CLICKHOUSE_CH_SCHEMA_H
#define KILN_CLICKHOUSE_CH_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/base/why.h"
#include "profiler/clickhouse/ch_native.h"

#define CH_SCHEMA     1
#define CH_TYPE_CPU   "cpu/nanoseconds"
#define CH_LOCAL      "_local" /* suffix of a shard's own tables */
#define CH_MAX_FRAMES 4096

/* X(id, name) */
#define CH_TABLES(X)                                                                               \
	X(SAMPLES, "samples")                                                                      \
	X(STACKS, "stacks")                                                                        \
	X(FUNCTIONS, "functions")                                                                  \
	X(WINDOWS, "windows")                                                                      \
	X(FN_HOUR, "fn_hour")

enum ch_table {
#define X(id, name) CH_##id,
	CH_TABLES(X)
#undef X
		CH_N_TABLES
};

/* Columns in the order in which kiln writes them. X(name, type, is_array, has few values) */
#define CH_SAMPLES_COLUMNS(X)                                                                      \
	X(service, STRING, false, true)                                                            \
	X(type, STRING, false, true)                                                               \
	X(time, DATETIME, false, false)                                                            \
	X(host, STRING, false, true)                                                               \
	X(hash, UINT64, false, false)                                                              \
	X(value, INT64, false, false)                                                              \
	X(namespace, STRING, false, true)                                                          \
	X(pod, STRING, false, true)                                                                \
	X(unit, STRING, false, true)                                                               \
	X(comm, STRING, false, true)

#define CH_STACKS_COLUMNS(X)                                                                       \
	X(service, STRING, false, true)                                                            \
	X(hash, UINT64, false, false)                                                              \
	X(day, DATE, false, false)                                                                 \
	X(funcs, UINT64, true, false)                                                              \
	X(lines, UINT32, true, false)

#define CH_FUNCTIONS_COLUMNS(X)                                                                    \
	X(id, UINT64, false, false)                                                                \
	X(func, STRING, false, false)                                                              \
	X(module, STRING, false, true)                                                             \
	X(file, STRING, false, false)                                                              \
	X(build, STRING, false, true)                                                              \
	X(day, DATE, false, false)

#define CH_WINDOWS_COLUMNS(X)                                                                      \
	X(host, STRING, false, true)                                                               \
	X(time, DATETIME, false, false)                                                            \
	X(id, UINT64, false, false)                                                                \
	X(begin_ns, INT64, false, false)                                                           \
	X(duration_ns, UINT64, false, false)                                                       \
	X(period_ns, UINT64, false, false)                                                         \
	X(expected, UINT64, false, false)                                                          \
	X(idle, UINT64, false, false)                                                              \
	X(stolen, UINT64, false, false)                                                            \
	X(filtered, UINT64, false, false)                                                          \
	X(recorded, UINT64, false, false)                                                          \
	X(lost, UINT64, false, false)                                                              \
	X(user_complete, UINT64, false, false)                                                     \
	X(user_truncated, UINT64, false, false)                                                    \
	X(user_missing, UINT64, false, false)                                                      \
	X(kernel_missing, UINT64, false, false)                                                    \
	X(frames, UINT64, false, false)                                                            \
	X(frames_named, UINT64, false, false)                                                      \
	X(rows, UINT64, false, false)                                                              \
	X(value, INT64, false, false)                                                              \
	X(hash_sum, UINT64, false, false)                                                          \
	X(kiln, STRING, false, true)

#define CH_FN_HOUR_COLUMNS(X)                                                                      \
	X(service, STRING, false, true)                                                            \
	X(type, STRING, false, true)                                                               \
	X(hour, DATETIME, false, false)                                                            \
	X(func, STRING, false, false)                                                              \
	X(module, STRING, false, true)                                                             \
	X(self, INT64, false, false)                                                               \
	X(total, INT64, false, false)                                                              \
	X(ver, UINT64, false, false)

struct ch_column_def {
	const char *name;
	enum ch_type type;
	bool is_array, is_low; /* LowCardinality where the server can */
};

struct ch_table_def {
	const char *name;
	const struct ch_column_def *columns; /* what is written; the server adds received */
	size_t n_columns;
	const char *engine;	       /* "MergeTree", "ReplacingMergeTree" */
	const char *version;	       /* of the latter: the column whose highest value counts */
	const char *partition, *order; /* expressions; partition: NULL: none */
	const char *extra;	       /* a further column, or NULL */
	const char *sharding;	       /* of inserts through the Distributed table; NULL: none */
	const char *ttl_column;	       /* of which the age counts */
	unsigned ttl_extra_days;       /* for how much longer than asked for it is kept */
	bool is_deduplicated;	       /* a block that comes twice is taken once */
};

const struct ch_table_def *ch_table(enum ch_table table);

/* --- what a server can ---------------------------------------------------------------------------- */

/* "26.9.2.1" is 26009, "18.16.1" 18016. 0: it is no version. */
unsigned ch_version_parse(const char *text, size_t len);

/* X(id, first version) Between 18.16 and 26.9 nothing was tried: what is not sure begins late. */
#define CH_FEATURES(X)                                                                             \
	X(CODEC, 20001)                                                                            \
	X(TTL, 20001)                                                                              \
	X(DEDUP_TOKEN, 22008) /* insert_deduplication_token, of tables without replicas, too */    \
	X(LOW_CARDINALITY, 24003) /* and String is cast to it */

enum ch_feature {
#define X(id, version) CH_HAS_##id,
	CH_FEATURES(X)
#undef X
};
#define CH_HAS_ALL 24003 /* a version with all of them */
bool ch_has(unsigned version, enum ch_feature feature);

/* --- statements ----------------------------------------------------------------------------------- */

struct ch_schema_opts {
	unsigned version;
	const char *database;
	const char *cluster; /* NULL: one server */
	uint64_t ttl_s;	     /* 0: as it is */
	unsigned present;    /* the schema that is there; 0: none */
	int64_t now_s;	     /* Unix time */
};

struct ch_statements {
	VEC(char *) v;
};
void ch_statements_release(struct ch_statements *s);

/* What makes the database and its tables, or upgrades them: to be done one after the other; each may be done twice.
 * 0, -EINVAL with a sentence (the server cannot do what is asked for), or -ENOMEM. */
int ch_schema_statements(struct ch_statements *out, const struct ch_schema_opts *o,
			 struct why *why);

/* What a destination has to know of a server. */
#define CH_HELLO "SELECT version() AS server, schema, suffix, cluster, made FROM kiln_schema"

/* --- identities ----------------------------------------------------------------------------------- */

/* 0 or -ENOMEM. */
int ch_function_id(uint64_t *out, const char *func, const char *module);
/* n: at most CH_MAX_FRAMES. */
uint64_t ch_stack_hash(const uint64_t *funcs, const uint32_t *lines, size_t n);

#endif
