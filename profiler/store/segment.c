// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/store/counts.h"
#include "profiler/store/db.h"
#include "profiler/store/dict.h"
#include "profiler/store/dict_load.h"
#include "profiler/store/kind.h"
#include "profiler/store/pack.h"
#include "profiler/store/reader.h"
#include "profiler/store/rows.h"

struct kind {
	struct buf header, types;
	int64_t period;
};

struct segment {
	struct segment_head head;
	sqlite3 *db;
	struct rows rows;
	struct dict *dict;
	VEC(struct kind) kinds; /* the row's id is the index */
	/* What of all that the file has: the rest goes with the next window. */
	struct stored {
		uint32_t sections[SECTION_COUNT], series;
		size_t kinds;
		int64_t windows;
	} stored;
};

DEFINE_CLEANUP(segment, segment_free)

static void kind_release(struct kind *k)
{
	buf_release(&k->header);
	buf_release(&k->types);
}

void segment_free(struct segment *s)
{
	if (!s)
		return;
	rows_release(&s->rows);
	/* Without a log even those can read it who may not write here. It fails while somebody reads:
	 * then the log stays, empty, until the segment is compacted. */
	if (s->db)
		db_exec(s->db, "PRAGMA journal_mode = DELETE");
	db_close(s->db);
	dict_free(s->dict);
	for (size_t i = 0; i < s->kinds.len; i++)
		kind_release(&s->kinds.data[i]);
	vec_release(&s->kinds);
	free(s);
}

static int segment_new(struct segment **out, const char *path)
{
	_cleanup_(segment_freep) struct segment *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->dict = dict_new();
	if (!s->dict)
		return -ENOMEM;
	err = db_open(&s->db, path, DB_WRITE);
	if (!err)
		*out = steal_ptr(s);
	return err;
}

/* SQLite has undone the transaction by itself after some errors; then this does nothing. */
static void roll_back(sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db))
		db_exec(db, "ROLLBACK");
}

int segment_create(struct segment **out, const char *path, const struct segment_head *head)
{
	_cleanup_(segment_freep) struct segment *s = NULL;
	int err = segment_new(&s, path);

	err = err ?: db_exec(s->db, "BEGIN IMMEDIATE") ?: schema_create(s->db, head);
	err = err ?: db_exec(s->db, "COMMIT") ?: rows_init(&s->rows, s->db);
	if (err)
		return err;
	s->head = *head;
	s->stored.series = 1; /* 0 is the one without labels */
	*out = steal_ptr(s);
	return 0;
}

/* --- going on with one ---------------------------------------------------------------------------- */

static int load_series(struct segment *s, struct reader *r)
{
	int err = 0;

	for (uint32_t i = 1; i < reader_count_series(r) && !err; i++) {
		const char *text = reader_series(r, i);
		uint32_t id;

		err = text ? dict_series(s->dict, text, &id) : -EBADMSG;
		if (!err && id != i)
			err = -EBADMSG;
	}
	s->stored.series = strtab_count(s->dict->series);
	return err;
}

static int load_kinds(struct segment *s, struct reader *r)
{
	for (uint32_t i = 0; i < reader_count_kinds(r); i++) {
		struct kind k = {.period = reader_period(r, i)};
		size_t len;
		const void *data = reader_kind(r, i, &len);

		if (!data)
			return -EBADMSG;
		buf_add(&k.header, data, len);
		if (k.header.err || vec_push(&s->kinds, k)) {
			kind_release(&k);
			return -ENOMEM;
		}
	}
	s->stored.kinds = s->kinds.len;
	return 0;
}

static int load_things(struct segment *s, struct reader *r)
{
	int err = 0;

	for (enum section section = 0; section < SECTION_COUNT && !err; section++) {
		err = dict_load(s->dict, r, section);
		s->stored.sections[section] = dict_count(s->dict, section);
	}
	return err;
}

/* What is damaged is not gone on with: new windows would be as unreadable. */
static int load(struct segment *s)
{
	_cleanup_(reader_closep) struct reader *r = NULL;
	struct window_row w;
	int err = reader_over(&r, s->db), got;

	if (err)
		return err;
	s->head = *reader_head(r);
	if (s->head.closed)
		return -EROFS;
	err = load_things(s, r) ?: load_series(s, r) ?: load_kinds(s, r);
	while (!err && (got = reader_next(r, &w))) {
		err = got < 0 ? got : 0;
		s->stored.windows = w.id;
	}
	if (!err && (reader_damage(r)->rows || reader_damage(r)->chunks))
		err = -EBADMSG;
	return err;
}

