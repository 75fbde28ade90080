/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unwind-table compiler: call frame information of one ELF file -> one compact relocatable blob
 * (format: bpf/unwind_abi.h), which the BPF walk, the host walk (table_walk.h) and an on-disk cache
 * use as it is. Files are hostile: time and memory are bounded by the sizes of .eh_frame and text,
 * and those by the caps here and in cfi.h. x86-64 only. Thread-safe: no state is kept.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_TABLE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct elf_obj;

/* Executable bytes one table spans: four times the largest browsers, and 16 MB of index. */
#define UNWIND_TEXT_MAX (1ull << 30)
/* Rows kept while compiling, 4 bytes each; libLLVM has 0.6 million. */
#define UNWIND_ROWS_MAX (16u << 20)

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
 * Compiles .eh_frame (found by section or PT_GNU_EH_FRAME), or .debug_frame where that is all there
 * is. Code of Go has no such section: its rules are made of the runtime's own table of stack depths
 * (gopclntab.h); what that says nothing of, or may not be believed of, becomes UNWIND_CFA_FP.
 * *blob is malloc'd. stats may be NULL. 0, -ENODATA (nothing describes frames), -EOPNOTSUPP (not
 * x86-64), -EFBIG (over a cap), -ENOMEM, -EBADMSG or an -errno of reading.
 */
int unwind_table_build(void **blob, size_t *len, struct elf_obj *obj, struct unwind_stats *stats);

/*
 * Whether the bytes are a table that can be used without further checks: 0, -EBADMSG (damaged), or
 * -EPROTO (of another version). Reads all of it.
 */
int unwind_table_check(const void *blob, size_t len);

/* What unwind_head.check should be; len is at least that of the head. */
uint64_t unwind_table_hash(const void *blob, size_t len);

const char *unwind_cfa_name(enum unwind_cfa kind);
const char *unwind_bp_name(enum unwind_bp kind);

#endif
