/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unwind table as bytes (format: bpf/unwind_abi.h): its check, and names of its rules. */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_BLOB_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

/*
 * Executable bytes that one table spans: four times the largest browsers. The index then has 16 MB.
 */
#define UNWIND_TEXT_MAX (1ull << 30)

/* Counters of table compilation. Each compilation adds to them. */
struct unwind_stats {
	uint64_t fdes;
	uint64_t malformed;   /* records of the section that were skipped */
	uint64_t rows;	      /* in the FDEs, one wherever the rule changes */
	uint64_t rows_merged; /* left after merging pushes and pops */
	uint64_t rows_slow;   /* of `rows`: UNWIND_CFA_SLOW */
	uint64_t buckets, buckets_single, buckets_wide, buckets_shared;
	uint64_t buckets_dense; /* over UNWIND_RUN_ROWS_MAX rows: the whole bucket becomes slow */
	uint64_t rules;
	uint64_t capped; /* times a cap (rows, rules, runs) made rules slow */
};

/*
 * Checks all bytes. After 0 the table can be used without further checks. -EBADMSG: damaged.
 * -EPROTO: another version.
 */
int unwind_blob_check(const void *blob, size_t len);

/* The right value of unwind_head.check. len is at least the head's size. */
uint64_t unwind_blob_hash(const void *blob, size_t len);

const char *unwind_cfa_name(enum unwind_cfa kind);
const char *unwind_bp_name(enum unwind_bp kind);

#endif
