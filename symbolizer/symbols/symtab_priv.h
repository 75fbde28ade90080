/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What symtab.c (asking), symtab_load.c (making the table), symtab_collect.c (symbols in) and
 * symtab_plt.c (names for PLT stubs) share; nobody else includes it. */
#ifndef KILN_SYMBOLIZER_SYMBOLS_SYMTAB_PRIV_H
#define KILN_SYMBOLIZER_SYMBOLS_SYMTAB_PRIV_H

#include "profiler/base/vec.h"
#include "symbolizer/symbols/symtab.h"

/* .symtab of the debug file or of the file, .dynsym, .gnu_debugdata: never more. */
#define NAME_SOURCES_MAX 4

struct name_source {	     /* a string table */
	struct elf_obj *obj; /* borrowed; NULL: only the blob is left */
	const struct elf_section *section;
	uint64_t file_off, size;
	uint8_t *blob;	       /* owned copy where the file has it compressed, else NULL */
	const uint8_t *loaded; /* while the table is built only; NUL-terminated */
	uint8_t *temp;	       /* owned, what `loaded` is where there is no section */
};

/* meta: the source in bits 0-2, flags, and the rank (lower is preferred) in bits 8-15. */
#define SYM_SOURCE   0x7u
#define SYM_PLT	     0x8u
#define SYM_SIZELESS 0x10u
#define SYM_RANK_BIT 8

struct symbol {
	uint32_t start; /* relative to base */
	uint32_t len;
	uint32_t name; /* offset in the string table of its source */
	uint32_t meta;
};

struct symtab {
	uint64_t base;
	uint64_t span; /* no symbol ends further than this from base: 32 bits, or no wrap-around */
	VEC(struct symbol) symbols;
	struct name_source sources[NAME_SOURCES_MAX];
	unsigned n_sources;
};

/*
 * Loads the string table of a symbol table section as a source: its index, or -errno (-EBADMSG:
 * not a string table). The bytes stay loaded until the table is done.
 */
int symtab_add_source(struct symtab *t, struct elf_obj *obj, uint32_t strtab_index);

/* Adds the symbols of all sources, unsorted; the sources stay loaded. 0 or -ENOMEM. */
int symtab_collect(struct symtab *t, struct elf_obj *main, struct elf_obj *debug, int *problem);
void symtab_unload_sources(struct symtab *t);
/* Running out of memory ends the load; a table that is not there or not readable does not, but is a
 * *problem. 0 or -ENOMEM. */
int symtab_tolerate(int err, int *problem);

/* Adds PLT stubs of `main` that no symbol covers; the table is sorted and is so afterwards. */
int symtab_add_plt(struct symtab *t, struct elf_obj *main);

#endif
