// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/spans.h"
#include "profiler/store/dict.h"
#include "profiler/store/kind.h"
#include "profiler/store/reader.h"
#include "profiler/store/restore.h"
#include "profiler/store/snapshot.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/sums.h"
#include "profiler/store/unfold.h"
#include "profiler/store/where.h"

/* How often segments may vanish under a query before it gives up: each time a compaction ends. */
#define MAX_TRIES 8

struct query {
	const struct dir *dir;
	const struct store_query *q;
	struct where *where;
	struct restore_opts restore;
	struct store_result result;
	/* What has been added up so far, of all segments. */
	struct dict *dict;
	struct sums sums;
	struct spans covered;
	const char *why;
};

void store_result_release(struct store_result *r)
{
	profile_free(r->profile);
	quality_release(&r->quality);
	*r = (struct store_result){0};
}

static void query_release(struct query *q)
{
	store_result_release(&q->result);
	dict_free(q->dict);
	q->dict = NULL;
	sums_release(&q->sums);
	q->sums = (struct sums){0};
	spans_release(&q->covered);
}

static bool in_range(const struct store_query *q, int64_t begin_ns)
{
	return begin_ns >= q->since_ns && begin_ns < q->until_ns;
}

/* A kind's header into the profile's, once a segment. One that is damaged says nothing. */
static int add_kind(struct query *q, struct reader *r, int64_t kind, bool *seen)
{
	size_t len;
	const void *data = reader_kind(r, kind, &len);
	int err = 0;

	if (data && !seen[kind])
		err = kind_apply(q->result.profile, data, len, &q->why);
	if (data && !err)
		seen[kind] = true;
	return err == -EBADMSG ? 0 : err;
}

static int add_windows(struct query *q, struct reader *r)
{
	_cleanup_(restorer_freep) struct restorer *restorer = NULL;
	_cleanup_free_ bool *seen = calloc(reader_count_kinds(r) + 1ul, sizeof(*seen));
	struct store_result *result = &q->result;
	struct window_row w;
	int err = restorer_new(&restorer, r, q->dict, &q->restore), got;

	err = seen ? err : -ENOMEM;
	while (!err && (got = reader_next(r, &w))) {
		if (got < 0)
			return got;
		if (!in_range(q->q, w.begin_unix_ns))
			continue;
		err = add_kind(q, r, w.kind, seen);
		err = err ?: restorer_add(restorer, &w, &q->sums, &result->quality);
		err = err ?: spans_add(&q->covered, w.begin_unix_ns, w.duration_ns);
		result->windows += !err;
	}
	return err;
}

static int add_segment(struct query *q, const struct snapshot_segment *s)
{
	_cleanup_(reader_freep) struct reader *r = NULL;
	_cleanup_free_ char *path = NULL;
	const struct reader_damage *damage;
	int err = dir_path(q->dir, s->file.name, &path) ?: reader_open(&r, path);

	if (err)
		return err;
	err = add_windows(q, r);
	damage = reader_damage(r);
	q->result.rows_damaged += damage->rows;
	q->result.windows_damaged += damage->windows;
	q->result.pieces_damaged += damage->chunks;
	q->result.segments++;
	return err;
}

/* A segment that nobody can read is said so; the rest is what there is. */
static int add_or_count(struct query *q, const struct snapshot_segment *s)
{
	int err = s->is_replaced ? 0 : s->err ?: add_segment(q, s);

	if (err == -EBADMSG || err == -EIO)
		q->result.segments_damaged++;
	else if (err == -ENOTSUP)
		q->result.segments_newer++;
	else
		return err;
	return 0;
}

/* From here on segments are not needed any more. */
static int make_profile(struct query *q)
{
	struct profile *p = q->result.profile;
	int err = sums_join(&q->sums);

	if (!err && q->sums.items.len && !p->sample_types.len)
		err = profile_init_cpu(p, 0);
	err = err ?: unfold(p, q->dict, &q->sums);
	p->time_ns = q->covered.v.len ? q->covered.v.data[0].begin_ns : 0;
	p->duration_ns = spans_total(&q->covered);
	spans_release(&p->covered);
	p->covered = q->covered;
	q->covered = (struct spans){0};
	return err;
}

/* -ENOENT: a segment has gone since it was listed. */
static int run_once(struct query *q)
{
	struct snapshot s;
	int err;

	q->result.profile = profile_new();
	q->dict = dict_new();
	if (!q->result.profile || !q->dict)
		return -ENOMEM;
	err = snapshot_take(&s, q->dir, q->q->since_ns, q->q->until_ns);
	if (err)
		return err;
	for (size_t i = 0; i < s.v.len && !err; i++)
		err = add_or_count(q, &s.v.data[i]);
	snapshot_release(&s);
	return err ?: make_profile(q);
}

static int run(struct query *q)
{
	int err = -ENOENT;

	for (int i = 0; i < MAX_TRIES && err == -ENOENT; i++) {
		query_release(q);
		err = run_once(q);
	}
	return err;
}

int store_query(struct store *s, const struct store_query *q, struct store_result *out,
		struct store_why *why)
{
	struct query run_of = {.dir = &s->dir, .q = q};
	int err = 0;

	if (q->where && *q->where)
		err = where_parse(&run_of.where, q->where, why);
	if (err)
		return err;
	run_of.restore = (struct restore_opts){run_of.where, q->without_labels};
	err = run(&run_of);
	where_free(run_of.where);
	if (!err) {
		*out = run_of.result;
		run_of.result = (struct store_result){0};
	}
	query_release(&run_of);
	if (!err)
		return 0;
	return why_say(why, err, "%s: %s", s->dir.path,
		       err == -EINVAL && run_of.why ? run_of.why : strerror(-err));
}
