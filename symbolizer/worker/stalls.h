/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remembers what a reader failed on: files, file systems whose server hung, and the number of
 * recent failures. So a new reader is not asked the same again. Times are CLOCK_MONOTONIC. An
 * all-zero object is empty.
 */
#ifndef KILN_SYMBOLIZER_WORKER_STALLS_H
#define KILN_SYMBOLIZER_WORKER_STALLS_H

#include "profiler/base/vec.h"
#include "symbolizer/query/answer.h"

/* Files remembered as bad. The oldest is forgotten for a new one. */
#define BAD_FILES_MAX 1024
/* File systems remembered. Each cost seconds, so more are not needed. */
#define STALLED_DEVS_MAX 64
/* Failures are counted in windows of this length. */
#define WINDOW_NS 600000000000ull

/* What may still be asked about a file. */
enum trust { NO_NAMES, NO_LINES, ALL };

/* Identity of a file: what the kernel says of it, or a number of the caller. Unknown parts are zero. */
struct file_id {
	struct file_identity file;
	uint32_t number;
};

struct bad_file {
	struct file_id id;
	enum trust trust;
	uint64_t since_ns;
};

struct stalled_dev { /* st_dev of a file system whose server hung */
	uint64_t dev, since_ns;
	unsigned stalls;
};

struct stalls {
	uint64_t keep_ns; /* files and file systems are forgotten after that; 0: never */
	VEC(struct bad_file) bad;
	VEC(struct stalled_dev) devs;
	uint64_t devs_full; /* stalls that were not noted: too many file systems are remembered */
	uint64_t window_ns;
	unsigned failures;     /* since window_ns */
	uint64_t files_failed; /* files that became bad, in total */
};

void stalls_release(struct stalls *s);

/* Takes sym_file_identity(). */
void file_id_of(const struct sym_file *file, struct file_id *id);
bool file_id_equal(const struct file_id *a, const struct file_id *b);

/* What may still be asked about a file: ALL if it never failed. */
enum trust stalls_trust(struct stalls *s, const struct file_id *id, uint64_t now_ns);
/* Limits what may be asked about a file from now on. 0 or -ENOMEM. */
int stalls_distrust(struct stalls *s, const struct file_id *id, enum trust left, uint64_t now_ns);

/* st_dev of an open file, from the kernel's cache; 0: unknown. */
uint64_t stalls_dev_of(const struct sym_file *file);
/* Number of recent stalls on that file system (dev 0: none). */
unsigned stalls_on(struct stalls *s, uint64_t dev, uint64_t now_ns);
/* Notes one more stall there. At the cap the stall is only counted. 0 or -ENOMEM. */
int stalls_note(struct stalls *s, uint64_t dev, uint64_t now_ns);

/* Number of failures in the current window. stalls_note_failure() adds one. */
unsigned stalls_failures(struct stalls *s, uint64_t now_ns);
void stalls_note_failure(struct stalls *s);

#endif
