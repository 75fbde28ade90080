/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question about a foreign file. This process or a reader answers it. */
#ifndef KILN_SYMBOLIZER_QUERY_QUERY_H
#define KILN_SYMBOLIZER_QUERY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sym_file;

/* What to find out about a file. */
enum query_kind {
	QUERY_NAMES,   /* frames of n addresses; n = 0: the file's facts */
	QUERY_LINES,   /* build the file's line table; n is 0 */
	QUERY_JITDUMP, /* functions at n addresses and n times; the file is a jitdump */
	QUERY_PERFMAP, /* functions at n addresses and n sizes; the file is a perf map */
	QUERY_ELF,     /* only the file's facts; n is 0 */
	QUERY_TABLE,   /* the file's facts and its unwind table; n is 0 */
	QUERY_FRAMES,  /* does the file describe any frames? If not, facts.err is -ENODATA */
	QUERY_KIND_COUNT
};

struct sym_query {
	enum query_kind kind;
	const struct sym_file *file;
	bool offsets;	 /* file offsets, not ELF addresses */
	bool names_only; /* do not load lines of a file that is not in the cache yet */
	const uint64_t *addr;
	/* QUERY_JITDUMP: a time, CLOCK_MONOTONIC; QUERY_PERFMAP: bytes that the file had then, 0: all */
	const uint64_t *as_of;
	size_t n;
};

static inline bool query_has_as_of(enum query_kind kind)
{
	return kind == QUERY_JITDUMP || kind == QUERY_PERFMAP;
}

#endif
