/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of an object that object.c (look-ups) and object_load.c (loading) share. */
#ifndef KILN_SYMBOLIZER_LOOKUP_OBJECT_PRIV_H
#define KILN_SYMBOLIZER_LOOKUP_OBJECT_PRIV_H

#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/symbols/eh_ranges.h"
#include "symbolizer/go/gopclntab.h"
#include "symbolizer/lines/line_table.h"
#include "symbolizer/symbols/names.h"
#include "symbolizer/lookup/object.h"
#include "symbolizer/elf/section_map.h"

struct object {
	bool names_only, discriminators;
	size_t dwarf_bytes;
	bool debug_loaded, symbols_loaded, lines_loaded;
	bool symtab_whole; /* from a .symtab, so it names all functions */
	int problem;	   /* 0, or -EBADMSG or -EFBIG if part of the file could not be read */
	unsigned limit_hits;
	struct elf_obj *main, *debug, *alt, *dwp; /* all but main may be NULL */
	struct eh_ranges *fdes;
	/* For object files: maps code of main to addresses in debug. */
	struct section_map *in_debug;
	struct symtab *symtab;
	struct gopclntab *go; /* NULL: not a Go program */
	struct dwarf *dwarf;
	struct line_table *table; /* replaces DWARF, which is then not opened */
	bool table_asked, table_refused, seen_reported;
	struct names *names;
	/* Of the current call, because split units are opened late. */
	const struct debug_search *search;
};

/* Loads the line table, or else opens the debug file. 0 or -ENOMEM. */
int object_load_debug(struct object *o);
/* Loads all sources that exist. What is loaded stays. Returns 0 or -ENOMEM only. */
int object_load(struct object *o);

void object_drop_table(struct object *o);

/* Difference to add to an address of the file that describes lines to get the object's. */
uint64_t object_lines_bias(const struct object *o);

#endif
