// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/store/db.h"

/* A damaged file claims anything, and the next one has more. */
#define SEQUENCE_MAX (INT64_MAX / 2)
#define TIME_MAX_NS  (INT64_MAX / 4)

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

/* The accounting's numbers: each a column. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
#define X(key) {#key, offsetof(struct quality, key)},
	QUALITY_COUNTERS(X)
#undef X
#define X(key, text, cure) {"lost_" #key, offsetof(struct quality, lost[LOSS_##key])},
		LOSS_REASONS(X)
#undef X
};

#define N_COUNTERS ((int)(sizeof(counters) / sizeof(*counters)))

/* Columns before the counters, and the one after them. */
static const char *const first_columns[] = {"id",      "begin_unix_ns", "duration_ns", "kind",
					    "samples", "cpu_ns",	"lost"};
#define N_FIRST	  ((int)(sizeof(first_columns) / sizeof(*first_columns)))
#define COUNTS_AT (N_FIRST + N_COUNTERS)
#define N_COLUMNS (COUNTS_AT + 1)

static const char *column_name(int i)
{
	if (i < N_FIRST)
		return first_columns[i];
	return i < COUNTS_AT ? counters[i - N_FIRST].name : "counts";
}

static uint64_t *counter_of(struct quality *q, int i)
{
	return (uint64_t *)((char *)q + counters[i].offset);
}

/* --- making one ----------------------------------------------------------------------------------- */

static const char other_tables[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
	"CREATE TABLE replaced(id INTEGER PRIMARY KEY);"
	"CREATE TABLE kinds(id INTEGER PRIMARY KEY, sample_types TEXT, period INTEGER,"
	"  header BLOB);"
	"CREATE TABLE series(id INTEGER, n INTEGER, key TEXT, value TEXT, unit TEXT,"
	"  PRIMARY KEY(id, n)) WITHOUT ROWID;"
	"CREATE TABLE usage(window INTEGER, series INTEGER, samples INTEGER, cpu_ns INTEGER,"
	"  PRIMARY KEY(window, series)) WITHOUT ROWID;"
	"CREATE TABLE dictionary(id INTEGER PRIMARY KEY, section INTEGER, first INTEGER,"
	"  count INTEGER, data BLOB);"
	"PRAGMA application_id = " TEXT_OF(SCHEMA_APPLICATION_ID) ";"
								  "PRAGMA user_version = " TEXT_OF(
									  SCHEMA_VERSION) ";";

static int create_windows(sqlite3 *db)
{
	struct buf sql = {0};
	int err;

	buf_str(&sql, "CREATE TABLE windows(id INTEGER PRIMARY KEY");
	for (int i = 1; i < COUNTS_AT; i++)
		buf_printf(&sql, ", %s INTEGER", column_name(i));
	buf_str(&sql, ", counts BLOB)");
	err = sql.err ?: db_exec(db, buf_cstr(&sql));
	buf_release(&sql);
	return err;
}

int schema_set_meta(sqlite3 *db, const char *key, int64_t value)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	int err = db_prepare(db, "REPLACE INTO meta VALUES(?1, ?2)", &s);

	if (err)
		return err;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, value);
	return db_run(s);
}

int schema_create(sqlite3 *db, const struct segment_head *head)
{
	int err = db_exec(db, other_tables) ?: create_windows(db);

	err = err ?: schema_set_meta(db, "id", head->id);
	err = err ?: schema_set_meta(db, "begin_unix_ns", head->begin_unix_ns);
	err = err ?: schema_set_meta(db, "span_ns", head->span_ns);
	err = err ?: schema_set_meta(db, "window_ns", head->window_ns);
	err = err ?: schema_set_meta(db, "full", head->is_full);
	err = err ?: schema_set_meta(db, "sequence", head->sequence);
	return err ?: schema_set_meta(db, "state", head->state);
}

/* --- reading what it is --------------------------------------------------------------------------- */

/* Its maker is at it, or was killed before the tables were there. */
static int is_blank(sqlite3 *db)
{
	int64_t n;
	int err = db_get_i64(db, "SELECT count(*) FROM sqlite_master", &n);

	return err ?: n ? -EBADMSG : -ENODATA;
}

static int check_version(sqlite3 *db)
{
	int64_t id, version;
	int err = db_get_i64(db, "PRAGMA application_id", &id);

	err = err ?: db_get_i64(db, "PRAGMA user_version", &version);
	if (!err && !id && !version)
		return is_blank(db);
	if (err || id != SCHEMA_APPLICATION_ID || version < 1)
		return err ?: -EBADMSG;
	return version > SCHEMA_VERSION ? -ENOTSUP : 0;
}

/* Its end is a time, too. */
static bool is_time(const struct segment_head *h)
{
	return h->begin_unix_ns >= 0 && h->begin_unix_ns <= TIME_MAX_NS && h->span_ns > 0 &&
	       h->span_ns <= TIME_MAX_NS && h->window_ns >= 0 && h->window_ns <= TIME_MAX_NS;
}

