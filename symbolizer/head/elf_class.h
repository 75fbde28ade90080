/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of ELF files in the types of ELF64, whichever class a file has: the two differ in layout and width
 * (System V gABI, chapters 4 and 5). Pure functions of bytes.
 */
#ifndef KILN_SYMBOLIZER_HEAD_ELF_CLASS_H
#define KILN_SYMBOLIZER_HEAD_ELF_CLASS_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

/* Sizes in the file. */
static inline size_t elf_phdr_size(bool is_32)
{
	return is_32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
}

static inline size_t elf_shdr_size(bool is_32)
{
	return is_32 ? sizeof(Elf32_Shdr) : sizeof(Elf64_Shdr);
}

static inline size_t elf_sym_size(bool is_32)
{
	return is_32 ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym);
}

static inline size_t elf_chdr_size(bool is_32)
{
	return is_32 ? sizeof(Elf32_Chdr) : sizeof(Elf64_Chdr);
}

/* Each reads the record that begins at `bytes`, in as many bytes as said above. */
Elf64_Ehdr elf_ehdr_of_32(const Elf32_Ehdr *h);
Elf64_Phdr elf_phdr_at(const void *bytes, bool is_32);
Elf64_Shdr elf_shdr_at(const void *bytes, bool is_32);
Elf64_Sym elf_sym_at(const void *bytes, bool is_32);
Elf64_Chdr elf_chdr_at(const void *bytes, bool is_32);

#endif
