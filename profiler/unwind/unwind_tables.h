/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the walk in the kernel, one per file; one table serves all processes that map the file.
 * They have a budget of bytes and of slots. What was not walked by for the longest time goes first, and
 * what no process maps before what one does. A table that goes leaves its slot only after nobody's
 * mappings name it any more; whoever has mapped its file gets it back when a walk wants it.
 *
 * Functions are for one thread, and none of them waits for a file, the compiler or the kernel.
 */
#ifndef KILN_UNWIND_UNWIND_TABLES_H
#define KILN_UNWIND_UNWIND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"
#include "profiler/unwind/unwind_cache.h"

struct table_worker;
struct unwind_tables;

struct unwind_tables_opts {
	int map_fd;		       /* kiln_unw_tables; borrowed */
	const char *cache_dir;	       /* of compiled tables, by build id; NULL: none */
	struct table_worker *compiler; /* asked by a thread alone; borrowed */
	/* By slot: not 0 if a walk in the kernel used it; set back here. UNWIND_TABLES_MAX of them, or
	 * NULL: only unwind_tables_touch() says what is used. */
	uint8_t *walked;
	/* How many processes have mapped a file; NULL: none. */
	uint32_t (*users)(void *ctx, uint32_t file);
	void *users_ctx;
	/* 0: as said. For tests and small machines. */
	size_t budget_bytes; /* of all tables in the kernel; 32 MiB */
	uint32_t max_tables; /* in the kernel; UNWIND_TABLES_MAX */
	uint32_t max_files;  /* of which something is known; 65,537 */
	uint32_t max_queue;  /* waiting to be compiled, each with a descriptor; 256 */
	uint64_t hot_ns;     /* one that is mapped is not evicted so soon after a walk; a second */
};

int unwind_tables_new(struct unwind_tables **out, const struct unwind_tables_opts *opts);
void unwind_tables_free(struct unwind_tables *t);

enum unwind_table_state {
	TABLE_UNKNOWN, /* never asked for with a descriptor, or forgotten */
	TABLE_QUEUED,
	TABLE_LOADED,
	TABLE_NONE,    /* the file has no usable call frame information */
	TABLE_EVICTED, /* or there was no room for it: asking again loads it if there is some now */
};

/* `file` is the caller's number of a file. */
enum unwind_table_state unwind_tables_state(const struct unwind_tables *t, uint32_t file);

/* Why a file has none (TABLE_NONE), as table_worker_build(): -ECONNABORTED, its reader failed on it;
 * 0: it has, or may yet, or the kernel has no room. */
int unwind_tables_error(const struct unwind_tables *t, uint32_t file);

/*
 * Queues the table of a file that is not there. fd stays the caller's. 0; -EAGAIN: too many are queued
 * just now; -ENOSPC: all others are in use, and it is not to be asked for again for a second (counted);
 * or another -errno.
 */
int unwind_tables_want(struct unwind_tables *t, uint32_t file, int fd);

/* Whether a file that was answered -EAGAIN may try again. */
bool unwind_tables_has_queue(struct unwind_tables *t);

/* Slot of a loaded table and address minus file offset in the segment that holds this offset of the
 * file. False: not loaded, or no such segment. */
bool unwind_tables_get(const struct unwind_tables *t, uint32_t file, uint64_t file_off,
		       uint32_t *slot, uint64_t *va_minus_off);

/* A walk in user space used it. */
void unwind_tables_touch(struct unwind_tables *t, uint32_t file);

/* A loaded table as the kernel has it, for table_walk(): no copy, its pages are the kernel's. NULL if
 * it is not loaded. Borrowed until the next unwind_tables_poll(). */
const void *unwind_tables_blob(const struct unwind_tables *t, uint32_t file);

/* A queued table is the next one that is compiled, on a CPU before others: somebody waits for it. */
void unwind_tables_hurry(struct unwind_tables *t, uint32_t file);

/*
 * Takes over what has been compiled, and evicts. Returns the number of files of which the state has
 * changed, at *files: the mappings of all processes that have mapped them are to be set again, and then
 * unwind_tables_release() to be called. The array is the caller's to sort, until the next poll.
 */
size_t unwind_tables_poll(struct unwind_tables *t, uint32_t **files);

/* No process's mappings in the kernel name an evicted table any more: their slots may be used again. */
void unwind_tables_release(struct unwind_tables *t);

/* Forgets the files that are not known any more; their tables are evicted by the next poll. */
void unwind_tables_forget(struct unwind_tables *t, bool (*known)(void *ctx, uint32_t file),
			  void *ctx);

/* Waits until nothing is queued, at most that long. For tests, and to begin with full tables. */
bool unwind_tables_settle(struct unwind_tables *t, int timeout_ms);

struct unwind_tables_stats {
	uint64_t loaded, bytes; /* now; bytes also of those that are being emptied */
	uint64_t files;		/* known now */
	uint64_t evicted;
	uint64_t no_room; /* wanted, and refused for a second: all others are in use */
	uint64_t files_full, queue_full;
	struct unwind_cache_stats cache;
	uint64_t none;	 /* files without */
	uint64_t failed; /* of these, on which their reader failed */
};
void unwind_tables_stats(struct unwind_tables *t, struct unwind_tables_stats *out);

#endif
