/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes have mapped the files of which unwind tables. When a table comes or goes, the
 * mappings of these processes are set again. Pure memory. Not thread-safe.
 */
#ifndef KILN_UNWIND_TABLE_USERS_H
#define KILN_UNWIND_TABLE_USERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct table_users;

/* max_bytes 0: 8 MiB, for 30,000 processes with 50 files each. 0 or -ENOMEM. */
int table_users_new(struct table_users **out, size_t max_bytes);
void table_users_free(struct table_users *u);

/* Sets the files that a process maps, and sorts the array. 0; -ENOSPC (counted) or -ENOMEM: then
 * the process is forgotten. */
int table_users_set(struct table_users *u, pid_t tgid, uint32_t *files, size_t n);
void table_users_remove(struct table_users *u, pid_t tgid);

/* Number of processes that map a file. */
uint32_t table_users_count(const struct table_users *u, uint32_t file);

/* Calls fn for each process that maps one of these files. Sorts the array. fn must not change u. */
void table_users_each(const struct table_users *u, uint32_t *files, size_t n,
		      void (*fn)(void *ctx, pid_t tgid), void *ctx);

struct table_users_stats {
	uint64_t processes, bytes;
	uint64_t refused; /* processes left out for lack of room */
};
void table_users_stats(const struct table_users *u, struct table_users_stats *out);

#endif
