// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/profile.h"
#include "profiler/store/db.h"
#include "profiler/store/dict.h"
#include "profiler/store/restore.h"
#include "profiler/store/snapshot.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/sums.h"
#include "profiler/store/visit.h"
#include "profiler/store/where.h"

#define SECOND_NS 1000000000ll
#define MAX_SLOTS 1000000

/* --- by time -------------------------------------------------------------------------------------- */

struct times {
	int64_t width_ns, phase_ns;
	struct restore_opts restore;
	struct restorer *restorer;
	struct dict *dict; /* of label sets alone */
	struct store_times slots;
};

void store_times_release(struct store_times *t)
{
	vec_release(&t->v);
	*t = (struct store_times){0};
}

static void times_release(struct times *t)
{
	restorer_free(t->restorer);
	t->restorer = NULL;
	dict_free(t->dict);
	t->dict = NULL;
	store_times_release(&t->slots);
}

static int restart(void *ctx)
{
	struct times *t = ctx;

	times_release(t);
	t->dict = dict_new();
	return t->dict ? 0 : -ENOMEM;
}

static int begin_segment(void *ctx, struct reader *r)
{
	struct times *t = ctx;

	restorer_free(t->restorer);
	t->restorer = NULL;
	return t->restore.labels.where ? restorer_new(&t->restorer, r, t->dict, &t->restore) : 0;
}

/* The slot of a time; windows come nearly in order. */
static int find_slot(struct store_times *t, int64_t begin_ns, struct store_slot **out)
{
	struct store_slot slot = {.begin_ns = begin_ns};
	size_t i = t->v.len;

	while (i > 0 && t->v.data[i - 1].begin_ns > begin_ns)
		i--;
	if (!i || t->v.data[i - 1].begin_ns != begin_ns) {
		if (t->v.len >= MAX_SLOTS)
			return -E2BIG;
		if (vec_push(&t->v, slot))
			return -ENOMEM;
		memmove(&t->v.data[i + 1], &t->v.data[i], (t->v.len - 1 - i) * sizeof(*t->v.data));
		t->v.data[i++] = slot;
	}
	*out = &t->v.data[i - 1];
	return 0;
}

/* What of a window matches the condition. */
static int sum_matching(struct times *t, const struct window_row *w, struct store_slot *slot)
{
	struct quality ignored = {0};
	struct sums sums = {0};
	struct kind_info kind;
	int err = restorer_add(t->restorer, w, &sums, &ignored);

	err = err ?: restorer_kind(t->restorer, w->kind, &kind);
	for (size_t i = 0; i < sums.items.len && !err; i++) {
		const int64_t *values = sums.values.data + sums.items.data[i].value;

		if (kind.samples_type >= 0)
			slot->samples = saturating_sum(slot->samples, values[kind.samples_type]);
		if (kind.cpu_type >= 0)
			slot->cpu_ns = saturating_sum(slot->cpu_ns, values[kind.cpu_type]);
	}
	sums_release(&sums);
	quality_release(&ignored);
	return err;
}

static int64_t slot_begin(const struct times *t, int64_t ns)
{
	int64_t rest = (ns - t->phase_ns) % t->width_ns;

	return ns - rest - (rest < 0 ? t->width_ns : 0);
}

static void note_time(struct store_times *t, const struct window_row *w)
{
	int64_t end = saturating_sum(w->begin_unix_ns, w->duration_ns);

	if (!t->first_ns || w->begin_unix_ns < t->first_ns)
		t->first_ns = w->begin_unix_ns;
	t->end_ns = end > t->end_ns ? end : t->end_ns;
}

static int add_window(void *ctx, const struct window_row *w)
{
	struct times *t = ctx;
	struct store_slot *slot;
	int err = find_slot(&t->slots, slot_begin(t, w->begin_unix_ns), &slot);

	if (err)
		return err;
	note_time(&t->slots, w);
	slot->windows++;
	slot->lost += quality_lost(&w->quality);
	if (t->restorer)
		return sum_matching(t, w, slot);
	slot->samples = saturating_sum(slot->samples, w->samples);
	slot->cpu_ns = saturating_sum(slot->cpu_ns, w->cpu_ns);
	return 0;
}

