// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/strtab.h"
#include "profiler/store/counts.h"
#include "profiler/store/db.h"
#include "profiler/store/pack.h"
#include "profiler/store/scan.h"

/* More things than a segment has; a damaged row claims anything. */
#define MAX_THINGS (1u << 25)
#define MAX_KINDS  65536
#define MAX_SERIES (1u << 20)

struct chunk_ref {
	uint32_t first, count;
	int64_t row;
	bool is_read;
	struct chunk chunk; /* count 0: it could not be read */
};

struct section_refs {
	VEC(struct chunk_ref) v; /* by first, without overlaps */
	size_t last;		 /* the one that was asked for */
};

struct kind_header {
	void *data;
	size_t len;
	int64_t period;
};

struct reader {
	sqlite3 *db;
	bool owns_db;
	struct segment_head head;
	struct reader_damage damage;
	struct section_refs sections[SECTION_COUNT];
	struct strtab *texts;	  /* of series */
	VEC(const char *) series; /* NULL: not there */
	VEC(struct kind_header) kinds;
	struct scan windows;
	char *windows_sql; /* of this segment's columns, which stay; NULL: not asked yet */
	sqlite3_stmt *chunk_stmt, *usage_stmt; /* NULL: not needed so far */
	struct packer packer;
	int64_t last_ref; /* row of the dictionary */
};

/* Ends what the connection has begun. */
static void detach(struct reader *r)
{
	scan_release(&r->windows);
	sqlite3_finalize(r->chunk_stmt);
	sqlite3_finalize(r->usage_stmt);
	r->chunk_stmt = r->usage_stmt = NULL;
	if (r->owns_db)
		db_close(r->db);
	r->db = NULL;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	for (int s = 0; s < SECTION_COUNT; s++) {
		for (size_t i = 0; i < r->sections[s].v.len; i++)
			chunk_release(&r->sections[s].v.data[i].chunk);
		vec_release(&r->sections[s].v);
	}
	strtab_free(r->texts);
	vec_release(&r->series);
	for (size_t i = 0; i < r->kinds.len; i++)
		free(r->kinds.data[i].data);
	vec_release(&r->kinds);
	detach(r);
	free(r->windows_sql);
	packer_release(&r->packer);
	free(r);
}

/* --- opening: of what is known already, only what is new is read ----------------------------------- */

static int compare_refs(const void *va, const void *vb)
{
	const struct chunk_ref *a = va, *b = vb;

	return a->first < b->first ? -1 : a->first > b->first;
}

/* In order; what overlaps is damage, and the first one stays. */
static void sort_refs(struct reader *r, struct section_refs *refs)
{
	size_t n = 0;

	if (refs->v.len)
		qsort(refs->v.data, refs->v.len, sizeof(*refs->v.data), compare_refs);
	for (size_t i = 0; i < refs->v.len; i++) {
		const struct chunk_ref *last = n ? &refs->v.data[n - 1] : NULL;

		if (last && refs->v.data[i].first < last->first + last->count)
			r->damage.chunks++;
		else
			refs->v.data[n++] = refs->v.data[i];
	}
	refs->v.len = n;
}

static int read_refs(struct reader *r)
{
	_cleanup_(scan_release) struct scan scan = {0};
	int got = scan_init(&scan, r->db,
			    "SELECT id, section, first, count FROM dictionary WHERE id >= ?1 "
			    "ORDER BY id");

	got = got ?: scan_from(&scan, r->last_ref + 1);
	while (!got && (got = scan_next(&scan)) > 0) {
		int64_t section = sqlite3_column_int64(scan.stmt, 1),
			first = sqlite3_column_int64(scan.stmt, 2),
			count = sqlite3_column_int64(scan.stmt, 3);
		struct chunk_ref ref = {(uint32_t)first, (uint32_t)count, scan.id};

		got = 0;
		r->last_ref = scan.id;
		if (section < 0 || section >= SECTION_COUNT || first < 0 || count <= 0 ||
		    first > MAX_THINGS || count > MAX_THINGS)
			r->damage.chunks++;
		else
			got = vec_push(&r->sections[section].v, ref);
	}
	r->damage.rows += scan.damage;
	for (int s = 0; s < SECTION_COUNT; s++)
		sort_refs(r, &r->sections[s]);
	return got;
}

