/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of files that can be made again. The least recently used files are removed first. */
#ifndef KILN_BASE_CACHE_DIR_H
#define KILN_BASE_CACHE_DIR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Path of such a directory: `name` below KILN_CACHE_DIR, for root /var/cache/kiln, else the user's
 * cache directory (XDG Base Directory Specification). Returns `path`, or NULL if there is none.
 */
const char *cache_dir_path(const char *name, char *path, size_t size);

/*
 * Opens the directory. Creates it if needed (mode 0700, its parents 0755). Refuses a directory that
 * does not belong to this user or root, or that others can write to, because its files are trusted.
 * Removes what cache_dir_new_file() made and nobody writes any more.
 * Returns a descriptor or -errno.
 */
int cache_dir_open(const char *path);

/*
 * Creates a file that gets its name by renameat() once it is complete; `name` is what it is called until then. The
 * caller's lock on it (flock(2)) says that it is being written: those that nobody locks were left by a process that
 * was killed, and go when the directory is opened. Returns a descriptor or -errno.
 */
#define CACHE_DIR_NAME_MAX 32
int cache_dir_new_file(int dirfd, char name[CACHE_DIR_NAME_MAX]);

/* Marks a file as used now. */
void cache_dir_touch(int fd);

/*
 * If `room` more bytes do not fit into `max_bytes`, unlinks the least recently used files whose names have one of the
 * suffixes (NULL-terminated), until they do and a sixteenth of max_bytes is free beside them. Each file counts as at
 * least 4 KiB. *left, 0 at first, is what may be added before it looks at the files again: that sixteenth at most,
 * because others add to the directory, too. Returns the number of files that it unlinked.
 */
unsigned cache_dir_make_room(int dirfd, const char *const *suffixes, uint64_t room,
			     uint64_t max_bytes, uint64_t *left);

#endif
