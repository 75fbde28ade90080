/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads unwind tables into the kernel: a thread compiles them or reads them from the cache on disk,
 * and puts them into the map of tables. unwind_tables.h decides which tables are worth their
 * memory. The loader keeps them within the budget. Internal to profiler/unwind. One thread calls
 * the functions. None but table_loader_settle() and table_loader_free() waits.
 */
#ifndef KILN_UNWIND_TABLE_LOADER_H
#define KILN_UNWIND_TABLE_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/unwind/unwind_cache.h"

struct table_loader;
struct sym_file;
struct table_worker;

struct table_loader_opts {
	int map_fd; /* kiln_unw_tables; borrowed. -1: tables stay in kiln's own memory */
	/* Of all tables in the kernel, including those to be emptied. */
	size_t budget_bytes;
	uint32_t max_tables;	       /* slots in use, at most UNWIND_TABLES_MAX */
	uint32_t max_queue;	       /* files that wait, each with a descriptor */
	const char *cache_dir;	       /* cache of compiled tables; NULL: none */
	struct table_worker *compiler; /* used by the loader's thread only; borrowed */
};

/* Starts the thread. 0 or -errno. */
int table_loader_new(struct table_loader **out, const struct table_loader_opts *opts);
/* Ends the thread, and its question to the table worker. */
void table_loader_free(struct table_loader *l);

/* Executable segments of a file. A normal file has one. */
#define TABLE_SEGMENTS_MAX 8

/* A table in the kernel. */
struct kernel_table {
	uint32_t slot, n_segs;
	size_t bytes;
	const void *blob; /* the kernel's own memory, mapped for reading */
	struct table_segment {
		uint64_t off, len, va_minus_off;
	} segs[TABLE_SEGMENTS_MAX];
};

/* Unmaps and frees it. NULL is fine. */
void kernel_table_free(struct kernel_table *t);

/*
 * Queues a file. Small files come first, but behind those in a hurry. `what` stays the caller's.
 * need_bytes: size of its table; 0: unknown. Such a table is not started before there is room for
 * it. 0, -EAGAIN (the queue is full) or another -errno.
 */
int table_loader_add(struct table_loader *l, uint32_t file, const struct sym_file *what,
		     size_t need_bytes);

/* Hurries a queued file, because samples wait: it is next, with a higher priority. */
void table_loader_hurry(struct table_loader *l, uint32_t file);

struct loaded {
	uint32_t file;
	/* Why the file has no table. -ENOSPC: there was no room. -EBUSY: the kernel refused. */
	int err;
	size_t bytes;		    /* size of the table, if it was compiled */
	struct kernel_table *table; /* NULL on error; owned by the caller */
};
/* Takes the next finished file. False: there is none. */
bool table_loader_next(struct table_loader *l, struct loaded *out);

/* Empties a slot that no process's mappings refer to any more. When no walk can be in it, the
 * table goes, and its room is free. When out of memory, the slot stays taken. */
void table_loader_empty(struct table_loader *l, uint32_t slot, size_t bytes);

/* Number of files that wait or are in work. *queued: those that wait. */
size_t table_loader_pending(struct table_loader *l, size_t *queued);

/* Waits until nothing is pending, at most timeout_ms. */
bool table_loader_settle(struct table_loader *l, int timeout_ms);

struct table_loader_stats {
	uint64_t bytes, slots; /* in use in the kernel now */
	/* Tables that had no room when they came; they can be requested again. */
	uint64_t no_room;
	uint64_t queue_full; /* files that were not queued */
	struct unwind_cache_stats cache;
};
void table_loader_stats(struct table_loader *l, struct table_loader_stats *out);

#endif
