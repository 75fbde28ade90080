// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/rollup.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/fleet/fields.h"
#include "profiler/fleet/rollup_sql.h"
#include "profiler/fleet/shards.h"

#define LOW_BITS 0xfffff

/* Increases with time, and of two that begin at once each has its own. */
static uint64_t new_version(void)
{
	return ((uint64_t)unix_ns() & ~(uint64_t)LOW_BITS) | (hash_random_seed() & LOW_BITS);
}

static int tell(const struct shard *s, struct buf *sql, struct why *why)
{
	int err = sql->err ? why_say(why, sql->err, "%s", strerror(-sql->err))
			   : shard_tell(s, buf_cstr(sql), NULL, why);

	buf_clear(sql);
	return err;
}

int rollup_make(const struct shard *s, const struct hour_print *hour, struct why *why)
{
	const struct rollup_version v = {hour->hour_s, new_version(), s->read, s->write};
	struct buf sql = {0};
	int err = rollup_sql_begin(&sql, &v) ?: tell(s, &sql, why);

	err = err ?: rollup_sql_make(&sql, &v, why);
	err = err ?: tell(s, &sql, why);
	err = err ?: rollup_sql_end(&sql, &v, hour);
	err = err ?: tell(s, &sql, why);
	buf_release(&sql);
	return err;
}

/* --- which there are ------------------------------------------------------------------------------ */

static int look(struct rollup_look *out, const struct shard *s, const struct times *range,
		struct why *why)
{
	struct ch_answer a = {0};
	struct buf sql = {0};
	int err = rollup_sql_look(&sql, s->read, range) ?:
		  shard_ask(s, buf_cstr(&sql), &a, why) ?: rollup_read_look(out, &a, why);

	ch_answer_release(&a);
	buf_release(&sql);
	return err;
}

/* Too many gaps, for a text of bounded length. */
static int plan_bare(struct plan *out, const struct times *range)
{
	plan_release(out);
	*out = (struct plan){0};
	return plan_samples(out, range);
}

int rollup_plan(struct plan *out, const struct shard *s, const struct times *ranges, size_t n,
		struct why *why)
{
	struct times all = {ranges[0].since_s, ranges[n - 1].until_s};
	struct rollup_look found = {0};
	int err = look(&found, s, &all, why);

	for (size_t i = 0; i < n && !err; i++)
		err = plan_make(out, &ranges[i], found.there.data, found.there.len, found.made.data,
				found.made.len, unix_ns() / (int64_t)NS_PER_S);
	if (err == -E2BIG)
		err = plan_bare(out, &all);
	if (err == -ENOMEM)
		why_say(why, err, "out of memory");
	rollup_look_release(&found);
	return err;
}
