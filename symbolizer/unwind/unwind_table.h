/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unwind-table compiler. It compiles the CFI of one ELF file into one compact relocatable blob
 * (format: bpf/unwind_abi.h). The table walk and the cache on disk use the blob as it is. Files are
 * hostile: the sizes of .eh_frame and text bound time and memory, and the caps of unwind_blob.h and
 * cfi.h bound these sizes. x86-64 only. Thread-safe: no state is kept.
 */
#ifndef KILN_SYMBOLIZER_UNWIND_UNWIND_TABLE_H
#define KILN_SYMBOLIZER_UNWIND_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/unwind/unwind_blob.h"

struct elf_obj;

/*
 * Compiles .eh_frame (found by section or PT_GNU_EH_FRAME), or .debug_frame if that is all. Go code
 * has no such section. Its rules come from the runtime's table of stack depths (gopclntab.h). Go
 * code that this table does not describe, or not credibly, becomes UNWIND_CFA_FP. *blob is
 * malloc'd. stats may be NULL. 0, -ENODATA (the file describes no frames), -EOPNOTSUPP (neither
 * x86-64 nor i386), -EFBIG (over a cap), -ENOMEM, -EBADMSG or an -errno of reading.
 */
int unwind_table_build(void **blob, size_t *len, struct elf_obj *obj, struct unwind_stats *stats);

struct unwind_debug;
/* Does the same, with the separate debug file where the object describes little: see unwind_source_open(). */
int unwind_table_build_with(void **blob, size_t *len, struct elf_obj *obj,
			    const struct unwind_debug *debug, struct unwind_stats *stats);

#endif
