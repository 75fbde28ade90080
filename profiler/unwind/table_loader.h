/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables on their way into the kernel: compiled or read from the cache on disk, and put into
 * the map of tables, all by a thread of its own. Which of them are worth their memory is decided by
 * unwind_tables.h; here they never take more of it than they may. Internal to profiler/unwind.
 * Functions are for one thread, and none of them waits for a file, the compiler or the kernel.
 */
#ifndef KILN_UNWIND_TABLE_LOADER_H
#define KILN_UNWIND_TABLE_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/unwind/unwind_cache.h"

struct table_loader;
struct table_worker;

struct table_loader_opts {
	int map_fd;		       /* kiln_unw_tables; borrowed */
	size_t budget_bytes;	       /* of all tables in the kernel, also those to be emptied */
	uint32_t max_tables;	       /* slots used, at most UNWIND_TABLES_MAX */
	uint32_t max_queue;	       /* files waiting, each with a descriptor */
	const char *cache_dir;	       /* of compiled tables, by build id; NULL: none */
	struct table_worker *compiler; /* asked by the thread alone; borrowed */
};

/* Starts the thread. 0 or -errno. */
int table_loader_new(struct table_loader **out, const struct table_loader_opts *opts);
/* Ends it, and questions to the compiler. */
void table_loader_free(struct table_loader *l);

/* The executable segments of a file: a normal one has 1. */
#define TABLE_SEGMENTS_MAX 8

/* A table that the kernel has. */
struct kernel_table {
	uint32_t slot, n_segs;
	size_t bytes;
	const void *blob; /* the kernel's own memory, mapped to be read */
	struct table_segment {
		uint64_t off, len, va_minus_off;
	} segs[TABLE_SEGMENTS_MAX];
};

/* Gives the mapping back. NULL is fine. */
void kernel_table_free(struct kernel_table *t);

/*
 * Queues a file; small ones come first, but behind those in a hurry. fd stays the caller's. need_bytes:
 * of its table, if that is known: it is not begun before there is room for it. 0, -EAGAIN (too many
 * are queued) or another -errno.
 */
int table_loader_add(struct table_loader *l, uint32_t file, int fd, size_t need_bytes);

/* A queued one is next, on a CPU before others: somebody waits for it. */
void table_loader_hurry(struct table_loader *l, uint32_t file);

struct loaded {
	uint32_t file;
	/* Why the file has no table; -ENOSPC: there was no room for it; -EBUSY: the kernel refused. */
	int err;
	size_t bytes;		    /* of the table, if it was compiled */
	struct kernel_table *table; /* NULL if err; the caller's */
};
/* Takes what is finished, one by one. False: nothing is. */
bool table_loader_next(struct table_loader *l, struct loaded *out);

/* No process's mappings name this slot any more: once no walk can be in it, the table goes and its
 * room is free. Out of memory: it stays taken. */
void table_loader_empty(struct table_loader *l, uint32_t slot, size_t bytes);

/* Files that wait or are being worked at; of these, those that wait. */
size_t table_loader_pending(struct table_loader *l, size_t *queued);

/* Waits until nothing is pending, at most that long. */
bool table_loader_settle(struct table_loader *l, int timeout_ms);

struct table_loader_stats {
	uint64_t bytes, slots; /* taken in the kernel now */
	uint64_t no_room;      /* tables that came when there was no room; they can be had again */
	uint64_t queue_full;   /* files that were not queued */
	struct unwind_cache_stats cache;
};
void table_loader_stats(struct table_loader *l, struct table_loader_stats *out);

#endif