int schema_read_head(sqlite3 *db, struct segment_head *out)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	struct segment_head head = {0};
	const struct {
		const char *key;
		int64_t *value;
	} fields[] = {{"id", &head.id},
		      {"begin_unix_ns", &head.begin_unix_ns},
		      {"span_ns", &head.span_ns},
		      {"window_ns", &head.window_ns},
		      {"state", &head.state},
		      {"full", &head.is_full},
		      {"sequence", &head.sequence}};
	int r = check_version(db) ?: db_prepare(db, "SELECT key, value FROM meta", &s);

	while (!r && (r = db_step(s)) > 0) {
		const char *key = (const char *)sqlite3_column_text(s, 0);
		int64_t value = sqlite3_column_int64(s, 1);

		for (size_t i = 0; key && i < sizeof(fields) / sizeof(*fields); i++)
			if (!strcmp(key, fields[i].key))
				*fields[i].value = value;
		r = 0;
	}
	if (!r &&
	    (!head.id || !is_time(&head) || head.sequence < 0 || head.sequence > SEQUENCE_MAX))
		r = -EBADMSG;
	if (!r)
		*out = head;
	return r;
}

/* --- windows -------------------------------------------------------------------------------------- */

int schema_prepare_insert(sqlite3 *db, sqlite3_stmt **out)
{
	struct buf sql = {0};
	int err;

	buf_str(&sql, "INSERT INTO windows(");
	for (int i = 0; i < N_COLUMNS; i++)
		buf_printf(&sql, "%s%s", i ? ", " : "", column_name(i));
	buf_str(&sql, ") VALUES(?1");
	for (int i = 1; i < N_COLUMNS; i++)
		buf_printf(&sql, ", ?%d", i + 1);
	buf_str(&sql, ")");
	err = sql.err ?: db_prepare(db, buf_cstr(&sql), out);
	buf_release(&sql);
	return err;
}

int schema_bind_window(sqlite3_stmt *s, const struct window_row *w)
{
	const int64_t first[N_FIRST] = {w->id,
					w->begin_unix_ns,
					w->duration_ns,
					w->kind,
					w->samples,
					w->cpu_ns,
					(int64_t)quality_lost(&w->quality)};
	int rc = SQLITE_OK;

	for (int i = 0; i < N_FIRST; i++)
		rc |= sqlite3_bind_int64(s, i + 1, first[i]);
	for (int i = 0; i < N_COUNTERS; i++)
		rc |= sqlite3_bind_int64(s, N_FIRST + i + 1,
					 (int64_t)*counter_of((struct quality *)&w->quality, i));
	return rc ? -ENOMEM : 0;
}

static int add_known_columns(sqlite3 *db, bool known[N_COLUMNS])
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	int r = db_prepare(db, "PRAGMA table_info(windows)", &s);

	while (!r && (r = db_step(s)) > 0) {
		const char *name = (const char *)sqlite3_column_text(s, 1);

		for (int i = 0; name && i < N_COLUMNS; i++)
			known[i] |= !strcmp(name, column_name(i));
		r = 0;
	}
	return r;
}

int schema_prepare_select(sqlite3 *db, sqlite3_stmt **out)
{
	bool known[N_COLUMNS] = {0};
	struct buf sql = {0};
	int err = add_known_columns(db, known);

	buf_str(&sql, "SELECT ");
	for (int i = 0; i < N_COLUMNS; i++)
		buf_printf(&sql, "%s%s", i ? ", " : "", known[i] ? column_name(i) : "0");
	buf_str(&sql, " FROM windows WHERE id >= ?1 ORDER BY id");
	err = err ?: sql.err ?: db_prepare(db, buf_cstr(&sql), out);
	buf_release(&sql);
	return err;
}

void schema_read_window(sqlite3_stmt *s, struct window_row *out)
{
	*out = (struct window_row){
		.id = sqlite3_column_int64(s, 0),
		.begin_unix_ns = sqlite3_column_int64(s, 1),
		.duration_ns = sqlite3_column_int64(s, 2),
		.kind = sqlite3_column_int64(s, 3),
		.samples = sqlite3_column_int64(s, 4),
		.cpu_ns = sqlite3_column_int64(s, 5),
	};
	for (int i = 0; i < N_COUNTERS; i++)
		*counter_of(&out->quality, i) = (uint64_t)sqlite3_column_int64(s, N_FIRST + i);
}

bool schema_window_has_time(const struct window_row *w)
{
	return w->begin_unix_ns >= 0 && w->begin_unix_ns <= TIME_MAX_NS && w->duration_ns >= 0 &&
	       w->duration_ns <= TIME_MAX_NS;
}

int schema_bind_counts(sqlite3_stmt *s, const void *data, size_t len)
{
	return sqlite3_bind_blob64(s, COUNTS_AT + 1, data, len, SQLITE_STATIC) ? -ENOMEM : 0;
}

const void *schema_counts(sqlite3_stmt *s, size_t *len)
{
	const void *data = sqlite3_column_blob(s, COUNTS_AT);
	int bytes = sqlite3_column_bytes(s, COUNTS_AT);

	*len = data && bytes > 0 ? (size_t)bytes : 0;
	return *len ? data : NULL;
}
