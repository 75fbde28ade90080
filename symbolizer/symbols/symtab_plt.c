// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of PLT stubs. A stub jumps through a slot of the GOT. A dynamic relocation names the symbol
 * whose address goes into that slot. The slot is read from the stub's instructions, because the
 * order of .plt, .plt.sec and .plt.got differs between linkers.
 */
#include <elf.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbols/symtab_priv.h"

/* Imports of one object; libraries have thousands. */
#define SLOTS_MAX (1u << 20)
#define STUBS_MAX (1u << 20)

struct slot {
	uint64_t va;
	uint64_t resolver; /* of an IFUNC, when symbol is 0 */
	uint32_t symbol;   /* index in .dynsym */
};

struct plt {
	struct symtab *t;
	struct elf_obj *obj;
	VEC(struct slot) slots;
	VEC(struct symbol) stubs;
	const uint8_t *dynsym;
	size_t n_dynsym;
	int source; /* of .dynstr; negative: none */
};

/* --- slots ------------------------------------------------------------------------------------ */

static bool names_slot(uint16_t machine, uint32_t type, bool *ifunc)
{
	*ifunc = type == (machine == EM_X86_64 ? R_X86_64_IRELATIVE : R_AARCH64_IRELATIVE);
	if (*ifunc)
		return true;
	if (machine == EM_X86_64)
		return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
	return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
}

static int take_slots(struct plt *p, const uint8_t *data, size_t len)
{
	for (size_t off = 0; len - off >= sizeof(Elf64_Rela); off += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		bool ifunc;
		int err;

		memcpy(&rela, data + off, sizeof(rela));
		if (!names_slot(elf_obj_machine(p->obj), (uint32_t)ELF64_R_TYPE(rela.r_info),
				&ifunc))
			continue;
		if (p->slots.len >= SLOTS_MAX)
			return -EFBIG;
		err = vec_push(&p->slots,
			       (struct slot){
				       .va = rela.r_offset,
				       .resolver = ifunc ? (uint64_t)rela.r_addend : 0,
				       .symbol = ifunc ? 0 : (uint32_t)ELF64_R_SYM(rela.r_info),
			       });
		if (err)
			return err;
	}
	return 0;
}

static int slot_cmp(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return (x->va > y->va) - (x->va < y->va);
}

static int load_slots(struct plt *p)
{
	for (size_t i = 0; i < elf_obj_section_count(p->obj); i++) {
		const struct elf_section *sec = elf_obj_section_by_index(p->obj, i);
		const uint8_t *data;
		size_t len;
		int err;

		if (sec->type != SHT_RELA || !(sec->flags & SHF_ALLOC))
			continue;
		err = elf_obj_data(p->obj, sec, &data, &len);
		if (err)
			return err;
		err = take_slots(p, data, len);
		elf_obj_drop(p->obj, sec);
		if (err)
			return err;
	}
	if (p->slots.len)
		qsort(p->slots.data, p->slots.len, sizeof(*p->slots.data), slot_cmp);
	return 0;
}

static int load_dynsym(struct plt *p, const struct elf_section **sec)
{
	size_t len;
	int err;

	p->source = -1;
	*sec = elf_obj_section(p->obj, ".dynsym");
	if (!*sec || (*sec)->type != SHT_DYNSYM) {
		*sec = NULL;
		return 0;
	}
	err = elf_obj_data(p->obj, *sec, &p->dynsym, &len);
	if (err)
		return err;
	p->n_dynsym = len / sizeof(Elf64_Sym);
	p->source = symtab_add_source(p->t, p->obj, (*sec)->link);
	return p->source < 0 ? p->source : 0;
}

/* --- stubs ------------------------------------------------------------------------------------ */

static int add_stub(struct plt *p, uint64_t va, uint32_t len, uint64_t slot_va)
{
	struct slot key = {.va = slot_va}, *slot;
	struct symbol stub = {.len = len};
	Elf64_Sym sym;
	uint32_t index;

	slot = p->slots.len ? bsearch(&key, p->slots.data, p->slots.len, sizeof(key), slot_cmp)
			    : NULL;
	if (!slot || va < p->t->base || len > p->t->span || va - p->t->base > p->t->span - len ||
	    !symtab_find(p->t, va, &index))
		return 0;
	stub.start = (uint32_t)(va - p->t->base);
	if (slot->symbol) {
		if (p->source < 0 || slot->symbol >= p->n_dynsym)
			return 0;
		memcpy(&sym, p->dynsym + slot->symbol * sizeof(sym), sizeof(sym));
		if (sym.st_name >= p->t->sources[p->source].size)
			return 0;
		stub.name = sym.st_name;
		stub.meta = (uint32_t)p->source | SYM_PLT;
	} else {
		if (symtab_find(p->t, slot->resolver, &index))
			return 0;
		stub.name = p->t->symbols.data[index].name;
		stub.meta = (p->t->symbols.data[index].meta & SYM_SOURCE) | SYM_PLT;
	}
	if (p->stubs.len >= STUBS_MAX)
		return -EFBIG;
	return vec_push(&p->stubs, stub);
}

/*
 * x86-64 psABI, "Procedure Linkage Table": [endbr64] [bnd] jmp *slot(%rip), in entries of 16 bytes,
 * or of 8 in .plt.got. mold says before which slot it is: mov $n, %r11d. The first entry of a lazy .plt jumps
 * through a slot without a relocation.
 */