/* --- series: rows of one follow each other ---------------------------------------------------------- */

static int keep_series(struct reader *r, int64_t id, struct buf *text)
{
	const char *s = buf_cstr(text), *kept;
	int err = text->err;

	if (id < 0 || !text->len || err)
		return err;
	kept = strtab_keep(r->texts, s, text->len);
	if (!kept)
		return -ENOMEM;
	while (!err && r->series.len <= (size_t)id)
		err = vec_push(&r->series, NULL);
	if (!err)
		r->series.data[id] = kept;
	buf_clear(text);
	return err;
}

static const char *text_column(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? text : "";
}

static void add_series_row(struct buf *text, sqlite3_stmt *s)
{
	bool is_number = sqlite3_column_type(s, 2) == SQLITE_NULL;

	series_add(text, text_column(s, 1), text_column(s, is_number ? 3 : 2), is_number);
}

/* A damaged page ends it: label sets of the series after it are without labels. */
static int read_series(struct reader *r)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	struct buf text = {0};
	int64_t current = -1;
	int got = db_prepare(r->db,
			     "SELECT id, key, value, unit FROM series WHERE id >= ?1 "
			     "ORDER BY id, n",
			     &s);

	if (!got && sqlite3_bind_int64(s, 1, (int64_t)r->series.len))
		got = -EIO;
	while (!got && (got = db_step(s)) > 0) {
		int64_t id = sqlite3_column_int64(s, 0);

		got = id < 0 || id > MAX_SERIES ? -EBADMSG : 0;
		if (!got && id != current)
			got = keep_series(r, current, &text);
		current = id;
		add_series_row(&text, s);
	}
	if (!got)
		got = keep_series(r, current, &text);
	buf_release(&text);
	if (got != -EBADMSG && got != -EIO)
		return got;
	r->damage.rows++;
	return 0;
}

static int read_kinds(struct reader *r)
{
	_cleanup_(scan_release) struct scan scan = {0};
	int got = scan_init(&scan, r->db,
			    "SELECT id, header, period FROM kinds WHERE id >= ?1 ORDER BY id");

	got = got ?: scan_from(&scan, (int64_t)r->kinds.len);
	while (!got && (got = scan_next(&scan)) > 0) {
		const void *data = sqlite3_column_blob(scan.stmt, 1);
		int len = sqlite3_column_bytes(scan.stmt, 1);
		struct kind_header k = {malloc((size_t)len + 1), (size_t)len,
					sqlite3_column_int64(scan.stmt, 2)};

		got = scan.id > MAX_KINDS ? -EBADMSG : k.data ? 0 : -ENOMEM;
		while (!got && r->kinds.len < (size_t)scan.id)
			got = vec_push(&r->kinds, (struct kind_header){0});
		if (!got && data)
			memcpy(k.data, data, k.len);
		got = got ?: vec_push(&r->kinds, k);
		if (got)
			free(k.data);
	}
	r->damage.rows += scan.damage;
	return got;
}

static int prepare_windows(struct reader *r)
{
	int err;

	if (r->windows_sql)
		return db_prepare(r->db, r->windows_sql, &r->windows.stmt);
	err = schema_prepare_select(r->db, &r->windows.stmt);
	if (err)
		return err;
	r->windows_sql = strdup(sqlite3_sql(r->windows.stmt));
	return r->windows_sql ? 0 : -ENOMEM;
}

/* What the connection shows, beside what is known already. */
static int attach(struct reader *r, sqlite3 *db)
{
	r->db = db;
	return read_refs(r) ?: read_series(r) ?: read_kinds(r) ?: prepare_windows(r) ?:
	       reader_rewind(r);
}

