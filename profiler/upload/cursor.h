/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far each destination is, on disk: one small file for each, written anew, synced and renamed, so that a crash
 * leaves the old one or the new one. The files of a directory are one process's.
 *
 *	NAME.cursor	of a destination; letters of NAME that no file should have are %XX
 *	NAME.removed	of one that is in the configuration no more: for some days, should it come back
 *	NAME.status	what it has answered last, for people (delivery_status.h); not synced
 *	lock
 */
#ifndef KILN_UPLOAD_CURSOR_H
#define KILN_UPLOAD_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/why.h"
#include "profiler/store/spool.h"

#define CURSOR_KEPT_NS	(7 * 86400 * 1000000000ll) /* of destinations that were removed */
#define CURSOR_NAME_MAX 64

struct cursors {
	int dir, lock; /* descriptors; -1: none */
};

/* The directory is made if it is missing, but not what is above it. 0; -EBUSY: another process has it; or
 * another -errno with a sentence. */
int cursors_open(struct cursors *c, const char *path, struct why *why);
void cursors_close(struct cursors *c);

/* 1: it is there, also if it had been removed; 0: there is none; -EBADMSG: nobody can read it any more, or not this
 * version; or another -errno. */
int cursor_load(const struct cursors *c, const char *name, struct spool_place *out);
/* It is on disk when this returns 0; else the old one is, or -errno. */
int cursor_save(const struct cursors *c, const char *name, const struct spool_place *p);

struct buf;
/* The text of NAME.status. 0 or -errno. */
int cursor_save_status(const struct cursors *c, const char *name, const struct buf *text);
/* That of the directory at path, whoever has it; to be freed. 0; -ENOENT; or another -errno. */
int cursor_load_status(char **out, const char *path, const char *name);

struct cursor_sweep {
	bool (*is_known)(void *ctx, const char *name);
	/* Of one that is not, when that is noticed. */
	void (*removed)(void *ctx, const char *name, const struct spool_place *p);
	void *ctx;
};
/* Puts aside what belongs to no destination, and removes what was put aside some days before now. 0 or -errno. */
int cursors_sweep(const struct cursors *c, int64_t now_unix_ns, const struct cursor_sweep *s);

#endif
