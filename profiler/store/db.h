/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to an SQLite file of the store: opened the way each use needs it, errors as -errno. */
#ifndef KILN_STORE_DB_H
#define KILN_STORE_DB_H

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

enum db_mode {
	DB_READ,  /* writes nothing */
	DB_WRITE, /* write-ahead log; a commit that has returned survives a power cut */
	DB_BUILD, /* a file that nobody reads yet: no journal, its maker syncs it once */
};

/* What one value may hold: a damaged file claims anything. */
#define DB_MAX_VALUE_BYTES (64 << 20)

/*
 * The file must exist; path is absolute. A lock of another process is waited for a second. What a writer left half
 * done who was killed is read from a copy in memory. 0 or -errno; -EBADMSG: it is no database, or a damaged one,
 * or what lies beside it is odd (profiler/store/companions.h); -EROFS or -EACCES: a writer was killed, and only
 * somebody who may write can finish what it did.
 */
int db_open(sqlite3 **out, const char *path, enum db_mode mode);
/* Finishes what a writer left half done who was killed: for the store's writer alone. 0 or -errno. */
int db_mend(const char *path);
/* NULL is fine. */
void db_close(sqlite3 *db);

/* -errno for what a call returned; 0 for SQLITE_OK, SQLITE_ROW and SQLITE_DONE. */
int db_error(sqlite3 *db, int rc);
/* Statements without results, separated by semicolons. */
int db_exec(sqlite3 *db, const char *sql);
/* The first column of the first row. -ENODATA: there is none. */
int db_get_i64(sqlite3 *db, const char *sql, int64_t *out);
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);
/* 1: a row is there. 0: the end. Else -errno. */
int db_step(sqlite3_stmt *s);
/* Runs a statement without results and makes it ready for the next run. 0 or -errno. */
int db_run(sqlite3_stmt *s);

static inline void db_stmt_freep(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}

static inline void db_closep(sqlite3 **db)
{
	db_close(*db);
}

#endif
