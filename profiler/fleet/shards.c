// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/shards.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clickhouse/ch_schema.h"
#include "profiler/fleet/fields.h"
#include "profiler/upload/clickhouse.h"
#include "profiler/upload/target.h"

#define TIMEOUT_MS 600000 /* a week of a large fleet takes its time */

static int said(const struct shard *s, int err, struct why *why, const struct why *what)
{
	if (!err)
		return 0;
	return why_say(why, err, "%s: %s", s->server.base,
		       *what->text ? what->text : strerror(-err));
}

int shard_ask(const struct shard *s, const char *sql, struct ch_answer *out, struct why *why)
{
	struct why what = {""};
	int err = ch_ask(&s->server, sql, out, &what);

	/* The statement is kiln's, and no mistake of who asks. */
	return said(s, err == -EINVAL ? -EBADMSG : err, why, &what);
}

int shard_tell(const struct shard *s, const char *sql, int *code, struct why *why)
{
	struct why what = {""};

	return said(s, ch_tell(&s->server, sql, code, &what), why, &what);
}

/* --- what is there -------------------------------------------------------------------------------- */

/* "", "_local", or NULL: nothing else becomes a part of a statement. */
static const char *known_suffix(const char *text, size_t len)
{
	if (!len)
		return "";
	return len == strlen(CH_LOCAL) && !memcmp(text, CH_LOCAL, len) ? CH_LOCAL : NULL;
}

static int read_hello(struct shard *s, const struct ch_answer *a, bool is_one, struct why *why)
{
	static const struct field fields[] = {
		{"schema", FIELD_NUMBER}, {"suffix", FIELD_TEXT}, {0}};
	const struct ch_block *b = a->blocks.len ? &a->blocks.data[0] : NULL;
	const struct ch_column *c[2];
	const char *suffix;
	size_t len;
	int err;

	if (!b || !b->n_rows)
		return why_say(why, -EBADMSG, "it has no tables of kiln's: kiln fleet init");
	err = fields_find(c, b, fields, why);
	if (err)
		return err;
	if (ch_uint(c[0], 0) > CH_SCHEMA)
		return why_say(why, -EINVAL,
			       "its tables are of schema %" PRIu64 ", this kiln knows %d: take a "
			       "newer kiln",
			       ch_uint(c[0], 0), CH_SCHEMA);
	suffix = ch_text(c[1], 0, &len);
	s->write = known_suffix(suffix, len);
	if (!s->write)
		return why_say(why, -EBADMSG, "kiln_schema is not kiln's: kiln fleet init");
	s->read = is_one ? "" : s->write;
	return 0;
}

static int look_at(struct shard *s, bool is_one, struct why *why)
{
	struct ch_answer a = {0};
	struct why what = {""};
	int err = shard_ask(s, CH_HELLO, &a, why);

	if (!err)
		err = said(s, read_hello(s, &a, is_one, &what), why, &what);
	ch_answer_release(&a);
	return err;
}

int shards_open(struct shards *out, const struct upload_target *t, uint64_t timeout_ms,
		struct why *why)
{
	size_t n = upload_is_clickhouse(t) ? upload_clickhouse_shards(t) : 0;
	int err = 0;

	*out = (struct shards){0};
	if (!n || n > SHARDS_MAX)
		return why_say(why, -EINVAL,
			       "%s: give the URL of a ClickHouse, as in "
			       "clickhouse+http://HOST:8123/kiln",
			       t->shown);
	out->v = calloc(n, sizeof(*out->v));
	if (!out->v)
		return why_say(why, -ENOMEM, "out of memory");
	out->n = n;
	for (size_t i = 0; i < n && !err; i++) {
		upload_clickhouse_server(t, i, &out->v[i].server);
		out->v[i].server.timeout_ms = timeout_ms ?: TIMEOUT_MS;
		err = look_at(&out->v[i], n == 1, why);
	}
	if (err)
		shards_close(out);
	return err;
}

void shards_close(struct shards *s)
{
	free(s->v);
	*s = (struct shards){0};
}
