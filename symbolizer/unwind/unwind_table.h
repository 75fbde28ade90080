/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unwind-table compiler: call frame information of one ELF file -> one compact relocatable blob
 * (format: bpf/unwind_abi.h), which the BPF walk, the host walk (table_walk.h) and an on-disk cache
 * use as it is. Files are hostile: time and memory are bounded by the sizes of .eh_frame and text,
 * and those by the caps of unwind_blob.h and cfi.h. x86-64 only. Thread-safe: no state is kept.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_TABLE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/unwind_blob.h"

struct elf_obj;

/*
 * Compiles .eh_frame (found by section or PT_GNU_EH_FRAME), or .debug_frame where that is all there
 * is. Code of Go has no such section: its rules are made of the runtime's own table of stack depths
 * (gopclntab.h); what that says nothing of, or may not be believed of, becomes UNWIND_CFA_FP.
 * *blob is malloc'd. stats may be NULL. 0, -ENODATA (nothing describes frames), -EOPNOTSUPP (not
 * x86-64), -EFBIG (over a cap), -ENOMEM, -EBADMSG or an -errno of reading.
 */
int unwind_table_build(void **blob, size_t *len, struct elf_obj *obj, struct unwind_stats *stats);

#endif
