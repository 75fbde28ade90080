// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/store/companions.h"

#define BUSY_MS	  1000
#define MAX_TRIES 8 /* while a writer mends it */
#define PAUSE_NS  20000000l
/* Of a segment that is read from a copy: only those are that were being written. */
#define COPY_MAX_BYTES (64 << 20)

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

static int open_with(sqlite3 **out, const char *name, int flags)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 NULL);

	if (!db)
		return -ENOMEM;
	if (rc)
		return db_error(db, sqlite3_extended_errcode(db)) ?: -EIO;
	*out = steal_ptr(db);
	return 0;
}

/* Any read looks for a journal that has to be rolled back; whoever may write rolls it back. */
static int look_at_journal(sqlite3 *db)
{
	return db_exec(db, "PRAGMA schema_version");
}

int db_mend(const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int err = companions_check(path) ?: open_with(&db, path, SQLITE_OPEN_READWRITE);

	return err ?: set_up(db, DB_READ) ?: look_at_journal(db);
}

/* --- a copy of a segment that its writer has yet to mend ------------------------------------------- */

/* A name by which SQLite reads the file as it is: without journal, log and locks. */
static int name_as_it_is(const char *path, char **out)
{
	struct buf name = {0};
	int err;

	buf_str(&name, "file://");
	for (const char *p = path; *p; p++)
		buf_printf(&name, *p == '/' ? "%c" : "%%%02x", (unsigned char)*p);
	buf_str(&name, "?immutable=1");
	*out = name.err ? NULL : strdup(buf_cstr(&name));
	err = name.err ?: *out ? 0 : -ENOMEM;
	buf_release(&name);
	return err;
}

static int copy_into(sqlite3 *to, sqlite3 *from)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");

	if (!b)
		return db_error(to, sqlite3_extended_errcode(to)) ?: -EIO;
	sqlite3_backup_step(b, -1);
	return db_error(to, sqlite3_backup_finish(b));
}

static int copy_as_it_is(sqlite3 **out, const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL, *copy = NULL;
	_cleanup_free_ char *name = NULL;
	int err = name_as_it_is(path, &name);

	err = err ?: open_with(&db, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
	err = err ?: open_with(&copy, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	err = err ?: copy_into(copy, db) ?: set_up(copy, DB_READ);
	if (!err)
		*out = steal_ptr(copy);
	return err;
}

/* -EAGAIN: its writer is at it just now. */
static int open_copy(sqlite3 **out, const char *path)
{
	_cleanup_(db_closep) sqlite3 *copy = NULL;
	struct stat file, before, after;
	int err;

	if (lstat(path, &file))
		return -errno;
	if (file.st_size > COPY_MAX_BYTES || !companions_journal_is_idle(path, &before))
		return -EROFS;
	err = copy_as_it_is(&copy, path);
	if (err)
		return err;
	if (!companions_journal_is_idle(path, &after) || after.st_ino != before.st_ino ||
	    after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
	    after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
		return -EAGAIN;
	*out = steal_ptr(copy);
	return 0;
}

/* --- opening ---------------------------------------------------------------------------------------- */

static int open_to_read(sqlite3 **out, const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int err = open_with(&db, path, SQLITE_OPEN_READONLY);

	err = err ?: set_up(db, DB_READ) ?: look_at_journal(db);
	if (db && sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK)
		return open_copy(out, path);
	/* Not the file itself: its log ends just now, or nobody who may write has looked at it. */
	if (err == -ENOENT && !access(path, F_OK))
		return -EAGAIN;
	if (!err)
		*out = steal_ptr(db);
	return err;
}

static int open_to_write(sqlite3 **out, const char *path, enum db_mode mode)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int err = open_with(&db, path, SQLITE_OPEN_READWRITE) ?: set_up(db, mode);

	if (!err)
		*out = steal_ptr(db);
	return err;
}

int db_open(sqlite3 **out, const char *path, enum db_mode mode)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int err = -EAGAIN;

	for (int i = 0; i < MAX_TRIES && err == -EAGAIN; i++) {
		if (i)
			nanosleep(&pause, NULL);
		err = companions_check(path);
		if (!err && mode == DB_READ)
			err = open_to_read(out, path);
		else if (!err)
			err = open_to_write(out, path, mode);
	}
	return err == -EAGAIN ? -EROFS : err;
}

void db_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}