static int scan_x86(struct plt *p, const struct elf_section *sec, const uint8_t *data, size_t len)
{
	size_t step = sec->entsize == 8 ? 8 : 16;
	int err = 0;

	for (size_t off = 0; off + step <= len && !err; off += step) {
		const uint8_t *insn = data + off;
		size_t at = 0;
		int32_t disp;

		if (step == 16 && !memcmp(insn, "\xf3\x0f\x1e\xfa", 4))
			at = 4;
		if (insn[at] == 0xf2)
			at++;
		if (step == 16 && insn[at] == 0x41 && insn[at + 1] == 0xbb)
			at += 6;
		if (at + 6 > step || insn[at] != 0xff || insn[at + 1] != 0x25)
			continue;
		memcpy(&disp, insn + at + 2, sizeof(disp));
		err = add_stub(p, sec->va + off, (uint32_t)step,
			       sec->va + off + at + 6 + (uint64_t)disp);
	}
	return err;
}

#define A64_BTI_C  0xd503245fu
#define A64_BR_X17 0xd61f0220u

/* AArch64 ELF, "Procedure linkage table": [bti c] adrp x16; ldr x17, [x16, #n]; add x16; br x17. */
static int scan_arm64(struct plt *p, const struct elf_section *sec, const uint8_t *data, size_t len)
{
	size_t n = len / 4;
	int err = 0;

	for (size_t i = 0; i + 4 <= n && !err; i++) {
		uint32_t w[4], prev = 0;
		int64_t pages;
		uint64_t va = sec->va + i * 4;

		memcpy(w, data + i * 4, sizeof(w));
		if ((w[0] & 0x9f00001f) != 0x90000010 || (w[1] & 0xffc003ff) != 0xf9400211 ||
		    w[3] != A64_BR_X17)
			continue;
		if (i)
			memcpy(&prev, data + i * 4 - 4, sizeof(prev));
		/* immlo in bits 29-30, immhi in 5-23, sign-extended from 21 bits, in pages. */
		pages = (int64_t)((uint64_t)((w[0] >> 29 & 3) | (w[0] >> 5 & 0x7ffff) << 2)
				  << 43) >>
			43;
		err = add_stub(p, prev == A64_BTI_C ? va - 4 : va, prev == A64_BTI_C ? 20 : 16,
			       (va & ~0xfffull) + ((uint64_t)pages << 12) +
				       (w[1] >> 10 & 0xfff) * 8);
	}
	return err;
}

static int scan_stubs(struct plt *p)
{
	static const char *const names[] = {".plt", ".plt.sec", ".plt.got", ".iplt"};
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !err; i++) {
		const struct elf_section *sec = elf_obj_section(p->obj, names[i]);
		const uint8_t *data;
		size_t len;

		if (!sec || sec->type != SHT_PROGBITS)
			continue;
		err = elf_obj_data(p->obj, sec, &data, &len);
		if (err)
			break;
		err = elf_obj_machine(p->obj) == EM_X86_64 ? scan_x86(p, sec, data, len)
							   : scan_arm64(p, sec, data, len);
		elf_obj_drop(p->obj, sec);
	}
	return err;
}

static int by_start(const void *pa, const void *pb)
{
	const struct symbol *a = pa, *b = pb;

	return (a->start > b->start) - (a->start < b->start);
}

/* The table has no overlaps, and stubs start outside of its symbols. Cuts each stub at the next
 * start. */
static int merge(struct symtab *t, const struct symbol *stubs, size_t n_stubs)
{
	struct symbol *s;
	int err;

	if (!n_stubs)
		return 0;
	err = vec_reserve(&t->symbols, t->symbols.len + n_stubs);
	if (err)
		return err;
	s = t->symbols.data;
	memcpy(s + t->symbols.len, stubs, n_stubs * sizeof(*s));
	t->symbols.len += n_stubs;
	qsort(s, t->symbols.len, sizeof(*s), by_start);
	for (size_t i = 0; i + 1 < t->symbols.len; i++)
		if (s[i].len > s[i + 1].start - s[i].start)
			s[i].len = s[i + 1].start - s[i].start;
	return 0;
}

static bool has_plt(struct elf_obj *obj)
{
	return elf_obj_type(obj) != ET_REL && !elf_obj_is_32(obj) &&
	       (elf_obj_section(obj, ".plt") || elf_obj_section(obj, ".plt.sec") ||
		elf_obj_section(obj, ".plt.got") || elf_obj_section(obj, ".iplt"));
}

int symtab_add_plt(struct symtab *t, struct elf_obj *main)
{
	const struct elf_section *dynsym = NULL;
	struct plt p = {.t = t, .obj = main};
	int err, merged;

	if (!has_plt(main))
		return 0;
	err = load_dynsym(&p, &dynsym) ?: load_slots(&p) ?: scan_stubs(&p);
	/* What was found before a malformed part is still correct. */
	merged = merge(t, p.stubs.data, p.stubs.len);
	if (dynsym)
		elf_obj_drop(main, dynsym);
	vec_release(&p.slots);
	vec_release(&p.stubs);
	return merged ?: err;
}
