/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files from debuginfod servers (debuginfod(8)), only where the user asked for it: the server
 * learns which programs run here. Nobody waits for a server: a file is asked for by build id, is not
 * there at once, and is fetched by a thread of its own; whoever wants to wait says for how long.
 *
 * libdebuginfod is loaded when the first of these is made, and does the talking; its cache on disk
 * (DEBUGINFOD_CACHE_PATH) also remembers what servers do not have. What comes is believed only if it
 * is an ELF file with the build id that was asked for.
 */
#ifndef KILN_DEBUGINFOD_DEBUGINFOD_H
#define KILN_DEBUGINFOD_DEBUGINFOD_H

#include <stdbool.h>
#include <stdint.h>

struct build_id;
struct debuginfod;

struct debuginfod_opts {
	const char *urls;      /* separated by spaces; NULL: those of DEBUGINFOD_URLS */
	uint64_t file_ns;      /* for one file, at most; 0: 60 s */
	uint64_t max_bytes;    /* of one file; 0: 4 GiB */
	unsigned failures_max; /* in a row, after which nobody is asked any more; 0: 3 */
	const char *soname;    /* NULL: libdebuginfod.so.1. For tests */
};

/*
 * One at a time in a process, made before other threads are: the library takes the servers from the
 * environment. 0, or -errno with a sentence in *why: -ENOENT (no server is named), -ENOSYS (no
 * library), -ENOMEM, or another.
 */
int debuginfod_new(struct debuginfod **out, const struct debuginfod_opts *opts, const char **why);
/* Gives up on what is being fetched. NULL is fine. */
void debuginfod_free(struct debuginfod *d);

/*
 * The debug file with this build id: a descriptor for the caller, or -ENOENT, and then it is on its
 * way if it is not known to be nowhere. Never blocks for long. For symbolizer_opts.find_debug: ctx is
 * the struct debuginfod. Any thread.
 */
int debuginfod_find(void *ctx, const struct build_id *id);

/*
 * Waits until nothing is on its way, or until the time is over: false then. tick, which may be NULL,
 * is called some times a second; it returning false ends the waiting too.
 */
bool debuginfod_settle(struct debuginfod *d, uint64_t timeout_ns, bool (*tick)(void *ctx),
		       void *tick_ctx);

struct debuginfod_stats {
	uint64_t asked;	  /* files */
	uint64_t waiting; /* not yet answered */
	uint64_t came, bytes;
	uint64_t missing;  /* no server has it */
	uint64_t failed;   /* the server did not answer, or not in time */
	uint64_t bad;	   /* what came was something else, or too large */
	uint64_t given_up; /* not asked for: the servers failed too often */
	uint64_t over_cap; /* too many files */
};
void debuginfod_stats(struct debuginfod *d, struct debuginfod_stats *out);
/* Why the last file failed, a sentence; "" if none did. Valid until the next call. */
const char *debuginfod_last_error(struct debuginfod *d);

#endif
