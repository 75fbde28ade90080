/* SPDX-License-Identifier: GPL-2.0-or-later */
/* .gnu_debugdata ("MiniDebugInfo"): an xz-compressed ELF file with the symbols .dynsym lacks. */
#ifndef KILN_SYMBOLIZER_ELF_MINIDEBUG_H
#define KILN_SYMBOLIZER_ELF_MINIDEBUG_H

#include <stdint.h>

struct elf_obj;

/*
 * Inflates and opens it. The caller frees *bytes (malloc'd) after *out, which reads from them.
 * -ENODATA: there is none. -EFBIG: over a limit. -EBADMSG: malformed. 0 or -errno.
 */
int minidebug_open(struct elf_obj **out, uint8_t **bytes, struct elf_obj *main);

#endif