/* Many readers need it never. */
static int prepare_once(struct reader *r, sqlite3_stmt **s, const char *sql)
{
	return *s ? 0 : db_prepare(r->db, sql, s);
}

int reader_over(struct reader **out, sqlite3 *db)
{
	_cleanup_(reader_freep) struct reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->texts = strtab_new();
	if (!r->texts)
		return -ENOMEM;
	err = schema_read_head(db, &r->head) ?: attach(r, db);
	if (!err)
		*out = steal_ptr(r);
	return err;
}

/* One transaction: all of it is of the same moment. */
static int open_at_once(sqlite3 **out, const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int err = db_open(&db, path, DB_READ) ?: db_exec(db, "BEGIN");

	if (!err)
		*out = steal_ptr(db);
	return err;
}

int reader_open(struct reader **out, const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int err = open_at_once(&db, path) ?: reader_over(out, db);

	if (err)
		return err;
	(*out)->owns_db = true;
	db = NULL;
	return 0;
}

void reader_pause(struct reader *r)
{
	detach(r);
}

int reader_resume(struct reader *r, const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	struct segment_head head;
	int err = open_at_once(&db, path) ?: schema_read_head(db, &head);

	if (!err && head.id != r->head.id)
		err = -ESTALE;
	if (err)
		return err;
	r->head = head;
	r->owns_db = true;
	return attach(r, steal_ptr(db));
}

const struct segment_head *reader_head(const struct reader *r)
{
	return &r->head;
}

const struct reader_damage *reader_damage(const struct reader *r)
{
	return &r->damage;
}

int reader_replaced(struct reader *r, int (*each)(void *ctx, int64_t id), void *ctx)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	int got = db_prepare(r->db, "SELECT id FROM replaced", &s);

	while (!got && (got = db_step(s)) > 0)
		got = each(ctx, sqlite3_column_int64(s, 0));
	return got;
}

/* --- windows -------------------------------------------------------------------------------------- */

int reader_rewind(struct reader *r)
{
	return scan_from(&r->windows, 0);
}

int reader_seek(struct reader *r, int64_t id)
{
	return scan_from(&r->windows, id);
}

int reader_last(struct reader *r, int64_t *id)
{
	int err = db_get_i64(r->db, "SELECT max(id) FROM windows", id);

	if (err == -ENODATA)
		*id = 0;
	return err == -ENODATA ? 0 : err;
}

int reader_next(struct reader *r, struct window_row *out)
{
	uint64_t before = r->windows.damage;
	int got;

	while ((got = scan_next(&r->windows)) > 0) {
		schema_read_window(r->windows.stmt, out);
		if (schema_window_has_time(out))
			break;
		r->damage.rows++;
	}
	r->damage.rows += r->windows.damage - before;
	return got;
}

int reader_samples(struct reader *r, struct dict_window *out)
{
	size_t len;
	const void *data = schema_counts(r->windows.stmt, &len);
	int err = counts_decode(&r->packer, out, data, len);

	r->damage.windows += err == -EBADMSG;
	return err;
}

int64_t reader_period(const struct reader *r, int64_t kind)
{
	return kind >= 0 && (size_t)kind < r->kinds.len ? r->kinds.data[kind].period : 0;
}

static int64_t cpu_of(const struct reader *r, const struct window_row *w, int64_t samples)
{
	int64_t cpu_ns;

	if (sqlite3_column_type(r->usage_stmt, 2) != SQLITE_NULL)
		return sqlite3_column_int64(r->usage_stmt, 2);
	return __builtin_mul_overflow(samples, reader_period(r, w->kind), &cpu_ns) ? 0 : cpu_ns;
}

