/* SPDX-License-Identifier: GPL-2.0-or-later */
/* .gnu_debugdata ("MiniDebugInfo"): an xz-compressed ELF file with the symbols .dynsym lacks. */
#ifndef KILN_SYMBOLIZER_ELF_MINIDEBUG_H
#define KILN_SYMBOLIZER_ELF_MINIDEBUG_H

#include <stdint.h>

struct elf_obj;

/*
 * Inflates and opens it. *bytes (malloc'd) backs *out and is freed by the caller after it. -ENODATA
 * when there is none, -EFBIG over a limit, -EBADMSG when malformed. 0 or -errno.
 */
int minidebug_open(struct elf_obj **out, uint8_t **bytes, struct elf_obj *main);

#endif
