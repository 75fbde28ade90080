/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the walk in the kernel supplied: what the process table says of mappings goes into the
 * kernel's maps, and the files they map get their tables.
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
struct procs;
struct sampler;

struct unwind_feed_opts { /* all are borrowed */
	struct sampler *sampler;
	struct files *files;
	struct table_worker *compiler;
	const char *cache_dir; /* of compiled tables, or NULL */
	size_t budget_bytes;   /* of tables in the kernel; 0: 32 MiB */
};

/* 0 or -errno. */
int unwind_feed_new(struct unwind_feed **out, const struct unwind_feed_opts *opts);
void unwind_feed_free(struct unwind_feed *f);

/* For procs_opts.changed; ctx is the feed. */
void unwind_feed_changed(void *ctx, pid_t tgid);

/* Brings the kernel's maps up to date with the table. Never waits. */
void unwind_feed_run(struct unwind_feed *f, struct procs *procs);

/* Waits, at most that long, until the tables of what is mapped so far are in the kernel. */
void unwind_feed_settle(struct unwind_feed *f, struct procs *procs, int timeout_ms);

/* What the walk in the kernel knows of a place in a file, or is about to. */
enum feed_place {
	FEED_TABLE,   /* its table, and address minus file offset there */
	FEED_SOON,    /* it is being opened or compiled; asked for now if nobody had */
	FEED_NO_ROOM, /* there is one, but the tables in use take all the memory they may */
	FEED_NEVER,   /* there is none to be had */
};

/* For a file of the files table, or FILE_VDSO. *table is borrowed until the next unwind_feed_run(). */
enum feed_place unwind_feed_place(struct unwind_feed *f, uint32_t file, uint64_t file_off,
				  const void **table, uint64_t *va_minus_off);

/* Why a file (of the files table) has no unwind table: see unwind_tables_error(). */
int unwind_feed_table_error(const struct unwind_feed *f, uint32_t file);

void unwind_feed_stats(struct unwind_feed *f, struct unwind_tables_stats *tables,
		       struct unwind_maps_stats *maps);
struct unwind_feed_stats {
	uint64_t
		refused; /* times a process was not fed for lack of room: it is walked in user space */
	uint64_t users_bytes; /* of who maps which file */
};
void unwind_feed_own_stats(const struct unwind_feed *f, struct unwind_feed_stats *out);

#endif
