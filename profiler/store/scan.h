/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of a table by id, also past a damaged page: what is on other pages is read. */
#ifndef KILN_STORE_SCAN_H
#define KILN_STORE_SCAN_H

#include <stdint.h>

#include <sqlite3.h>

struct scan {
	sqlite3_stmt *stmt; /* yields ids of ?1 and above, ascending, in its first column */
	int64_t id;	    /* of the current row; 0 before the first */
	uint64_t damage;    /* places where rows could not be read */
};

/* 0 or -errno; to be released either way. */
int scan_init(struct scan *s, sqlite3 *db, const char *sql);
/* From an id on. */
int scan_from(struct scan *s, int64_t id);
/* 1: a row; 0: the end; or -errno, but not for damage. */
int scan_next(struct scan *s);
void scan_release(struct scan *s);

#endif
