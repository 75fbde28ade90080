/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the unwind-table compiler: ascending rows in, a blob (bpf/unwind_abi.h) out. */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_ENCODE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct unwind_encoder;
struct unwind_stats;

/* A table over [begin_va, end_va), which holds no rule at first; end_va - begin_va is at most
 * UNWIND_TEXT_MAX. 0 or -ENOMEM. */
int unwind_encoder_new(struct unwind_encoder **out, uint64_t begin_va, uint64_t end_va);
void unwind_encoder_free(struct unwind_encoder *e);

/* From va on this rule holds. Calls come in ascending order; addresses outside the table only set
 * what holds at its begin, or are ignored. 0 or -ENOMEM. */
int unwind_encoder_row(struct unwind_encoder *e, uint64_t va, struct unwind_rule rule);

/* Writes the blob (malloc'd). Once. Adds to the counters. 0 or -ENOMEM. */
int unwind_encoder_finish(struct unwind_encoder *e, void **blob, size_t *len,
			  struct unwind_stats *stats);

#endif
