/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals that symtab.c (look-ups), symtab_load.c (making the table), symtab_collect.c
 * (collecting symbols) and symtab_plt.c (names of PLT stubs) share. No other file includes it. */
#ifndef KILN_SYMBOLIZER_SYMBOLS_SYMTAB_PRIV_H
#define KILN_SYMBOLIZER_SYMBOLS_SYMTAB_PRIV_H

#include "profiler/base/vec.h"
#include "symbolizer/symbols/symtab.h"

/* At most .symtab of the debug file or of the file, .dynsym, and .gnu_debugdata. */
#define NAME_SOURCES_MAX 4

struct name_source {	     /* a string table */
	struct elf_obj *obj; /* borrowed; NULL: only the blob is left */
	const struct elf_section *section;
	uint64_t file_off, size;
	uint8_t *blob;	       /* owned copy if it is compressed in the file, else NULL */
	const uint8_t *loaded; /* only while the table is built; NUL-terminated */
	uint8_t *temp;	       /* owned memory of `loaded` if there is no section */
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
	uint64_t span; /* no symbol ends further from base: fits in 32 bits, does not wrap around */
	VEC(struct symbol) symbols;
	struct name_source sources[NAME_SOURCES_MAX];
	unsigned n_sources;
	bool lacks_locals; /* stripped: functions that are not exported are not in it */
};

/*
 * Loads the string table of a symbol section as a source. The bytes stay loaded until the table is
 * done. Returns its index or -errno (-EBADMSG: not a string table).
 */
int symtab_add_source(struct symtab *t, struct elf_obj *obj, uint32_t strtab_index);

/* Adds the symbols of all sources, unsorted. The sources stay loaded. 0 or -ENOMEM. */
int symtab_collect(struct symtab *t, struct elf_obj *main, struct elf_obj *debug, int *problem);
void symtab_unload_sources(struct symtab *t);
/*
 * Turns errors of a source into *problem. A missing source is no problem. Only -ENOMEM is returned.
 */
int symtab_tolerate(int err, int *problem);

/* Adds PLT stubs of `main` that no symbol covers. The table must be sorted and stays so. */
int symtab_add_plt(struct symtab *t, struct elf_obj *main);

#endif
