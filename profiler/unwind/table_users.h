/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes have mapped the files of which unwind tables: who has to be told when a table comes
 * or goes, and which tables nobody maps. Pure memory. Not thread-safe.
 */
#ifndef KILN_UNWIND_TABLE_USERS_H
#define KILN_UNWIND_TABLE_USERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct table_users;

/* max_bytes: 0 = 8 MiB, 30,000 processes of 50 files each. 0 or -ENOMEM. */
int table_users_new(struct table_users **out, size_t max_bytes);
void table_users_free(struct table_users *u);

/* A process maps these files and no others; the array is sorted in place. 0; -ENOSPC (counted) or
 * -ENOMEM: it is not known any more. */
int table_users_set(struct table_users *u, pid_t tgid, uint32_t *files, size_t n);
void table_users_remove(struct table_users *u, pid_t tgid);

/* Processes that map a file. */
uint32_t table_users_count(const struct table_users *u, uint32_t file);

/* Calls fn for each process that maps one of these files, which are sorted in place. fn must not
 * change u. */
void table_users_each(const struct table_users *u, uint32_t *files, size_t n,
		      void (*fn)(void *ctx, pid_t tgid), void *ctx);

struct table_users_stats {
	uint64_t processes, bytes;
	uint64_t refused; /* processes for which there was no room */
};
void table_users_stats(const struct table_users *u, struct table_users_stats *out);

#endif
