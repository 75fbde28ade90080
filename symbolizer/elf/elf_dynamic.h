/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the dynamic linker is told (gABI, "Dynamic Section"): the way to symbols and relocations of a
 * file that has no section table. Addresses are ELF addresses; nothing is checked but that they are
 * read when asked for.
 */
#ifndef KILN_SYMBOLIZER_ELF_ELF_DYNAMIC_H
#define KILN_SYMBOLIZER_ELF_ELF_DYNAMIC_H

#include <stddef.h>
#include <stdint.h>

struct elf_obj;

struct elf_dynamic { /* 0: not there */
	uint64_t symtab, strtab, strsz, hash, gnu_hash;
	uint64_t rela, relasz;	   /* of data */
	uint64_t jmprel, pltrelsz; /* of PLT slots */
};

/* 0, -ENODATA (no PT_DYNAMIC) or the -errno of the read. */
int elf_dynamic_read(struct elf_dynamic *out, struct elf_obj *obj);

/* File offset of an ELF address and how many bytes of its segment follow in the file. 0 or -ENODATA
 * when the file has no bytes for it. */
int elf_va_to_off(struct elf_obj *obj, uint64_t va, uint64_t *off, uint64_t *left);

/* Number of symbols: out of DT_HASH, else out of the longest chain of DT_GNU_HASH. 0 when neither
 * can be read. */
uint32_t elf_dynamic_symbols(const struct elf_dynamic *d, struct elf_obj *obj);

#endif
