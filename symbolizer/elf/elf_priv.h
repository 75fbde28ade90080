/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals that elf_obj.c (headers), elf_data.c, elf_inflate.c, elf_stream.c and elf_reloc.c
 * (contents) share. No other file includes it. */
#ifndef KILN_SYMBOLIZER_ELF_ELF_PRIV_H
#define KILN_SYMBOLIZER_ELF_ELF_PRIV_H

#include <elf.h>

#include "profiler/base/vec.h"
#include "symbolizer/head/elf_class.h"
#include "symbolizer/elf/elf_obj.h"

struct elf_loaded { /* contents of one section, len + 1 bytes allocated; NULL = not loaded */
	uint8_t *data;
	size_t len;
};

struct elf_obj {
	int fd;		      /* -1: over bytes */
	const uint8_t *bytes; /* borrowed; NULL: over fd */
	uint64_t file_size;
	struct elf_limits limits;
	uint16_t machine, type;
	uint64_t entry;
	bool is_32; /* ELFCLASS32 */
	bool truncated;
	struct build_id build_id;
	VEC(struct elf_segment) segments;
	struct elf_segment eh_frame_hdr, dynamic; /* file_len 0 = none */
	struct elf_section *sections;
	struct elf_loaded *loaded; /* by section index */
	size_t n_sections;
	char *names; /* contents of the section name table, NUL-terminated */
	size_t held; /* bytes in `loaded` */
};

/*
 * Reads exactly len bytes at off. 0, -EBADMSG if the file ends before, or the -errno of the read.
 */
int elf_read_exact(struct elf_obj *obj, void *buf, uint64_t len, uint64_t off);

/* Does what elf_obj_data() does, but applies no relocations to a section that it loads. */
int elf_load_raw(struct elf_obj *obj, const struct elf_section *sec, struct elf_loaded **out);

#endif
