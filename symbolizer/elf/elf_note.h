/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF notes (gABI, "Note Section"), as a file or the kernel has them. */
#ifndef KILN_SYMBOLIZER_ELF_ELF_NOTE_H
#define KILN_SYMBOLIZER_ELF_ELF_NOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/build_id.h"

/*
 * The GNU build id among notes, which may be cut short. Align is that of their segment: notes are
 * padded to 8 bytes where it is 8 (with .note.gnu.property), else to 4. False: there is none.
 */
bool elf_note_build_id(const void *notes, size_t len, size_t align, struct build_id *id);

#endif
