/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jitdump files: the code that a JIT compiler made, with times and source lines
 * (tools/perf/Documentation/jitdump-specification.txt in the Linux tree). Only an index of the file
 * is kept in memory. Names and lines are read from the file when they are asked for. Not
 * thread-safe.
 */
#ifndef KILN_SYMBOLIZER_JIT_JITDUMP_H
#define KILN_SYMBOLIZER_JIT_JITDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/bytes.h"

struct jitdump;

/*
 * Parses hostile bytes, which are borrowed while the dump lives. Skips an incomplete last record,
 * since the program may still be writing, and all that follows nonsense. -ENOEXEC: not a jitdump,
 * or of another byte order. 0 or -errno.
 */
int jitdump_parse(struct jitdump **out, const void *data, size_t len);
/* Does the same for a regular file; jit_files.h says which files are believed. Borrows fd while
 * the dump lives. */
int jitdump_open(struct jitdump **out, int fd);
/* True if a regular file begins like a jitdump. */
bool jitdump_is(int fd);
/* From now on answers have no lines: line records are no longer read. */
void jitdump_drop_lines(struct jitdump *j);
void jitdump_free(struct jitdump *j);

struct jit_frame {
	const char *name; /* clean text */
	const char *file; /* clean text, or NULL */
	uint32_t line;	  /* 0: unknown */
};

/*
 * Finds the function that was at va at the time t_ns (CLOCK_MONOTONIC): the last one that was
 * loaded there until then, else the first one loaded later. Strings are borrowed until the next
 * call. 0, -ENOENT or -ENOMEM.
 */
int jitdump_find(struct jitdump *j, uint64_t t_ns, uint64_t va, struct jit_frame *out);

/* Code that says how its frames are unwound. */
struct jit_unwind {
	uint64_t start, end; /* where it is; without what other code has overwritten since */
	uint64_t code_len;   /* as it was loaded */
	struct bytes eh_frame;
};
typedef int (*jit_unwind_fn)(void *ctx, const struct jit_unwind *u);
/*
 * Calls fn for all such code of x86-64 that is there at the end of the dump, in ascending order, without
 * overlaps. Skips and counts what is malformed or larger than 64 KiB. The bytes live until fn returns. 0, or
 * what fn returned, which ends the calls.
 */
int jitdump_each_unwind(struct jitdump *j, jit_unwind_fn fn, void *ctx);

/* Bytes of the file when it was opened. */
uint64_t jitdump_size(const struct jitdump *j);

struct jitdump_stats {
	size_t codes;	/* functions; each load and each move counts */
	size_t skipped; /* records that were unusable or over a limit */
};
void jitdump_stats(const struct jitdump *j, struct jitdump_stats *out);

#endif
