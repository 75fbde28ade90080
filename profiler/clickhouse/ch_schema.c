// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/clickhouse/ch_schema.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/sha256.h"
#include "profiler/clickhouse/ch_text.h"

#define DAY_S 86400
/* Stacks and functions are sent once a week: one of Monday serves samples of Sunday. */
#define WEEKLY_EXTRA_DAYS 8
/* Tokens and blocks that a table remembers: one insert a minute of ten thousand hosts for a minute. */
#define DEDUP_WINDOW 10000
#define FRAME_BYTES  12

#define COLUMN(name, type, is_array, is_low) {#name, CH_##type, is_array, is_low},
static const struct ch_column_def samples_columns[] = {CH_SAMPLES_COLUMNS(COLUMN)};
static const struct ch_column_def stacks_columns[] = {CH_STACKS_COLUMNS(COLUMN)};
static const struct ch_column_def functions_columns[] = {CH_FUNCTIONS_COLUMNS(COLUMN)};
static const struct ch_column_def windows_columns[] = {CH_WINDOWS_COLUMNS(COLUMN)};
static const struct ch_column_def fn_hour_columns[] = {CH_FN_HOUR_COLUMNS(COLUMN)};
#undef COLUMN

#define COLUMNS(table) .columns = table, .n_columns = sizeof(table) / sizeof(*(table))
static const struct ch_table_def tables[] = {
	[CH_SAMPLES] = {.name = "samples",
			COLUMNS(samples_columns),
			.engine = "MergeTree",
			.partition = "toDate(time)",
			.order = "service, type, toStartOfHour(time), hash, host, time",
			.ttl_column = "time",
			.is_deduplicated = true},
	[CH_STACKS] = {.name = "stacks",
		       COLUMNS(stacks_columns),
		       .engine = "ReplacingMergeTree",
		       .version = "day",
		       .partition = "toMonday(day)",
		       .order = "service, hash",
		       .ttl_column = "day",
		       .ttl_extra_days = WEEKLY_EXTRA_DAYS},
	[CH_FUNCTIONS] = {.name = "functions",
			  COLUMNS(functions_columns),
			  .engine = "ReplacingMergeTree",
			  .version = "day",
			  .order = "id",
			  .ttl_column = "day",
			  .ttl_extra_days = WEEKLY_EXTRA_DAYS},
	[CH_WINDOWS] = {.name = "windows",
			COLUMNS(windows_columns),
			.engine = "ReplacingMergeTree",
			.partition = "toMonday(time)",
			.order = "host, time, id",
			.extra = "`received` DateTime DEFAULT now()",
			.ttl_column = "time"},
	[CH_FN_HOUR] = {.name = "fn_hour",
			COLUMNS(fn_hour_columns),
			.engine = "ReplacingMergeTree",
			.version = "ver",
			.partition = "toMonday(hour)",
			.order = "service, type, hour, func, module",
			.sharding = "cityHash64(service, func)",
			.ttl_column = "hour"},
};

const struct ch_table_def *ch_table(enum ch_table table)
{
	return &tables[table];
}

/* --- what a server can ---------------------------------------------------------------------------- */

static bool take_number(const char **s, const char *end, unsigned *out)
{
	*out = 0;
	if (*s == end || !isdigit((unsigned char)**s))
		return false;
	for (; *s < end && isdigit((unsigned char)**s); ++*s) {
		*out = 10 * *out + (unsigned)(**s - '0');
		if (*out > 999)
			return false;
	}
	return true;
}

unsigned ch_version_parse(const char *text, size_t len)
{
	const char *end = text + len;
	unsigned major, minor;

	if (!take_number(&text, end, &major) || text == end || *text++ != '.' ||
	    !take_number(&text, end, &minor))
		return 0;
	return 1000 * major + minor;
}

bool ch_has(unsigned version, enum ch_feature feature)
{
	static const unsigned since[] = {
#define X(id, version) version,
		CH_FEATURES(X)
#undef X
	};

	return version >= since[feature];
}

/* --- statements ----------------------------------------------------------------------------------- */

void ch_statements_release(struct ch_statements *s)
{
	for (size_t i = 0; i < s->v.len; i++)
		free(s->v.data[i]);
	vec_release(&s->v);
}

