// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/db.h"

#include <errno.h>

#include "profiler/base/cleanup.h"

#define BUSY_MS 1000

/* Small pages: a window adds some 10 KB in rows of a few hundred bytes each. The log moves into the
 * file every 256 pages, and takes no room afterwards. */
static const char write_settings[] = "PRAGMA page_size = 1024;"
				     "PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = FULL;"
				     "PRAGMA wal_autocheckpoint = 256;"
				     "PRAGMA journal_size_limit = 0;"
				     "PRAGMA cache_size = -512;"
				     "PRAGMA secure_delete = ON;"; /* what is removed is gone */

static const char build_settings[] = "PRAGMA page_size = 4096;"
				     "PRAGMA journal_mode = OFF;"
				     "PRAGMA synchronous = OFF;"
				     "PRAGMA locking_mode = EXCLUSIVE;";

/* No memory maps: a file that shrinks would be a SIGBUS. */
static const char all_settings[] = "PRAGMA mmap_size = 0;"
				   "PRAGMA temp_store = MEMORY;"
				   "PRAGMA cell_size_check = ON;";

static int system_error(sqlite3 *db, int fallback)
{
	int err = sqlite3_system_errno(db);

	return err ? -err : fallback;
}

int db_error(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return system_error(db, -ENOENT);
	case SQLITE_IOERR:
		/* a file that is shorter than its pages say */
		return rc == SQLITE_IOERR_SHORT_READ ? -EBADMSG : system_error(db, -EIO);
	default: /* NOTADB, CORRUPT, a table that is missing */
		return -EBADMSG;
	}
}

int db_exec(sqlite3 *db, const char *sql)
{
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	return db_error(db, sqlite3_extended_errcode(db));
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return db_error(db, sqlite3_extended_errcode(db));
	*out = s;
	return 0;
}

int db_step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);
	sqlite3 *db = sqlite3_db_handle(s);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_error(db, sqlite3_extended_errcode(db)) ?: -EIO;
}

int db_run(sqlite3_stmt *s)
{
	int r = db_step(s);

	sqlite3_reset(s);
	return r < 0 ? r : 0;
}

int db_get_i64(sqlite3 *db, const char *sql, int64_t *out)
{
	_cleanup_(db_stmt_freep) sqlite3_stmt *s = NULL;
	int r = db_prepare(db, sql, &s);

	if (r)
		return r;
	r = db_step(s);
	if (r < 0)
		return r;
	if (!r || sqlite3_column_type(s, 0) == SQLITE_NULL)
		return -ENODATA;
	*out = sqlite3_column_int64(s, 0);
	return 0;
}

static int set_up(sqlite3 *db, enum db_mode mode)
{
	int err;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, DB_MAX_VALUE_BYTES);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	err = db_exec(db, all_settings);
	if (!err && mode == DB_WRITE)
		err = db_exec(db, write_settings);
	if (!err && mode == DB_BUILD)
		err = db_exec(db, build_settings);
	return err;
}

static int open_with(sqlite3 **out, const char *path, int flags)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 NULL);

	if (!db)
		return -ENOMEM;
	if (rc)
		return db_error(db, sqlite3_extended_errcode(db)) ?: -EIO;
	*out = steal_ptr(db);
	return 0;
}

/* Any read looks for a journal that has to be rolled back, and rolls it back. */
static int look_at_journal(sqlite3 *db)
{
	return db_exec(db, "PRAGMA schema_version");
}

/* Whoever made or closed the segment was killed while he changed its journal: one who may write has to
 * finish it before others can read. */
static int roll_back_as_writer(const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int err = open_with(&db, path, SQLITE_OPEN_READWRITE) ?: set_up(db, DB_READ);

	return err ?: look_at_journal(db);
}

static int open_to_read(sqlite3 *db, const char *path)
{
	int err = set_up(db, DB_READ) ?: look_at_journal(db);

	if (sqlite3_extended_errcode(db) != SQLITE_READONLY_ROLLBACK)
		return err;
	return roll_back_as_writer(path) ?: look_at_journal(db);
}

int db_open(sqlite3 **out, const char *path, enum db_mode mode)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int flags = mode == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	int err = open_with(&db, path, flags);

	if (!err)
		err = mode == DB_READ ? open_to_read(db, path) : set_up(db, mode);
	if (!err)
		*out = steal_ptr(db);
	return err;
}

void db_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}
