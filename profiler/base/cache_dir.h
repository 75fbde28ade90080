/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of files that can be made again, of which the least recently used go. */
#ifndef KILN_BASE_CACHE_DIR_H
#define KILN_BASE_CACHE_DIR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where kiln keeps such a directory: `name` below KILN_CACHE_DIR, /var/cache/kiln for root, else the
 * user's cache directory (XDG Base Directory Specification). path, or NULL if there is none.
 */
const char *cache_dir_path(const char *name, char *path, size_t size);

/*
 * Opens the directory, created (mode 0700, those above it 0755) if need be. Only one that belongs to
 * us or to root, and that nobody else can write to, is believed: its files are. A descriptor, or
 * -errno.
 */
int cache_dir_open(const char *path);

/* Marks a file as used now. */
void cache_dir_touch(int fd);

/*
 * Unlinks the least recently used files whose names have one of the suffixes (NULL-terminated) until
 * `room` more bytes fit into `max_bytes`. A file counts as 4 KiB at least: an empty one takes room
 * too. Returns the number of files that went.
 */
unsigned cache_dir_make_room(int dirfd, const char *const *suffixes, uint64_t room,
			     uint64_t max_bytes);

#endif
