/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts and ends of functions, from the FDEs of .eh_frame. They are known even in stripped files.
 * .eh_frame is found by its section or, without a section table, through PT_GNU_EH_FRAME.
 */
#ifndef KILN_SYMBOLIZER_SYMBOLS_EH_RANGES_H
#define KILN_SYMBOLIZER_SYMBOLS_EH_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct eh_ranges;
struct elf_obj;

/*
 * Skips malformed records and ranges outside executable segments. obj is needed during the call
 * only. -ENODATA: there is no .eh_frame with bytes. -EFBIG: over a limit of the object. 0 or
 * -errno.
 */
int eh_ranges_load(struct eh_ranges **out, struct elf_obj *obj);
void eh_ranges_free(struct eh_ranges *r);

/* Range of the FDE that holds va, *end exclusive. 0 or -ENOENT. */
int eh_ranges_find(const struct eh_ranges *r, uint64_t va, uint64_t *start, uint64_t *end);

size_t eh_ranges_count(const struct eh_ranges *r);
size_t eh_ranges_bytes(const struct eh_ranges *r);

#endif
