// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/head/elf_class.h"

#include <string.h>

Elf64_Ehdr elf_ehdr_of_32(const Elf32_Ehdr *h)
{
	Elf64_Ehdr out = {
		.e_type = h->e_type,
		.e_machine = h->e_machine,
		.e_version = h->e_version,
		.e_entry = h->e_entry,
		.e_phoff = h->e_phoff,
		.e_shoff = h->e_shoff,
		.e_flags = h->e_flags,
		.e_ehsize = h->e_ehsize,
		.e_phentsize = h->e_phentsize,
		.e_phnum = h->e_phnum,
		.e_shentsize = h->e_shentsize,
		.e_shnum = h->e_shnum,
		.e_shstrndx = h->e_shstrndx,
	};

	memcpy(out.e_ident, h->e_ident, sizeof(out.e_ident));
	return out;
}

Elf64_Phdr elf_phdr_at(const void *bytes, bool is_32)
{
	Elf64_Phdr out;
	Elf32_Phdr h;

	if (!is_32) {
		memcpy(&out, bytes, sizeof(out));
		return out;
	}
	memcpy(&h, bytes, sizeof(h));
	return (Elf64_Phdr){
		.p_type = h.p_type,
		.p_flags = h.p_flags,
		.p_offset = h.p_offset,
		.p_vaddr = h.p_vaddr,
		.p_paddr = h.p_paddr,
		.p_filesz = h.p_filesz,
		.p_memsz = h.p_memsz,
		.p_align = h.p_align,
	};
}

Elf64_Shdr elf_shdr_at(const void *bytes, bool is_32)
{
	Elf64_Shdr out;
	Elf32_Shdr h;

	if (!is_32) {
		memcpy(&out, bytes, sizeof(out));
		return out;
	}
	memcpy(&h, bytes, sizeof(h));
	return (Elf64_Shdr){
		.sh_name = h.sh_name,
		.sh_type = h.sh_type,
		.sh_flags = h.sh_flags,
		.sh_addr = h.sh_addr,
		.sh_offset = h.sh_offset,
		.sh_size = h.sh_size,
		.sh_link = h.sh_link,
		.sh_info = h.sh_info,
		.sh_addralign = h.sh_addralign,
		.sh_entsize = h.sh_entsize,
	};
}

Elf64_Sym elf_sym_at(const void *bytes, bool is_32)
{
	Elf64_Sym out;
	Elf32_Sym s;

	if (!is_32) {
		memcpy(&out, bytes, sizeof(out));
		return out;
	}
	memcpy(&s, bytes, sizeof(s));
	return (Elf64_Sym){
		.st_name = s.st_name,
		.st_info = s.st_info,
		.st_other = s.st_other,
		.st_shndx = s.st_shndx,
		.st_value = s.st_value,
		.st_size = s.st_size,
	};
}

Elf64_Chdr elf_chdr_at(const void *bytes, bool is_32)
{
	Elf64_Chdr out;
	Elf32_Chdr h;

	if (!is_32) {
		memcpy(&out, bytes, sizeof(out));
		return out;
	}
	memcpy(&h, bytes, sizeof(h));
	return (Elf64_Chdr){
		.ch_type = h.ch_type, .ch_size = h.ch_size, .ch_addralign = h.ch_addralign};
}
