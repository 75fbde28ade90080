/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the kernel's maps for the table walk up to date: writes the mappings of the process table
 * to them, and has tables of the mapped files loaded. One thread; no function but
 * unwind_feed_settle() waits.
 */
#ifndef KILN_UNWIND_UNWIND_FEED_H
#define KILN_UNWIND_UNWIND_FEED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/unwind/unwind_maps.h"
#include "profiler/unwind/unwind_tables.h"

struct unwind_feed;
struct files;
struct proc_mapping;
struct procs;
struct sampler;

struct unwind_feed_opts {	 /* all are borrowed */
	struct sampler *sampler; /* NULL: nothing walks in the kernel */
	struct files *files;
	struct table_worker *compiler;
	const char *cache_dir; /* cache of compiled tables, or NULL */
	size_t budget_bytes;   /* bytes of tables in the kernel; 0: 32 MiB */
};

/* 0 or -errno. */
int unwind_feed_new(struct unwind_feed **out, const struct unwind_feed_opts *opts);
void unwind_feed_free(struct unwind_feed *f);

/* For procs_opts.changed, with the feed as ctx. Only notes the process. */
void unwind_feed_changed(void *ctx, pid_t tgid);

/* For procs_opts.is_code_of, with the feed as ctx. */
bool unwind_feed_is_code_of(void *ctx, const struct proc_mapping *m, uint64_t va,
			    uint64_t *file_off);

/* Brings the kernel's maps up to date with the process table. Never waits. */
void unwind_feed_run(struct unwind_feed *f, struct procs *procs);

/* Waits until the tables of everything mapped so far are in the kernel, at most timeout_ms. */
void unwind_feed_settle(struct unwind_feed *f, struct procs *procs, int timeout_ms);

/* What the table walk in the kernel knows about a place in a file, or soon will. */
enum feed_place {
	FEED_TABLE,   /* gives the table, and address minus file offset there */
	FEED_SOON,    /* being opened or compiled; requested now if it was not */
	FEED_NO_ROOM, /* cannot be loaded: the tables in use need all memory */
	FEED_NEVER,   /* there is no table */
};

/* Looks up a file id, or FILE_VDSO. *table is borrowed until the next unwind_feed_run(). */
enum feed_place unwind_feed_place(struct unwind_feed *f, uint32_t file, uint64_t file_off,
				  const void **table, uint64_t *va_minus_off);

/*
 * The table of code made at run time, by a jitdump (a file id) as of a time (CLOCK_BOOTTIME), when it had this
 * size (its low half; 0: unknown). FEED_SOON: a newer one is on its way; *table is the older one, or NULL.
 * Otherwise as unwind_feed_place(); addresses in it are those of the process.
 */
enum feed_place unwind_feed_jit(struct unwind_feed *f, uint32_t dump, uint64_t since_ns,
				uint32_t written, const void **table);

/* True if the table of a file (a file id) is on its way. Requests it, if nobody has. */
bool unwind_feed_awaits(struct unwind_feed *f, uint32_t file);

/* Why a file (a file id) has no unwind table: see unwind_tables_error(). */
int unwind_feed_table_error(const struct unwind_feed *f, uint32_t file);

void unwind_feed_stats(struct unwind_feed *f, struct unwind_tables_stats *tables,
		       struct unwind_maps_stats *maps);
struct unwind_feed_stats {
	uint64_t
		/* Times that a process had no room in the maps and was left to user space. */
		refused;
	uint64_t users_bytes; /* of table_users */
};
void unwind_feed_own_stats(const struct unwind_feed *f, struct unwind_feed_stats *out);

#endif
