// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/segment.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/counts.h"
#include "profiler/store/db.h"
#include "profiler/store/dict.h"
#include "profiler/store/dict_load.h"
#include "profiler/store/pack.h"
#include "profiler/store/reader.h"
#include "profiler/store/rows.h"
#include "profiler/store/stage.h"

struct segment {
	struct segment_head head;
	sqlite3 *db;
	struct rows rows;
	struct stage stage;
	/* What of all that the file has: the rest goes with the next window. */
	struct stored {
		uint32_t sections[SECTION_COUNT], series;
		size_t kinds;
		int64_t windows;
	} stored;
};

DEFINE_CLEANUP(segment, segment_free)

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
	stage_release(&s->stage);
	free(s);
}

static int segment_new(struct segment **out, const char *path)
{
	_cleanup_(segment_freep) struct segment *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = stage_init(&s->stage) ?: db_open(&s->db, path, DB_WRITE);
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

		err = text ? dict_series(s->stage.dict, text, &id) : -EBADMSG;
		if (!err && id != i)
			err = -EBADMSG;
	}
	s->stored.series = strtab_count(s->stage.dict->series);
	return err;
}

static int load_things(struct segment *s, struct reader *r)
{
	int err = 0;

	for (enum section section = 0; section < SECTION_COUNT && !err; section++) {
		err = dict_load(s->stage.dict, r, section);
		s->stored.sections[section] = dict_count(s->stage.dict, section);
	}
	return err;
}

static int load_kinds(struct segment *s, struct reader *r)
{
	int err = 0;

	for (uint32_t i = 0; i < reader_count_kinds(r) && !err; i++) {
		size_t len;
		const void *data = reader_kind(r, i, &len);
		int64_t id = -1;

		err = data ? stage_kind(&s->stage, data, len, &id) : -EBADMSG;
		if (!err && id != i)
			err = -EBADMSG;
	}
	s->stored.kinds = s->stage.kinds.len;
	return err;
}

/* What is damaged is not gone on with: new windows would be as unreadable. */
static int load(struct segment *s)
{
	_cleanup_(reader_freep) struct reader *r = NULL;
	struct window_row w;
	int err = reader_over(&r, s->db), got;

	if (err)
		return err;
	s->head = *reader_head(r);
	err = load_things(s, r) ?: load_series(s, r) ?: load_kinds(s, r);
	while (!err && (got = reader_next(r, &w))) {
		err = got < 0 ? got : 0;
		s->stored.windows = w.id;
	}
	if (!err && (reader_damage(r)->rows || reader_damage(r)->chunks))
		err = -EBADMSG;
	return err;
}

/* Opening for writing writes: not into what is another's. */
static int may_reopen(const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	struct segment_head head;
	int err = db_open(&db, path, DB_READ) ?: schema_read_head(db, &head);

	return err ?: head.state == SEGMENT_OPEN ? 0 : -EROFS;
}

int segment_reopen(struct segment **out, const char *path)
{
	_cleanup_(segment_freep) struct segment *s = NULL;
	int err = may_reopen(path) ?: segment_new(&s, path) ?: load(s);

	err = err ?: rows_init(&s->rows, s->db);

	if (!err)
		*out = steal_ptr(s);
	return err;
}

int segment_finish(struct segment *s)
{
	s->head.state = SEGMENT_CLOSED;
	return schema_set_meta(s->db, "state", SEGMENT_CLOSED);
}

/* --- windows -------------------------------------------------------------------------------------- */

static int add_rows(struct segment *s, const struct staged *w, const struct buf *counts)
{
	const struct dict *d = s->stage.dict;
	int err = 0;

	for (enum section i = 0; i < SECTION_COUNT && !err; i++)
		err = rows_add_section(&s->rows, d, NULL, i, s->stored.sections[i], PACK_LEVEL_NOW);
	for (uint32_t i = s->stored.series; i < strtab_count(d->series) && !err; i++)
		err = rows_add_series(&s->rows, i, strtab_get(d->series, i));
	err = err ?: stage_store_kinds(&s->stage, &s->rows, s->stored.kinds);
	err = err ?: rows_add_usage(&s->rows, w->row.id, &w->usage);
	return err ?: rows_add_window(&s->rows, &w->row, counts->data, counts->len);
}

static void note_stored(struct segment *s, const struct staged *w)
{
	for (enum section i = 0; i < SECTION_COUNT; i++)
		s->stored.sections[i] = dict_count(s->stage.dict, i);
	s->stored.series = strtab_count(s->stage.dict->series);
	s->stored.kinds = s->stage.kinds.len;
	s->stored.windows = w->row.id;
}

static int store_window(struct segment *s, const struct staged *w, const struct buf *counts)
{
	int err = db_exec(s->db, "BEGIN IMMEDIATE") ?: add_rows(s, w, counts);

	err = err ?: db_exec(s->db, "COMMIT");
	if (err)
		roll_back(s->db);
	return err;
}

/* The log takes room that the file itself may not need. */
static int empty_log(struct segment *s)
{
	return db_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

int segment_append(struct segment *s, const struct profile *p, const struct quality *q,
		   int64_t begin_unix_ns, uint64_t duration_ns)
{
	struct buf counts = {0};
	struct staged w;
	int err = stage_window(&s->stage, p, q, begin_unix_ns, duration_ns, &w);

	if (err)
		return err;
	w.row.id = s->stored.windows + 1;
	err = counts_encode(&s->rows.packer, &counts, &w.window, PACK_LEVEL_NOW);
	err = err ?: store_window(s, &w, &counts);
	if (err == -ENOSPC && !empty_log(s))
		err = store_window(s, &w, &counts);
	if (!err)
		note_stored(s, &w);
	staged_release(&w);
	buf_release(&counts);
	return err;
}

const struct segment_head *segment_facts(const struct segment *s)
{
	return &s->head;
}

size_t segment_index_bytes(const struct segment *s)
{
	return stage_bytes(&s->stage);
}

uint64_t segment_windows(const struct segment *s)
{
	return (uint64_t)s->stored.windows;
}