static const struct visitor visitor = {restart, begin_segment, add_window};

int store_times_from(struct store *s, const struct store_query *q, int64_t width_ns,
		     int64_t phase_ns, struct store_times *out, struct why *why)
{
	struct times t = {
		.width_ns = width_ns, .phase_ns = phase_ns, .restore = {.without_stacks = true}};
	struct where *where = NULL;
	struct visited visited = {0};
	int err;

	if (width_ns < SECOND_NS)
		return why_say(why, -EINVAL, "a slot of time is a second at least");
	err = where_parse_any(&where, q->where, why);
	if (err)
		return err;
	t.restore.labels.where = where;
	err = visit(&s->dir, q->since_ns, q->until_ns, &visitor, &t, &visited);
	where_free(where);
	if (!err) {
		t.slots.segments_unreadable = visited.segments_damaged + visited.segments_newer;
		t.slots.windows_unreadable = visited.damage.rows + visited.damage.windows;
		*out = t.slots;
		t.slots = (struct store_times){0};
	}
	times_release(&t);
	return err ? why_say(why, err, "%s: %s", s->dir.path, visit_error(err)) : 0;
}

int store_times(struct store *s, const struct store_query *q, int64_t width_ns,
		struct store_times *out, struct why *why)
{
	return store_times_from(s, q, width_ns, 0, out, why);
}

/* --- by file -------------------------------------------------------------------------------------- */

const char *store_file_state_text(enum store_file_state s)
{
	static const char *const texts[] = {
#define X(state, text) [STORE_FILE_##state] = text,
		STORE_FILE_STATES(X)
#undef X
	};

	return texts[s];
}

void store_files_release(struct store_files *f)
{
	vec_release(&f->v);
}

static enum store_file_state state_of(const struct snapshot_segment *s)
{
	if (s->err)
		return s->err == -ENOTSUP   ? STORE_FILE_NEWER
		       : s->err == -EBADMSG ? STORE_FILE_DAMAGED
					    : STORE_FILE_UNREADABLE;
	if (s->is_replaced)
		return STORE_FILE_REPLACED;
	return s->head.state == SEGMENT_OPEN	 ? STORE_FILE_OPEN
	       : s->head.state == SEGMENT_CLOSED ? STORE_FILE_CLOSED
						 : STORE_FILE_COMPACTED;
}

static uint64_t count_windows(const struct dir *d, const char *name)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	_cleanup_free_ char *path = NULL;
	int64_t n = 0;

	if (dir_path(d, name, &path) || db_open(&db, path, DB_READ) ||
	    db_get_i64(db, "SELECT count(*) FROM windows", &n))
		return 0;
	return (uint64_t)n;
}

static int add_file(struct store_files *out, const struct dir *d, const struct snapshot_segment *s)
{
	struct store_file f = {
		.begin_ns = s->file.begin_ns,
		.bytes = s->file.bytes,
		.state = state_of(s),
	};

	strcpy(f.name, s->file.name);
	if (!s->err) {
		f.begin_ns = s->head.begin_unix_ns;
		f.end_ns = f.begin_ns + s->head.span_ns;
		f.window_ns = s->head.window_ns;
		f.windows = count_windows(d, f.name);
	}
	return vec_push(&out->v, f);
}

int store_files(struct store *s, struct store_files *out)
{
	struct store_files files = {0};
	struct snapshot all;
	int err = snapshot_take(&all, &s->dir, 0, INT64_MAX);

	if (err)
		return err;
	for (size_t i = 0; i < all.v.len && !err; i++)
		if (all.v.data[i].err != -ENODATA)
			err = add_file(&files, &s->dir, &all.v.data[i]);
	snapshot_release(&all);
	if (err)
		store_files_release(&files);
	else
		*out = files;
	return err;
}
