/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store's directory: who may see it, who writes it, and the files in it.
 *
 *	20261128T030000Z.kiln		a segment: its windows begin at that time (UTC) or later
 *	20261128T030000Z-2.kiln		another one from the same time
 *	...kiln-wal, -shm, -journal	SQLite's, beside the segment that is being written
 *	NAME.kiln.damaged		what cannot be read any more, kept to be looked at
 *	NAME.tmp			is being written by a compaction, or its end was a crash
 *	lock				the pid of the process that appends, which holds a lock on it
 *	maintenance			the same for whoever compacts or removes
 */
#ifndef KILN_STORE_DIR_H
#define KILN_STORE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/vec.h"

#define DIR_SUFFIX	   ".kiln"
#define DIR_DAMAGED_SUFFIX ".damaged"
#define DIR_TMP_SUFFIX	   ".tmp"
#define DIR_NAME_BYTES	   64

#define DIR_APPEND_LOCK	     "lock"
#define DIR_MAINTENANCE_LOCK "maintenance"

struct why;

struct dir {
	int fd;
	char *path;		/* absolute */
	uint64_t read_until_ns; /* see store_opts */
	gid_t group;		/* of files; (gid_t)-1: the process's own */
	pid_t pid;		/* that its locks name; 0: this process */
};

/* Opens it; with `create` makes it, and what is missing above it. 0 or -errno with a sentence. */
int dir_open(struct dir *d, const char *path, bool create, struct why *why);
void dir_close(struct dir *d);
/* Whether a path leads to it; true where nobody can tell. */
bool dir_is_at(const struct dir *d, const char *path);

/* Locks one of its lock files against other processes: a descriptor that holds the lock until it is
 * closed. -EBUSY: another one has it, *pid (0: nobody knows). */
int dir_lock(const struct dir *d, const char *name, pid_t *pid);

struct dir_entry {
	char name[DIR_NAME_BYTES]; /* "20261128T030000Z.kiln" */
	int64_t begin_ns;	   /* Unix time, from the name */
	uint64_t bytes;		   /* on disk, with SQLite's files beside it */
	bool is_damaged;	   /* put aside */
	bool is_empty;		   /* its maker has not come far */
};

struct dir_list {
	VEC(struct dir_entry) v; /* by time, then name */
};

/* All segments. 0 or -errno. */
int dir_list(const struct dir *d, struct dir_list *out);
void dir_list_release(struct dir_list *l);
/* Bytes on disk of a segment, with SQLite's files beside it. */
uint64_t dir_bytes(const struct dir *d, const char *name);
/* "/var/lib/kiln/NAME": 0 or -ENOMEM. The caller frees it. */
int dir_path(const struct dir *d, const char *name, char **out);

/* A new, empty file for a segment that begins then: its name, unlike all others. suffix: "" or
 * DIR_TMP_SUFFIX. 0 or -errno. */
int dir_create(const struct dir *d, int64_t begin_ns, const char *suffix,
	       char name[DIR_NAME_BYTES]);
/* Renames; a crash leaves one name or the other. 0 or -errno. */
int dir_rename(const struct dir *d, const char *from, const char *to);
/* Removes a segment and what SQLite has put beside it. 0 or -errno; 0 where it is not there. */
int dir_remove(const struct dir *d, const char *name);
/* Puts a damaged segment aside, under another name. 0 or -errno. */
int dir_put_aside(const struct dir *d, const char *name);
/* Removes what a crash has left behind: to be called under both locks. 0 or -errno. */
int dir_clean(const struct dir *d);

struct dir_space {
	uint64_t free_bytes; /* that an unprivileged process could still write there */
	uint64_t total_bytes;
};
/* Of its file system. 0 or -errno. */
int dir_space(const struct dir *d, struct dir_space *out);

#endif