/* Takes the text. */
static int add(struct ch_statements *s, struct buf *sql)
{
	char *text = buf_take(sql);

	if (text && !vec_push(&s->v, text))
		return 0;
	free(text);
	return -ENOMEM;
}

/* `database`.`name`, and where it is done. */
static void add_table_name(struct buf *b, const struct ch_schema_opts *o, const char *name,
			   const char *suffix)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	ch_add_name(b, o->database);
	buf_char(b, '.');
	ch_add_name(b, full);
}

static void add_cluster(struct buf *b, const struct ch_schema_opts *o)
{
	if (!o->cluster)
		return;
	buf_str(b, " ON CLUSTER ");
	ch_add_name(b, o->cluster);
}

static const char *local(const struct ch_schema_opts *o)
{
	return o->cluster ? CH_LOCAL : "";
}

static void add_column(struct buf *b, const struct ch_column_def *c, unsigned version)
{
	const char *type = ch_type_name(c->type);

	buf_str(b, "\t");
	ch_add_name(b, c->name);
	if (c->is_array)
		buf_printf(b, " Array(%s)", type);
	else if (c->is_low && ch_has(version, CH_HAS_LOW_CARDINALITY))
		buf_printf(b, " LowCardinality(%s)", type);
	else
		buf_printf(b, " %s", type);
	if (ch_has(version, CH_HAS_CODEC))
		buf_str(b, " CODEC(ZSTD(1))");
}

static void add_engine(struct buf *b, const struct ch_table_def *t, const struct ch_schema_opts *o)
{
	if (!o->cluster) {
		buf_printf(b, "%s(%s)", t->engine, t->version ?: "");
		return;
	}
	buf_printf(b, "Replicated%s('/clickhouse/tables/{shard}/", t->engine);
	buf_printf(b, "%s/%s', '{replica}'%s%s)", o->database, t->name, t->version ? ", " : "",
		   t->version ?: "");
}

static void add_settings(struct buf *b, const struct ch_table_def *t,
			 const struct ch_schema_opts *o)
{
	bool has_token = ch_has(o->version, CH_HAS_DEDUP_TOKEN);

	buf_str(b, "\nSETTINGS index_granularity = 8192");
	if (t->is_deduplicated && o->cluster)
		buf_printf(b, ", replicated_deduplication_window = %d", DEDUP_WINDOW);
	else if (t->is_deduplicated && has_token)
		buf_printf(b, ", non_replicated_deduplication_window = %d", DEDUP_WINDOW);
}

static int create_table(struct ch_statements *out, const struct ch_table_def *t,
			const struct ch_schema_opts *o)
{
	struct buf b = {0};

	buf_str(&b, "CREATE TABLE IF NOT EXISTS ");
	add_table_name(&b, o, t->name, local(o));
	add_cluster(&b, o);
	buf_str(&b, " (\n");
	for (size_t i = 0; i < t->n_columns; i++) {
		add_column(&b, &t->columns[i], o->version);
		buf_str(&b, i + 1 < t->n_columns || t->extra ? ",\n" : "\n");
	}
	if (t->extra)
		buf_printf(&b, "\t%s\n", t->extra);
	buf_str(&b, ")\nENGINE = ");
	add_engine(&b, t, o);
	if (t->partition)
		buf_printf(&b, "\nPARTITION BY %s", t->partition);
	buf_printf(&b, "\nORDER BY (%s)", t->order);
	add_settings(&b, t, o);
	return add(out, &b);
}

static int create_distributed(struct ch_statements *out, const struct ch_table_def *t,
			      const struct ch_schema_opts *o)
{
	struct buf b = {0};

	buf_str(&b, "CREATE TABLE IF NOT EXISTS ");
	add_table_name(&b, o, t->name, "");
	add_cluster(&b, o);
	buf_str(&b, " AS ");
	add_table_name(&b, o, t->name, CH_LOCAL);
	buf_str(&b, "\nENGINE = Distributed(");
	ch_add_name(&b, o->cluster);
	buf_str(&b, ", ");
	ch_add_name(&b, o->database);
	buf_printf(&b, ", `%s%s`%s%s)", t->name, CH_LOCAL, t->sharding ? ", " : "",
		   t->sharding ?: "");
	return add(out, &b);
}

