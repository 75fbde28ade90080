/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A compiled table as bytes (format: bpf/unwind_abi.h): whether they are one, and words for its rules. */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_BLOB_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

/* Executable bytes one table spans: four times the largest browsers, and 16 MB of index. */
#define UNWIND_TEXT_MAX (1ull << 30)

/* What went into tables: counters are added to. */
struct unwind_stats {
	uint64_t fdes;
	uint64_t malformed;   /* records of the section that were skipped */
	uint64_t rows;	      /* in the frame descriptions, wherever the rule changes */
	uint64_t rows_merged; /* left after merging pushes and pops */
	uint64_t rows_slow;   /* of `rows`: UNWIND_CFA_SLOW */
	uint64_t buckets, buckets_single, buckets_wide, buckets_shared;
	uint64_t buckets_dense; /* over UNWIND_RUN_ROWS_MAX rows: whole bucket is slow */
	uint64_t rules;
	uint64_t capped; /* times a cap (rows, rules, runs) made something slow */
};

/*
 * Whether the bytes are a table that can be used without further checks: 0, -EBADMSG (damaged), or
 * -EPROTO (of another version). Reads all of it.
 */
int unwind_blob_check(const void *blob, size_t len);

/* What unwind_head.check should be; len is at least that of the head. */
uint64_t unwind_blob_hash(const void *blob, size_t len);

const char *unwind_cfa_name(enum unwind_cfa kind);
const char *unwind_bp_name(enum unwind_bp kind);

#endif
