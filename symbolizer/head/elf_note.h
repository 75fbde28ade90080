/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF notes (gABI, "Note Section"), from a file or from the kernel. */
#ifndef KILN_SYMBOLIZER_HEAD_ELF_NOTE_H
#define KILN_SYMBOLIZER_HEAD_ELF_NOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/build_id.h"

/*
 * Finds the GNU build id among notes, which may be truncated. `align` is the alignment of their
 * segment. Notes are padded to 8 bytes if it is 8 (.note.gnu.property), else to 4. False if there
 * is no build id.
 */
bool elf_note_build_id(const void *notes, size_t len, size_t align, struct build_id *id);

#endif
