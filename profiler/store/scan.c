// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/scan.h"

#include <errno.h>
#include <stdbool.h>

#include "profiler/store/db.h"

/* Ids tried one after the other past a damaged place before the rest is given up: more rows than a
 * page holds. */
#define MAX_TRIES 1024

int scan_init(struct scan *s, sqlite3 *db, const char *sql)
{
	int err = db_prepare(db, sql, &s->stmt);

	return err ?: scan_from(s, 0);
}

int scan_from(struct scan *s, int64_t id)
{
	s->id = id - 1;
	sqlite3_reset(s->stmt);
	return sqlite3_bind_int64(s->stmt, 1, id) ? -EIO : 0;
}

static bool is_damage(int r)
{
	return r == -EBADMSG || r == -EIO;
}

int scan_next(struct scan *s)
{
	int64_t last = s->id;
	int r = db_step(s->stmt);

	for (int64_t id = last + 2; is_damage(r) && id < last + MAX_TRIES; id++) {
		s->damage += id == last + 2;
		if (scan_from(s, id))
			return -EIO;
		r = db_step(s->stmt);
	}
	if (is_damage(r))
		return 0;
	if (r > 0)
		s->id = sqlite3_column_int64(s->stmt, 0);
	if (r > 0 && s->id <= last) { /* pages in a circle */
		s->damage++;
		return 0;
	}
	return r;
}

void scan_release(struct scan *s)
{
	sqlite3_finalize(s->stmt);
	s->stmt = NULL;
}
