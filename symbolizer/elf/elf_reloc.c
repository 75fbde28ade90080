// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contents of sections; debug sections of ET_REL files with relocations applied. Relocation types:
 * System V psABI for x86-64, table "Relocation Types"; ELF for the Arm 64-bit Architecture, "Static
 * AArch64 relocations".
 */
#include <string.h>

#include "symbolizer/elf/elf_priv.h"

struct rel_kind {
	uint8_t bytes; /* 0: a type that debug sections do not use; ignored */
	bool pc_relative;
};

static struct rel_kind rel_kind_of(uint16_t machine, uint32_t type)
{
	if (machine == EM_X86_64) {
		switch (type) {
		case R_X86_64_64:
			return (struct rel_kind){8, false};
		case R_X86_64_32:
		case R_X86_64_32S:
			return (struct rel_kind){4, false};
		case R_X86_64_PC32:
			return (struct rel_kind){4, true};
		case R_X86_64_PC64:
			return (struct rel_kind){8, true};
		}
	} else if (machine == EM_AARCH64) {
		switch (type) {
		case R_AARCH64_ABS64:
			return (struct rel_kind){8, false};
		case R_AARCH64_ABS32:
			return (struct rel_kind){4, false};
		case R_AARCH64_PREL32:
			return (struct rel_kind){4, true};
		case R_AARCH64_PREL64:
			return (struct rel_kind){8, true};
		}
	}
	return (struct rel_kind){0};
}

static uint64_t symbol_value(const struct elf_obj *obj, const struct elf_loaded *syms,
			     uint64_t index)
{
	Elf64_Sym sym;
	const struct elf_section *sec;

	if (index >= syms->len / sizeof(sym))
		return 0;
	memcpy(&sym, syms->data + index * sizeof(sym), sizeof(sym));
	if (sym.st_shndx == SHN_ABS)
		return sym.st_value;
	if (sym.st_shndx == SHN_UNDEF || sym.st_shndx >= SHN_LORESERVE)
		return 0;
	sec = elf_obj_section_by_index(obj, sym.st_shndx);
	return sec ? sec->va + sym.st_value : 0;
}

static void apply(const struct elf_obj *obj, const struct elf_section *sec,
		  const struct elf_loaded *to, const Elf64_Rela *rela, uint64_t symbol)
{
	struct rel_kind kind = rel_kind_of(obj->machine, (uint32_t)ELF64_R_TYPE(rela->r_info));
	uint64_t value = symbol + (uint64_t)rela->r_addend;

	if (!kind.bytes || rela->r_offset > to->len || to->len - rela->r_offset < kind.bytes)
		return;
	if (kind.pc_relative)
		value -= sec->va + rela->r_offset;
	memcpy(to->data + rela->r_offset, &value, kind.bytes);
}

static int apply_table(struct elf_obj *obj, const struct elf_section *sec,
		       const struct elf_loaded *to, const struct elf_section *rel)
{
	const struct elf_section *symtab = elf_obj_section_by_index(obj, rel->link);
	struct elf_loaded *relas, *syms;
	int err;

	if (!symtab || symtab->type != SHT_SYMTAB)
		return -EBADMSG;
	err = elf_load_raw(obj, symtab, &syms) ?: elf_load_raw(obj, rel, &relas);
	if (err)
		return err == -ENODATA ? -EBADMSG : err;
	for (size_t off = 0; relas->len - off >= sizeof(Elf64_Rela); off += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;

		memcpy(&rela, relas->data + off, sizeof(rela));
		apply(obj, sec, to, &rela, symbol_value(obj, syms, ELF64_R_SYM(rela.r_info)));
	}
	elf_obj_drop(obj, rel);
	return 0;
}

static int relocate(struct elf_obj *obj, const struct elf_section *sec, const struct elf_loaded *to)
{
	if (obj->type != ET_REL || sec->type != SHT_PROGBITS || strncmp(sec->name, ".debug_", 7))
		return 0;
	for (size_t i = 0; i < obj->n_sections; i++) {
		const struct elf_section *rel = &obj->sections[i];

		/* Assemblers make one table for a section. A hostile file could have a thousand. */
		if (rel->type == SHT_RELA && rel->info == sec->index)
			return apply_table(obj, sec, to, rel);
	}
	return 0;
}

int elf_obj_data(struct elf_obj *obj, const struct elf_section *sec, const uint8_t **data,
		 size_t *len)
{
	bool held = obj->loaded[sec->index].data;
	struct elf_loaded *l;
	int err = elf_load_raw(obj, sec, &l);

	if (!err && !held) {
		err = relocate(obj, sec, l);
		if (err)
			elf_obj_drop(obj, sec);
	}
	if (err)
		return err;
	*data = l->data;
	*len = l->len;
	return 0;
}
