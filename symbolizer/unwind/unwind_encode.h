/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of the unwind-table compiler: takes ascending rows, gives a blob (bpf/unwind_abi.h). */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_ENCODE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct unwind_encoder;
struct unwind_stats;

/* Makes a table over [begin_va, end_va), at most UNWIND_TEXT_MAX long, without any rule. 0 or
 * -ENOMEM. */
int unwind_encoder_new(struct unwind_encoder **out, uint64_t begin_va, uint64_t end_va);
/* Call before the first row: makes a table of i386, whose words have 4 bytes. */
void unwind_encoder_set_i386(struct unwind_encoder *e);
/* Makes a table that says that it lacks most of the code. */
void unwind_encoder_set_partial(struct unwind_encoder *e);
void unwind_encoder_free(struct unwind_encoder *e);

/* From va on this rule holds. Calls come in ascending order. A row before the table only sets
 * the rule at its begin; a row behind it is ignored. 0 or -ENOMEM. */
int unwind_encoder_row(struct unwind_encoder *e, uint64_t va, struct unwind_rule rule);

/* Writes the blob (malloc'd). Call once. Adds to the counters. 0 or -ENOMEM. */
int unwind_encoder_finish(struct unwind_encoder *e, void **blob, size_t *len,
			  struct unwind_stats *stats);

#endif
