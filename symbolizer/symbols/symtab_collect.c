// SPDX-License-Identifier: GPL-2.0-or-later
/* Sources of symbols: .symtab, .dynsym, .gnu_debugdata, PT_DYNAMIC. */
#include <elf.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/head/elf_class.h"
#include "symbolizer/elf/elf_dynamic.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/elf/minidebug.h"
#include "symbolizer/symbols/symtab_priv.h"

/* The largest browsers have two million functions. A symbol has 16 bytes, twice that while
 * building. */
#define SYMBOLS_MAX (8u << 20)
/* Symbols and names of PT_DYNAMIC in a file without a section table. libLLVM has 10 MiB. */
#define DYNAMIC_BYTES_MAX (256u << 20)

int symtab_add_source(struct symtab *t, struct elf_obj *obj, uint32_t strtab_index)
{
	const struct elf_section *sec = elf_obj_section_by_index(obj, strtab_index);
	struct name_source *src = &t->sources[t->n_sources];
	const uint8_t *data;
	size_t len;
	int err;

	for (unsigned i = 0; sec && i < t->n_sources; i++)
		if (t->sources[i].obj == obj && t->sources[i].section == sec)
			return (int)i;
	if (!sec || sec->type != SHT_STRTAB || t->n_sources == NAME_SOURCES_MAX)
		return -EBADMSG;
	err = elf_obj_data(obj, sec, &data, &len);
	if (err)
		return err;
	*src = (struct name_source){
		.obj = obj, .section = sec, .file_off = sec->file_off, .size = len, .loaded = data};
	if ((sec->flags & SHF_COMPRESSED) || len != sec->size) {
		src->blob = malloc(len + 1);
		if (!src->blob)
			return -ENOMEM;
		memcpy(src->blob, data, len + 1);
	}
	return (int)t->n_sources++;
}

void symtab_unload_sources(struct symtab *t)
{
	for (unsigned i = 0; i < t->n_sources; i++) {
		struct name_source *src = &t->sources[i];

		src->loaded = NULL;
		free(src->temp);
		src->temp = NULL;
		if (src->obj && src->section)
			elf_obj_drop(src->obj, src->section);
	}
}

/* Labels of assemblers and linkers: arm64 mapping symbols ("$x", "$d.4") and ".L" ones. */
static bool is_marker(const char *name)
{
	if (name[0] == '$')
		return (name[1] == 'x' || name[1] == 'd') && (!name[2] || name[2] == '.');
	return name[0] == '.' && name[1] == 'L';
}

static uint32_t rank_of(const Elf64_Sym *sym)
{
	unsigned bind = ELF64_ST_BIND(sym->st_info);
	uint32_t rank = bind == STB_LOCAL ? 2 : bind == STB_WEAK ? 1 : 0;

	if (ELF64_ST_TYPE(sym->st_info) == STT_NOTYPE)
		rank |= 4;
	if (!sym->st_size)
		rank |= 8;
	return rank;
}

/* Address of a code symbol, and the room to the end of its section (without a section table: its
 * segment). False if it is no code of this file. */
static bool place_of(const struct elf_obj *obj, const Elf64_Sym *sym, uint64_t *va, uint64_t *room)
{
	const struct elf_section *sec = elf_obj_section_by_index(obj, sym->st_shndx);
	const struct elf_segment *seg;
	uint64_t off;

	if (!elf_obj_section_count(obj)) {
		seg = elf_obj_segment_at_va(obj, sym->st_value);
		if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE || !seg ||
		    !seg->exec)
			return false;
		*va = sym->st_value;
		*room = seg->mem_len - (*va - seg->va);
		return true;
	}
	if (!sec || !(sec->flags & SHF_EXECINSTR))
		return false;
	off = elf_obj_type(obj) == ET_REL ? sym->st_value : sym->st_value - sec->va;
	*va = sec->va + off;
	*room = sec->size - off;
	return off < sec->size;
}

static int take_symbol(struct symtab *t, struct elf_obj *obj, const Elf64_Sym *sym, unsigned source,
		       uint64_t bias)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);
	const struct name_source *src = &t->sources[source];
	uint64_t start, room;

	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return 0;
	if (!place_of(obj, sym, &start, &room) || sym->st_name >= src->size ||
	    !src->loaded[sym->st_name])
		return 0;
	if (type == STT_NOTYPE && is_marker((const char *)src->loaded + sym->st_name))
		return 0;
	start += bias - t->base;
	if (start > t->span)
		return 0;
	if (sym->st_size && sym->st_size < room)
		room = sym->st_size;
	if (room > t->span - start)
		room = t->span - start;
	if (t->symbols.len >= SYMBOLS_MAX)
		return -EFBIG;
	return vec_push(&t->symbols, (struct symbol){
					     .start = (uint32_t)start,
					     .len = (uint32_t)room,
					     .name = sym->st_name,
					     .meta = source | rank_of(sym) << SYM_RANK_BIT |
						     (sym->st_size ? 0 : SYM_SIZELESS),
				     });
}

static const struct elf_section *section_of_type(struct elf_obj *obj, uint32_t type)
{
	for (size_t i = 0; i < elf_obj_section_count(obj); i++) {
		const struct elf_section *sec = elf_obj_section_by_index(obj, i);

		if (sec->type == type)
			return sec;
	}
	return NULL;
}

