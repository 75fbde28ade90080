/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dynamic section (gABI, "Dynamic Section"). It leads to symbols and relocations of a file that
 * has no section table. Addresses are ELF addresses. They are not checked here, only when they are
 * read.
 */
#ifndef KILN_SYMBOLIZER_ELF_ELF_DYNAMIC_H
#define KILN_SYMBOLIZER_ELF_ELF_DYNAMIC_H

#include <stddef.h>
#include <stdint.h>

struct elf_obj;

struct elf_dynamic { /* 0: absent */
	uint64_t symtab, strtab, strsz, hash, gnu_hash;
	uint64_t rela, relasz;	   /* of data */
	uint64_t jmprel, pltrelsz; /* of PLT slots */
};

/* Reads PT_DYNAMIC. 0, -ENODATA (there is none, or the file is an ELF32) or the -errno of the read. */
int elf_dynamic_read(struct elf_dynamic *out, struct elf_obj *obj);

/* Turns an ELF address into a file offset. *left is the number of bytes from there to the end of
 * the segment in the file. 0, or -ENODATA if the file has no bytes for the address. */
int elf_va_to_off(struct elf_obj *obj, uint64_t va, uint64_t *off, uint64_t *left);

/* Number of symbols, from DT_HASH, else from the longest chain of DT_GNU_HASH. 0 if neither can
 * be read. */
uint32_t elf_dynamic_symbols(const struct elf_dynamic *d, struct elf_obj *obj);

#endif