int reader_usage(struct reader *r, const struct window_row *w,
		 int (*each)(void *ctx, uint32_t series, int64_t samples, int64_t cpu_ns),
		 void *ctx)
{
	int got = prepare_once(r, &r->usage_stmt,
			       "SELECT series, samples, cpu_ns FROM usage WHERE window = ?1");
	sqlite3_stmt *s = r->usage_stmt;

	if (!got && sqlite3_bind_int64(s, 1, w->id))
		got = -EIO;
	while (!got && (got = db_step(s)) > 0) {
		int64_t series = sqlite3_column_int64(s, 0), samples = sqlite3_column_int64(s, 1);

		got = series < 0 || series > MAX_SERIES
			      ? -EBADMSG
			      : each(ctx, (uint32_t)series, samples, cpu_of(r, w, samples));
	}
	sqlite3_reset(s);
	if (got == -EBADMSG)
		r->damage.rows++;
	return got;
}

/* --- the dictionary ------------------------------------------------------------------------------- */

uint32_t reader_count(const struct reader *r, enum section s)
{
	const struct section_refs *refs = &r->sections[s];

	return refs->v.len ? vec_last(&refs->v).first + vec_last(&refs->v).count : 0;
}

static void read_chunk(struct reader *r, enum section s, struct chunk_ref *ref)
{
	int err = prepare_once(r, &r->chunk_stmt, "SELECT data FROM dictionary WHERE id = ?1");
	sqlite3_stmt *stmt = r->chunk_stmt;

	ref->is_read = true;
	if (!err) {
		err = -EBADMSG;
		sqlite3_bind_int64(stmt, 1, ref->row);
		if (db_step(stmt) > 0)
			err = chunk_decode(&r->packer, &ref->chunk, s, ref->first, ref->count,
					   sqlite3_column_blob(stmt, 0),
					   (size_t)sqlite3_column_bytes(stmt, 0));
		sqlite3_reset(stmt);
	}
	r->damage.chunks += err != 0;
}

static bool holds(const struct chunk_ref *ref, uint32_t id)
{
	return id >= ref->first && id - ref->first < ref->count;
}

/* The chunk with this thing, read; NULL if there is none. */
static const struct chunk *find_chunk(struct reader *r, enum section s, uint32_t id)
{
	struct section_refs *refs = &r->sections[s];
	size_t low = 0, high = refs->v.len;
	struct chunk_ref *ref;

	if (!high)
		return NULL;
	ref = &refs->v.data[refs->last];
	if (!holds(ref, id)) {
		while (high - low > 1) { /* the last that begins at id or before */
			size_t mid = low + (high - low) / 2;

			if (refs->v.data[mid].first <= id)
				low = mid;
			else
				high = mid;
		}
		ref = &refs->v.data[low];
		if (!holds(ref, id))
			return NULL;
		refs->last = low;
	}
	if (!ref->is_read)
		read_chunk(r, s, ref);
	return ref->chunk.count ? &ref->chunk : NULL;
}

const char *reader_string(struct reader *r, uint32_t id)
{
	const struct chunk *c = find_chunk(r, SECTION_STRINGS, id);

	return c ? c->text + c->offsets[id - c->first] : NULL;
}

const void *reader_record(struct reader *r, enum section s, uint32_t id)
{
	const struct chunk *c = find_chunk(r, s, id);

	return c ? chunk_record(c, id) : NULL;
}

const int64_t *reader_values(struct reader *r, uint32_t labelset)
{
	const struct chunk *c = find_chunk(r, SECTION_LABELSETS, labelset);
	const struct dict_labelset *l = c ? chunk_record(c, labelset) : NULL;

	return l && c->values ? c->values + l->first_value : NULL;
}

const char *reader_series(struct reader *r, uint32_t id)
{
	if (!id)
		return "";
	return id < r->series.len ? r->series.data[id] : NULL;
}

uint32_t reader_count_series(const struct reader *r)
{
	return (uint32_t)r->series.len;
}

const void *reader_kind(struct reader *r, int64_t id, size_t *len)
{
	if (id < 0 || (size_t)id >= r->kinds.len)
		return NULL;
	*len = r->kinds.data[id].len;
	return r->kinds.data[id].data;
}

uint32_t reader_count_kinds(const struct reader *r)
{
	return (uint32_t)r->kinds.len;
}
