/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question about a foreign file, to be answered in this process or in another. */
#ifndef KILN_SYMBOLIZER_QUERY_QUERY_H
#define KILN_SYMBOLIZER_QUERY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sym_file;

/* What is wanted of a file. */
enum query_kind {
	QUERY_NAMES,   /* frames of n addresses; n = 0: its facts */
	QUERY_LINES,   /* its line table to be built (n is 0) */
	QUERY_JITDUMP, /* functions of n addresses at n times; the file is a jitdump */
	QUERY_PERFMAP, /* functions of n addresses; it is a perf map */
	QUERY_ELF,     /* its facts, no more (n is 0) */
	QUERY_TABLE,   /* ... and its unwind table */
	QUERY_FRAMES,  /* whether anything describes its frames: facts.err is -ENODATA if not */
	QUERY_KIND_COUNT
};

struct sym_query {
	enum query_kind kind;
	const struct sym_file *file;
	bool offsets;	 /* file offsets, not ELF addresses */
	bool names_only; /* for a file that is not in the cache yet: no lines of it */
	const uint64_t *addr;
	const uint64_t *t_ns; /* QUERY_JITDUMP: CLOCK_MONOTONIC */
	size_t n;
};

#endif
