/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files from debuginfod servers (debuginfod(8)), only if the user asked for it: a server
 * learns which programs run here. kiln does not wait for servers. A file is asked for by its build
 * id, and a thread fetches it. debuginfod_settle() waits for a given time.
 *
 * The first debuginfod_new() loads libdebuginfod, which talks to the servers. Its cache on disk
 * (DEBUGINFOD_CACHE_PATH) also remembers what servers do not have. A file is used only if it is an
 * ELF file with the right build id.
 */
#ifndef KILN_DEBUGINFOD_DEBUGINFOD_H
#define KILN_DEBUGINFOD_DEBUGINFOD_H

#include <stdbool.h>
#include <stdint.h>

struct build_id;
struct debuginfod;

struct debuginfod_opts {
	const char *urls;      /* separated by spaces; NULL: DEBUGINFOD_URLS */
	uint64_t file_ns;      /* longest time for one file; 0: 60 s */
	uint64_t max_bytes;    /* of one file; 0: 4 GiB */
	unsigned failures_max; /* consecutive failures after which kiln asks no more; 0: 3 */
	const char *soname;    /* for tests; NULL: libdebuginfod.so.1 */
};

/*
 * Makes the only one of a process. Call it before other threads start: the library takes the
 * servers from the environment. 0, or -errno with a sentence in *why: -ENOENT (no server is named),
 * -ENOSYS (no library), -ENOMEM, or another.
 */
int debuginfod_new(struct debuginfod **out, const struct debuginfod_opts *opts, const char **why);
/* Stops fetching. NULL is fine. */
void debuginfod_free(struct debuginfod *d);

/*
 * Gives the debug file with this build id: a descriptor that the caller owns. -ENOENT: it is not
 * here; the thread fetches it, unless no server has it. Blocks only briefly. Fits
 * symbolizer_opts.find_debug with the struct debuginfod as ctx. Any thread.
 */
int debuginfod_find(void *ctx, const struct build_id *id);

/*
 * Waits until every file has an answer: true. False if the time is over, or if tick() returned
 * false. tick is called some times a second and may be NULL.
 */
bool debuginfod_settle(struct debuginfod *d, uint64_t timeout_ns, bool (*tick)(void *ctx),
		       void *tick_ctx);

struct debuginfod_stats {
	uint64_t asked;	  /* files */
	uint64_t waiting; /* no answer yet */
	uint64_t came, bytes;
	uint64_t missing;  /* no server has it */
	uint64_t failed;   /* the server did not answer, or not in time */
	uint64_t bad;	   /* a wrong file, or too large */
	uint64_t given_up; /* not asked for, because servers failed too often */
	uint64_t over_cap; /* too many files */
};
void debuginfod_stats(struct debuginfod *d, struct debuginfod_stats *out);
/* Why the last file failed: a sentence, or "". Valid until the next call. */
const char *debuginfod_last_error(struct debuginfod *d);

#endif
