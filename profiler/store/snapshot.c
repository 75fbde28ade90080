// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/db.h"

/* How often segments may go meanwhile: each time a compaction has ended. */
#define MAX_TRIES 8

struct ids {
	VEC(int64_t) v;
};

/* One that replaced itself would count for nothing, and go without a word. */
static int read_replaced(sqlite3 *db, int64_t own, struct ids *out)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	int got = db_prepare(db, "SELECT id FROM replaced", &s);

	while (!got && (got = db_step(s)) > 0) {
		int64_t id = sqlite3_column_int64(s, 0);

		got = id == own ? -EBADMSG : vec_push(&out->v, id);
	}
	return got;
}

static int read_head(const struct dir *d, struct snapshot_segment *segment, struct ids *replaced)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	_cleanup_free_ char *path = NULL;
	int err = dir_path(d, segment->file.name, &path) ?: db_open(&db, path, DB_READ);

	return err ?: schema_read_head(db, &segment->head) ?:
	       read_replaced(db, segment->head.id, replaced);
}

static bool may_overlap(const struct dir_entry *e, int64_t since_ns, int64_t until_ns)
{
	return e->begin_ns < until_ns &&
	       (since_ns < SNAPSHOT_MAX_SPAN_NS || e->begin_ns > since_ns - SNAPSHOT_MAX_SPAN_NS);
}

static bool overlaps(const struct segment_head *h, int64_t since_ns, int64_t until_ns)
{
	return h->begin_unix_ns < until_ns && h->span_ns > since_ns - h->begin_unix_ns;
}

static int add_segment(struct snapshot *out, const struct dir *d, const struct dir_entry *file,
		       struct ids *replaced)
{
	struct snapshot_segment segment = {
		.file = *file,
		/* Until it says what it covers, and for ever if it does not. */
		.head = {.begin_unix_ns = file->begin_ns, .span_ns = SNAPSHOT_USUAL_SPAN_NS},
	};
	size_t n = replaced->v.len;

	segment.err = file->is_damaged ? -EBADMSG : read_head(d, &segment, replaced);
	if (segment.err) /* it takes nobody's place */
		replaced->v.len = n;
	if (segment.err == -ENOMEM || segment.err == -ENOENT)
		return segment.err;
	return vec_push(&out->v, segment);
}

static int compare_ids(const void *va, const void *vb)
{
	const int64_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

static void mark_replaced(struct snapshot *s, struct ids *replaced)
{
	if (!replaced->v.len)
		return;
	qsort(replaced->v.data, replaced->v.len, sizeof(*replaced->v.data), compare_ids);
	for (size_t i = 0; i < s->v.len; i++)
		s->v.data[i].is_replaced =
			!s->v.data[i].err &&
			bsearch(&s->v.data[i].head.id, replaced->v.data, replaced->v.len,
				sizeof(*replaced->v.data), compare_ids);
}

static void keep_range(struct snapshot *s, int64_t since_ns, int64_t until_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < s->v.len; i++)
		if (overlaps(&s->v.data[i].head, since_ns, until_ns))
			s->v.data[n++] = s->v.data[i];
	s->v.len = n;
}

/* -ENOENT: a segment has gone since the directory was listed. */
static int take_once(struct snapshot *out, const struct dir *d, int64_t since_ns, int64_t until_ns)
{
	struct snapshot s = {0};
	struct ids replaced = {0};
	struct dir_list l;
	int err = dir_list(d, &l);

	if (err)
		return err;
	for (size_t i = 0; i < l.v.len && !err; i++)
		if (may_overlap(&l.v.data[i], since_ns, until_ns))
			err = add_segment(&s, d, &l.v.data[i], &replaced);
	dir_list_release(&l);
	mark_replaced(&s, &replaced);
	vec_release(&replaced.v);
	if (err) {
		snapshot_release(&s);
		return err;
	}
	keep_range(&s, since_ns, until_ns);
	*out = s;
	return 0;
}

/* What a segment that went was replaced by is in the next list. */
int snapshot_take(struct snapshot *out, const struct dir *d, int64_t since_ns, int64_t until_ns)
{
	int err = -ENOENT;

	for (int i = 0; i < MAX_TRIES && err == -ENOENT; i++)
		err = take_once(out, d, since_ns, until_ns);
	return err;
}

void snapshot_release(struct snapshot *s)
{
	vec_release(&s->v);
}