bool symtab_present(struct elf_obj *obj)
{
	const struct elf_section *sec = section_of_type(obj, SHT_SYMTAB);

	return sec && sec->size > elf_sym_size(elf_obj_is_32(obj));
}

/* -ENODATA if obj has no such table. */
static int collect(struct symtab *t, struct elf_obj *obj, uint32_t type, uint64_t bias)
{
	const struct elf_section *sec = section_of_type(obj, type);
	bool is_32 = elf_obj_is_32(obj);
	size_t len, size = elf_sym_size(is_32);
	const uint8_t *data;
	int err, source;

	if (!sec)
		return -ENODATA;
	err = elf_obj_data(obj, sec, &data, &len);
	if (err)
		return err;
	source = symtab_add_source(t, obj, sec->link);
	err = source < 0 ? source : 0;
	for (size_t i = 1; i < len / size && !err; i++) {
		Elf64_Sym sym = elf_sym_at(data + i * size, is_32);

		err = take_symbol(t, obj, &sym, (unsigned)source, bias);
	}
	elf_obj_drop(obj, sec);
	return err;
}

/* Adds the dynamic linker's string table as a source without a section. */
static int add_dynamic_source(struct symtab *t, struct elf_obj *obj, const struct elf_dynamic *d)
{
	struct name_source *src = &t->sources[t->n_sources];
	uint64_t off, left, size = d->strsz;

	if (t->n_sources == NAME_SOURCES_MAX || !d->strtab || !size ||
	    elf_va_to_off(obj, d->strtab, &off, &left) || left < size)
		return -EBADMSG;
	if (size > DYNAMIC_BYTES_MAX)
		return -EFBIG;
	*src = (struct name_source){.obj = obj, .file_off = off, .size = size};
	src->temp = calloc(1, size + 1);
	if (!src->temp)
		return -ENOMEM;
	src->loaded = src->temp;
	t->n_sources++;
	return elf_obj_pread(obj, src->temp, size, off) == (long)size ? (int)t->n_sources - 1
								      : -EBADMSG;
}

/* Adds the dynamic symbols of a file without a section table. -ENODATA if it is not linked
 * dynamically. */
static int collect_dynamic(struct symtab *t, struct elf_obj *obj)
{
	_cleanup_free_ Elf64_Sym *syms = NULL;
	struct elf_dynamic d;
	uint64_t off, left, size;
	int err = elf_dynamic_read(&d, obj), source;

	if (err)
		return err;
	size = elf_dynamic_symbols(&d, obj) * sizeof(*syms);
	if (!size || !d.symtab || elf_va_to_off(obj, d.symtab, &off, &left) || left < size)
		return -EBADMSG;
	if (size > DYNAMIC_BYTES_MAX)
		return -EFBIG;
	source = add_dynamic_source(t, obj, &d);
	syms = malloc(size);
	if (!syms || source < 0)
		return syms ? source : -ENOMEM;
	if (elf_obj_pread(obj, syms, size, off) != (long)size)
		return -EBADMSG;
	for (size_t i = 1; i < size / sizeof(*syms) && !err; i++)
		err = take_symbol(t, obj, &syms[i], (unsigned)source, 0);
	return err;
}

static int collect_minidebug(struct symtab *t, struct elf_obj *main)
{
	struct elf_obj *mini = NULL;
	uint8_t *bytes = NULL;
	unsigned source = t->n_sources;
	int err = minidebug_open(&mini, &bytes, main);

	if (err)
		return err;
	err = collect(t, mini, SHT_SYMTAB, debug_file_bias(main, mini));
	t->lacks_locals = err != 0;
	if (t->n_sources > source) { /* its string table must outlive the inflated file */
		struct name_source *src = &t->sources[source];

		if (!src->blob)
			src->blob = malloc(src->size + 1);
		if (src->blob)
			memcpy(src->blob, src->loaded, src->size + 1);
		else
			err = -ENOMEM;
		src->loaded = src->blob;
		src->obj = NULL;
	}
	elf_obj_free(mini);
	free(bytes);
	return err;
}

int symtab_tolerate(int err, int *problem)
{
	if (err == -ENOMEM)
		return err;
	if (err && err != -ENODATA)
		*problem = err == -EFBIG ? -EFBIG : -EBADMSG;
	return 0;
}

int symtab_collect(struct symtab *t, struct elf_obj *main, struct elf_obj *debug, int *problem)
{
	int err = 0;

	if (debug && symtab_present(debug))
		err = symtab_tolerate(collect(t, debug, SHT_SYMTAB, debug_file_bias(main, debug)),
				      problem);
	else if (symtab_present(main))
		err = symtab_tolerate(collect(t, main, SHT_SYMTAB, 0), problem);
	if (err || t->symbols.len)
		return err;
	t->lacks_locals = true;
	if (!elf_obj_section_count(main))
		return symtab_tolerate(collect_dynamic(t, main), problem);
	return symtab_tolerate(collect(t, main, SHT_DYNSYM, 0), problem)
		       ?: symtab_tolerate(collect_minidebug(t, main), problem);
}
