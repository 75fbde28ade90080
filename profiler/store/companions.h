/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies beside a segment's file under the names -journal, -wal and -shm. SQLite opens whatever has such a
 * name, and does what it says; so this looks first. It opens no segment's file: to close it would end SQLite's
 * locks on it.
 */
#ifndef KILN_STORE_COMPANIONS_H
#define KILN_STORE_COMPANIONS_H

#include <stdbool.h>

#include <sys/stat.h>

/*
 * Whether SQLite may open the segment of this absolute path. 0; -EBADMSG: something there is no file, or another
 * user's, or a journal that takes part in a transaction over several databases, at whose end SQLite removes the
 * file that it names; or another -errno.
 */
int companions_check(const char *path);

/* A journal that somebody left behind who was killed while he changed the kind of log. Without it the segment is
 * whole: it holds no more than the first page, of which nothing changes that readers look at. */
bool companions_journal_is_idle(const char *path, struct stat *journal);

#endif
