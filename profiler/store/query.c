// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/rates.h"
#include "profiler/profile/spans.h"
#include "profiler/store/dict.h"
#include "profiler/store/kind.h"
#include "profiler/store/reader.h"
#include "profiler/store/restore.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/sums.h"
#include "profiler/store/unfold.h"
#include "profiler/store/visit.h"
#include "profiler/store/where.h"

struct query {
	struct restore_opts restore;
	struct store_result result;
	/* What has been added up so far, of all segments. */
	struct dict *dict;
	struct sums sums;
	struct spans covered;
	struct rates rates;
	/* Of the segment that is being read. */
	struct reader *reader;
	struct restorer *restorer;
	bool *kinds_seen;
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
	restorer_free(q->restorer);
	q->restorer = NULL;
	dict_free(q->dict);
	q->dict = NULL;
	sums_release(&q->sums);
	q->sums = (struct sums){0};
	spans_release(&q->covered);
	q->rates = (struct rates){0};
	free(q->kinds_seen);
	q->kinds_seen = NULL;
}

static int restart(void *ctx)
{
	struct query *q = ctx;

	query_release(q);
	q->result.profile = profile_new();
	q->dict = dict_new();
	return q->result.profile && q->dict ? 0 : -ENOMEM;
}

static int begin_segment(void *ctx, struct reader *r)
{
	struct query *q = ctx;

	q->reader = r;
	restorer_free(q->restorer);
	q->restorer = NULL;
	free(q->kinds_seen);
	q->kinds_seen = calloc(reader_count_kinds(r) + 1ul, sizeof(*q->kinds_seen));
	return q->kinds_seen ? restorer_new(&q->restorer, r, q->dict, &q->restore) : -ENOMEM;
}

/* A kind's header into the profile's, once a segment. One that is damaged says nothing. */
static int add_kind(struct query *q, int64_t kind)
{
	size_t len;
	const void *data = reader_kind(q->reader, kind, &len);
	int err = 0;

	if (data && !q->kinds_seen[kind])
		err = kind_apply(q->result.profile, data, len, &q->why);
	if (data && !err)
		q->kinds_seen[kind] = true;
	return err == -EBADMSG ? 0 : err;
}

static int add_window(void *ctx, const struct window_row *w)
{
	struct query *q = ctx;
	struct kind_info kind = KIND_INFO_CPU;
	int err = add_kind(q, w->kind);

	err = err ?: restorer_kind(q->restorer, w->kind, &kind);
	err = err ?: restorer_add(q->restorer, w, &q->sums, &q->result.quality);
	rates_add(&q->rates, kind.is_time ? kind.period : 0, (uint64_t)w->duration_ns,
		  kind.throttled);
	return err ?: spans_add(&q->covered, w->begin_unix_ns, w->duration_ns);
}

static const struct visitor visitor = {restart, begin_segment, add_window};

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

static void note_visited(struct store_result *r, const struct visited *v)
{
	r->windows = v->windows;
	r->segments = v->segments;
	r->segments_damaged = v->segments_damaged;
	r->segments_newer = v->segments_newer;
	r->rows_damaged = v->damage.rows;
	r->windows_damaged = v->damage.windows;
	r->pieces_damaged = v->damage.chunks;
}

static int run(struct query *run, const struct dir *dir, const struct store_query *q)
{
	struct visited visited = {0};
	int err = visit(dir, q->since_ns, q->until_ns, &visitor, run, &visited);

	err = err ?: make_profile(run) ?: rates_store(run->result.profile, &run->rates);
	if (!err && run->restore.labels.where) {
		quality_keep_blame(&run->result.quality, run->result.profile);
		err = quality_set_where(run->result.profile, q->where);
	}
	note_visited(&run->result, &visited);
	return err;
}

int store_query(struct store *s, const struct store_query *q, struct store_result *out,
		struct why *why)
{
	struct query query = {0};
	struct where *where = NULL;
	int err = where_parse_any(&where, q->where, why);

	if (err)
		return err;
	query.restore = (struct restore_opts){
		.labels = {.where = where, .without = q->without_labels},
		.without_stacks = q->without_stacks,
	};
	err = run(&query, &s->dir, q);
	where_free(where);
	if (!err) {
		*out = query.result;
		query.result = (struct store_result){0};
	}
	query_release(&query);
	if (!err)
		return 0;
	return why_say(why, err, "%s: %s", s->dir.path,
		       err == -EINVAL && query.why ? query.why : visit_error(err));
}
