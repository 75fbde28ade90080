/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unwind tables in the kernel, one for each file; all processes that map the file share it.
 * They have a budget of bytes and of slots. The least recently walked table is evicted first, and
 * tables without users before others. An evicted table leaves its slot only after no mappings in
 * the kernel refer to the slot. It is loaded again when a walk needs it.
 *
 * One thread. No function but unwind_tables_settle() waits for a file, the compiler or the kernel.
 */
#ifndef KILN_UNWIND_UNWIND_TABLES_H
#define KILN_UNWIND_UNWIND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"
#include "profiler/unwind/table_state.h"
#include "profiler/unwind/unwind_cache.h"

struct sym_file;
struct table_worker;
struct unwind_tables;

struct unwind_tables_opts {
	int map_fd;	       /* kiln_unw_tables, borrowed; -1: tables are for user space alone */
	const char *cache_dir; /* cache of compiled tables; NULL: none */
	struct table_worker *compiler; /* used by the loader's thread only; borrowed */
	/* For each of UNWIND_TABLES_MAX slots: not 0 if a walk in the kernel has used it; reset
	 * here. NULL: only unwind_tables_touch() reports uses. */
	uint8_t *walked;
	/* Number of processes that map a file. The function may be NULL: none. */
	uint32_t (*users)(void *ctx, uint32_t file);
	void *users_ctx;
	/* For tests and small machines; 0: the default after the semicolon. */
	size_t budget_bytes; /* of all tables in the kernel; 32 MiB */
	uint32_t max_tables; /* in the kernel; UNWIND_TABLES_MAX */
	uint32_t max_files;  /* files with an entry; 65,537 */
	uint32_t
		max_queue; /* files that wait to be compiled, each with a descriptor; 256, or a share */
	uint64_t hot_ns; /* a mapped table stays so long after a walk; a second */
};

int unwind_tables_new(struct unwind_tables **out, const struct unwind_tables_opts *opts);
void unwind_tables_free(struct unwind_tables *t);

/* State of a file's table. `file` is the caller's number of the file. */
enum unwind_table_state unwind_tables_state(const struct unwind_tables *t, uint32_t file);

/* Why a file has no table (TABLE_NONE): errors of table_worker_build(); -ECONNABORTED: the
 * reader failed on the file. 0: it has one, may get one, or the kernel has no room. */
int unwind_tables_error(const struct unwind_tables *t, uint32_t file);

/*
 * Requests the table of a file. `what` stays the caller's. 0; -EAGAIN: the queue is full just now;
 * -ENOSPC: all other tables are in use, so do not request it for a second (counted); or another
 * -errno.
 */
int unwind_tables_want(struct unwind_tables *t, uint32_t file, const struct sym_file *what);

/* True if a request that got -EAGAIN may be repeated. */
bool unwind_tables_has_queue(struct unwind_tables *t);

/* Gives the slot of a loaded table, and address minus file offset in the segment that holds this
 * file offset. False: not loaded, or no such segment. */
bool unwind_tables_get(const struct unwind_tables *t, uint32_t file, uint64_t file_off,
		       uint32_t *slot, uint64_t *va_minus_off);

/* Gives the slot of a loaded table, and the offset in the file of this ELF address, if that is in an executable
 * segment. False: not loaded, or no such segment. */
bool unwind_tables_find_code(const struct unwind_tables *t, uint32_t file, uint64_t elf_va,
			     uint32_t *slot, uint64_t *file_off);

/*
 * Tables of code made at run time come from a jitdump, which grows. They describe addresses of the process, so
 * they have no segments, and only user space walks by them.
 */

/* True if a newer table may be requested now: there is a table, or the dump had no code so far (-EAGAIN), and
 * the last request was not a moment ago. */
bool unwind_tables_may_renew(const struct unwind_tables *t, uint32_t file);
/* Requests a newer table. The one that is there stays until the newer one comes. Errors as from
 * unwind_tables_want(). */
int unwind_tables_renew(struct unwind_tables *t, uint32_t file, const struct sym_file *what);
/* True if the loaded table was requested at this time (CLOCK_BOOTTIME) or later, or made of a dump of this size
 * (its low half; 0: unknown). */
bool unwind_tables_is_as_new(const struct unwind_tables *t, uint32_t file, uint64_t since_ns,
			     uint32_t written);

/* Reports that a walk in user space used the table. */
void unwind_tables_touch(struct unwind_tables *t, uint32_t file);

/* A loaded table, for table_walk(). Its pages are the kernel's, so nothing is copied. NULL: not
 * loaded. Borrowed until the next unwind_tables_poll(). */
const void *unwind_tables_blob(const struct unwind_tables *t, uint32_t file);

/* Hurries a queued table, because raw samples wait for it: it is compiled next, with a higher
 * priority. */
void unwind_tables_hurry(struct unwind_tables *t, uint32_t file);

/*
 * Takes loaded tables over, and evicts others. Returns the number of files whose state has changed,
 * with the files at *files. The caller sets the mappings of all processes that map them again, and
 * then calls unwind_tables_release(). It may sort the array, which lives until the next poll.
 */
size_t unwind_tables_poll(struct unwind_tables *t, uint32_t **files);

/* Call when no process's mappings in the kernel refer to evicted tables any more. Their slots
 * may then be used again. */
void unwind_tables_release(struct unwind_tables *t);

/* Forgets the files that are unknown now. The next poll evicts their tables. */
void unwind_tables_forget(struct unwind_tables *t, bool (*known)(void *ctx, uint32_t file),
			  void *ctx);

/* Waits until the queue is empty, at most timeout_ms. For tests, and before sampling starts. */
bool unwind_tables_settle(struct unwind_tables *t, int timeout_ms);

struct unwind_tables_stats {
	uint64_t loaded, bytes; /* now; bytes includes evicted tables that still have a slot */
	uint64_t files;		/* with an entry now */
	uint64_t evicted;
	uint64_t no_room; /* requests refused for a second: all others are in use */
	uint64_t files_full, queue_full;
	uint64_t jit_refused; /* descriptions in jitdumps: malformed, or over a cap */
	struct unwind_cache_stats cache;
	uint64_t none;	 /* files without a table */
	uint64_t failed; /* of these, files on which the reader failed */
};
void unwind_tables_stats(struct unwind_tables *t, struct unwind_tables_stats *out);

#endif
