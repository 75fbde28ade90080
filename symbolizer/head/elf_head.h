/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of an ELF file: its kind and its build id. Nothing more of a foreign file is parsed by a process that has
 * privileges, so this reads headers and notes and nothing else: no name, no string, no contents. It keeps nothing
 * of the file, needs NOTE_BYTES_MAX of memory, and reads each table once, up to a cap.
 *
 * Of both classes and of any machine. The build id is that of little endian files.
 */
#ifndef KILN_SYMBOLIZER_HEAD_ELF_HEAD_H
#define KILN_SYMBOLIZER_HEAD_ELF_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/build_id.h"

struct elf_head {
	uint16_t type; /* ET_* */
	/* NT_GNU_BUILD_ID of a PT_NOTE, else of an SHT_NOTE: debug files have notes of their own. len 0: none. */
	struct build_id build_id;
	bool has_symtab; /* a section of that type, with bytes */
};

/* Reads up to len bytes at off. The number of bytes, fewer at the end of the file, or -errno. */
typedef long (*elf_read_fn)(void *ctx, void *buf, size_t len, uint64_t off);

/* 0, -ENOEXEC (no ELF file), -ENOMEM, or the -errno of the first read. Tables and notes that cannot be read are
 * as if they were not there. */
int elf_head_read(struct elf_head *out, elf_read_fn read, void *ctx);
/* The same of a descriptor, whose position does not change. */
int elf_head_of(struct elf_head *out, int fd);
/* The kind alone: an ET_*, or -ENOEXEC or another -errno. */
int elf_head_type(int fd);

#endif