static int modify_ttl(struct ch_statements *out, const struct ch_table_def *t,
		      const struct ch_schema_opts *o)
{
	uint64_t days = (o->ttl_s + DAY_S - 1) / DAY_S + t->ttl_extra_days;
	struct buf b = {0};

	buf_str(&b, "ALTER TABLE ");
	add_table_name(&b, o, t->name, local(o));
	add_cluster(&b, o);
	buf_printf(&b, " MODIFY TTL %s + INTERVAL %" PRIu64 " DAY", t->ttl_column, days);
	return add(out, &b);
}

static int create_database(struct ch_statements *out, const struct ch_schema_opts *o)
{
	struct buf b = {0};

	buf_str(&b, "CREATE DATABASE IF NOT EXISTS ");
	ch_add_name(&b, o->database);
	add_cluster(&b, o);
	return add(out, &b);
}

static int drop_view(struct ch_statements *out, const struct ch_schema_opts *o)
{
	struct buf b = {0};

	buf_str(&b, "DROP TABLE IF EXISTS ");
	add_table_name(&b, o, "kiln_schema", "");
	add_cluster(&b, o);
	return add(out, &b);
}

/* The last: who sends waits until it is there. */
static int create_view(struct ch_statements *out, const struct ch_schema_opts *o)
{
	struct buf b = {0};

	buf_str(&b, "CREATE VIEW IF NOT EXISTS ");
	add_table_name(&b, o, "kiln_schema", "");
	add_cluster(&b, o);
	buf_printf(&b, " AS SELECT toUInt32(%d) AS schema, '%s' AS suffix, ", CH_SCHEMA, local(o));
	ch_add_text(&b, o->cluster ?: "");
	buf_printf(&b, " AS cluster, toUInt32(%" PRId64 ") AS made", o->now_s);
	return add(out, &b);
}

static int check(const struct ch_schema_opts *o, struct why *why)
{
	if (o->present > CH_SCHEMA)
		return why_say(why, -EINVAL,
			       "its schema is version %u, and this kiln knows %d: upgrade kiln",
			       o->present, CH_SCHEMA);
	if (o->ttl_s && !ch_has(o->version, CH_HAS_TTL))
		return why_say(why, -EINVAL,
			       "this server (%u.%u) knows no TTL: leave --ttl out, and drop old "
			       "partitions with ALTER TABLE samples DROP PARTITION",
			       o->version / 1000, o->version % 1000);
	return 0;
}

int ch_schema_statements(struct ch_statements *out, const struct ch_schema_opts *o, struct why *why)
{
	int err = check(o, why);

	if (err)
		return err;
	err = create_database(out, o);
	for (int t = 0; t < CH_N_TABLES && !err; t++)
		err = create_table(out, &tables[t], o);
	for (int t = 0; t < CH_N_TABLES && !err && o->cluster; t++)
		err = create_distributed(out, &tables[t], o);
	for (int t = 0; t < CH_N_TABLES && !err && o->ttl_s; t++)
		err = modify_ttl(out, &tables[t], o);
	if (!err && o->present && o->present < CH_SCHEMA)
		err = drop_view(out, o);
	err = err ?: create_view(out, o);
	return err ? why_say(why, err, "out of memory") : 0;
}

/* --- identities ----------------------------------------------------------------------------------- */

static void put_le(uint8_t *out, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t first_eight(const void *data, size_t len)
{
	uint8_t hash[SHA256_LEN];
	uint64_t v = 0;

	sha256(data, len, hash);
	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)hash[i] << 8 * i;
	return v;
}

int ch_function_id(uint64_t *out, const char *func, const char *module)
{
	struct buf b = {0};
	int err;

	buf_add(&b, func, strlen(func) + 1);
	buf_str(&b, module);
	err = b.err;
	if (!err)
		*out = first_eight(b.data, b.len);
	buf_release(&b);
	return err;
}

uint64_t ch_stack_hash(const uint64_t *funcs, const uint32_t *lines, size_t n)
{
	uint8_t bytes[CH_MAX_FRAMES * FRAME_BYTES];

	for (size_t i = 0; i < n; i++) {
		put_le(bytes + i * FRAME_BYTES, funcs[i], 8);
		put_le(bytes + i * FRAME_BYTES + 8, lines[i], 4);
	}
	return first_eight(bytes, n * FRAME_BYTES);
}
