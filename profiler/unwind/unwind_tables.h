/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the walk in the kernel, one per file: compiled (symbolizer/worker/table_worker.h) or read
 * from the cache on disk, and put into the map of tables, all by a thread of its own; one table
 * serves all processes that map the file. Under a byte budget the least recently wanted go first.
 * Functions are for one thread, and none of them waits for a file, the compiler or the kernel.
 */
#ifndef KILN_UNWIND_UNWIND_TABLES_H
#define KILN_UNWIND_UNWIND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct table_worker;
struct unwind_tables;

struct unwind_tables_opts {
	int map_fd;		       /* kiln_unw_tables; borrowed */
	size_t budget_bytes;	       /* of all tables in the kernel; 0 = 32 MiB */
	const char *cache_dir;	       /* of compiled tables, by build id; NULL: none */
	struct table_worker *compiler; /* asked by the thread alone; borrowed */
};

int unwind_tables_new(struct unwind_tables **out, const struct unwind_tables_opts *opts);
void unwind_tables_free(struct unwind_tables *t);

enum unwind_table_state {
	TABLE_UNKNOWN, /* never asked for with a descriptor */
	TABLE_QUEUED,
	TABLE_LOADED,
	TABLE_NONE,    /* the file has no usable call frame information */
	TABLE_EVICTED, /* asking again loads it again */
};

/* `file` is the caller's number of a file. */
enum unwind_table_state unwind_tables_state(const struct unwind_tables *t, uint32_t file);

/* Why a file has none (TABLE_NONE), as table_worker_build(): -ECONNABORTED, its reader failed on it;
 * 0: it has, or may yet, or the kernel has no room. */
int unwind_tables_error(const struct unwind_tables *t, uint32_t file);

/* Queues the table of a file that is not there. fd stays the caller's. 0 or -errno. */
int unwind_tables_want(struct unwind_tables *t, uint32_t file, int fd);

/* Slot of a loaded table and address minus file offset in the segment that holds this offset of the
 * file; marks the table as used. False: not loaded, or no such segment. */
bool unwind_tables_get(struct unwind_tables *t, uint32_t file, uint64_t file_off, uint32_t *slot,
		       uint64_t *va_minus_off);

/* A loaded table as the kernel has it, for table_walk(): no copy, its pages are the kernel's. NULL if
 * it is not loaded. Borrowed until the next unwind_tables_poll(). */
const void *unwind_tables_blob(struct unwind_tables *t, uint32_t file);

/* A queued table is the next one that is compiled, on a CPU before others: somebody waits for it. */
void unwind_tables_hurry(struct unwind_tables *t, uint32_t file);

/* Takes over what the thread has finished: true if anything changed since the last call. */
bool unwind_tables_poll(struct unwind_tables *t);

/* Waits until nothing is queued, at most that long. For tests, and to begin with full tables. */
bool unwind_tables_settle(struct unwind_tables *t, int timeout_ms);

struct unwind_tables_stats {
	uint64_t loaded, bytes, evicted, slots_full, cache_hits, cache_writes, cache_bad;
	uint64_t none;	 /* files without */
	uint64_t failed; /* of these, on which their reader failed */
};
void unwind_tables_stats(struct unwind_tables *t, struct unwind_tables_stats *out);

#endif
