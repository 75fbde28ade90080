/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jitdump files: what code a JIT compiler made, when, and from which lines of source
 * (tools/perf/Documentation/jitdump-specification.txt in the Linux tree). Only an index of the file
 * is kept in memory; names and lines are read from it when they are asked for. Not thread-safe.
 */
#ifndef KILN_SYMBOLIZER_JIT_JITDUMP_H
#define KILN_SYMBOLIZER_JIT_JITDUMP_H

#include <stddef.h>
#include <stdint.h>

struct jitdump;

/*
 * Hostile bytes, borrowed as long as the dump lives. A record that ends past the end, of a program
 * that is writing still, and what follows nonsense is left out. -ENOEXEC: not a jitdump of this
 * machine's byte order. 0 or -errno.
 */
int jitdump_parse(struct jitdump **out, const void *data, size_t len);
/* From a regular file, see jit_files.h for whose. fd is borrowed as above. */
int jitdump_open(struct jitdump **out, int fd);
/* Answers have no lines from now on: their records are not read. */
void jitdump_drop_lines(struct jitdump *j);
void jitdump_free(struct jitdump *j);

struct jit_frame {
	const char *name; /* clean text */
	const char *file; /* clean text, or NULL */
	uint32_t line;	  /* 0: unknown */
};

/*
 * The function that was at va then (CLOCK_MONOTONIC): of those that cover it the last one loaded by
 * that time, or, if all came later, the first. Strings are borrowed until the next call. 0, -ENOENT
 * or -ENOMEM.
 */
int jitdump_find(struct jitdump *j, uint64_t t_ns, uint64_t va, struct jit_frame *out);

struct jitdump_stats {
	size_t codes;	/* functions, each as often as it was loaded or moved */
	size_t skipped; /* records that say nothing usable, or too many */
};
void jitdump_stats(const struct jitdump *j, struct jitdump_stats *out);

#endif