int segment_reopen(struct segment **out, const char *path)
{
	_cleanup_(segment_freep) struct segment *s = NULL;
	int err = segment_new(&s, path) ?: load(s) ?: rows_init(&s->rows, s->db);

	if (!err)
		*out = steal_ptr(s);
	return err;
}

int segment_finish(struct segment *s)
{
	s->head.closed = true;
	return schema_set_meta(s->db, "closed", 1);
}

/* --- windows -------------------------------------------------------------------------------------- */

/* A window on its way into the file. */
struct pending {
	struct window_row row;
	struct dict_window window;
	struct usage_list usage;
	struct buf counts;
};

static void pending_release(struct pending *p)
{
	dict_window_release(&p->window);
	vec_release(&p->usage.v);
	buf_release(&p->counts);
}

static bool has_header(const struct kind *k, const struct buf *header)
{
	return k->header.len == header->len && !memcmp(k->header.data, header->data, header->len);
}

static int find_kind(struct segment *s, const struct profile *p, int64_t *id)
{
	struct kind k = {.period = p->period};
	int err;

	kind_encode(&k.header, p);
	kind_types_text(&k.types, p);
	err = k.header.err ?: k.types.err;
	for (size_t i = 0; i < s->kinds.len && !err; i++) {
		if (has_header(&s->kinds.data[i], &k.header)) {
			kind_release(&k);
			*id = (int64_t)i;
			return 0;
		}
	}
	err = err ?: vec_push(&s->kinds, k);
	if (err)
		kind_release(&k);
	else
		*id = (int64_t)s->kinds.len - 1;
	return err;
}

static int prepare(struct segment *s, const struct profile *p, const struct quality *q,
		   struct pending *out)
{
	int err = find_kind(s, p, &out->row.kind);

	err = err ?: dict_add_window(s->dict, p, q, &out->window);
	if (err)
		return err;
	counts_sort(&out->window);
	err = usage_sum(&out->usage, s->dict, &out->window, p);
	out->row.id = s->stored.windows + 1;
	out->row.samples = out->usage.samples;
	out->row.cpu_ns = out->usage.cpu_ns;
	out->row.quality = *q;
	out->row.quality.blame = (struct quality){0}.blame; /* it is with the samples */
	return err ?: counts_encode(&out->counts, &out->window, PACK_LEVEL_NOW);
}

static int add_new_kinds(struct segment *s)
{
	int err = 0;

	for (size_t i = s->stored.kinds; i < s->kinds.len && !err; i++) {
		struct kind *k = &s->kinds.data[i];

		err = rows_add_kind(&s->rows, (int64_t)i, buf_cstr(&k->types), k->period,
				    k->header.data, k->header.len);
	}
	return err;
}

static int add_rows(struct segment *s, const struct pending *w)
{
	const struct dict *d = s->dict;
	int err = 0;

	for (enum section i = 0; i < SECTION_COUNT && !err; i++)
		err = rows_add_section(&s->rows, d, NULL, i, s->stored.sections[i], PACK_LEVEL_NOW);
	for (uint32_t i = s->stored.series; i < strtab_count(d->series) && !err; i++)
		err = rows_add_series(&s->rows, i, strtab_get(d->series, i));
	err = err ?: add_new_kinds(s);
	err = err ?: rows_add_usage(&s->rows, w->row.id, &w->usage);
	return err ?: rows_add_window(&s->rows, &w->row, w->counts.data, w->counts.len);
}

static void note_stored(struct segment *s, const struct pending *w)
{
	for (enum section i = 0; i < SECTION_COUNT; i++)
		s->stored.sections[i] = dict_count(s->dict, i);
	s->stored.series = strtab_count(s->dict->series);
	s->stored.kinds = s->kinds.len;
	s->stored.windows = w->row.id;
}

int segment_append(struct segment *s, const struct profile *p, const struct quality *q,
		   int64_t begin_unix_ns, uint64_t duration_ns)
{
	struct pending w = {
		.row = {.begin_unix_ns = begin_unix_ns, .duration_ns = (int64_t)duration_ns}};
	int err = prepare(s, p, q, &w);

	err = err ?: db_exec(s->db, "BEGIN IMMEDIATE") ?: add_rows(s, &w);
	err = err ?: db_exec(s->db, "COMMIT");
	if (err)
		roll_back(s->db);
	else
		note_stored(s, &w);
	pending_release(&w);
	return err;
}

const struct segment_head *segment_head(const struct segment *s)
{
	return &s->head;
}

size_t segment_index_bytes(const struct segment *s)
{
	return dict_bytes(s->dict);
}

uint64_t segment_windows(const struct segment *s)
{
	return (uint64_t)s->stored.windows;
}
