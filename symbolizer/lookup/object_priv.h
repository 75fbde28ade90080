/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of an object: what object.c asks and object_load.c reads. */
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
	bool names_only;
	bool debug_loaded, symbols_loaded, lines_loaded;
	bool symtab_whole; /* from a .symtab: all functions' names are there */
	int problem;	   /* 0, or -EBADMSG or -EFBIG: part of the file could not be read */
	unsigned limit_hits;
	struct elf_obj *main, *debug, *alt, *dwp; /* all but main may be NULL */
	struct eh_ranges *fdes;
	struct section_map *in_debug; /* object files: where the code of main is in debug */
	struct symtab *symtab;
	struct gopclntab *go; /* NULL: not a Go program */
	struct dwarf *dwarf;
	struct line_table *table; /* says the same; while it is there, DWARF is not opened */
	bool table_asked, table_refused, seen_reported;
	struct names *names;
	const struct debug_search *search; /* of the call under way: split units are opened late */
};

/* What is there of all that resolving needs; what is loaded stays. -ENOMEM, and nothing else. */
int object_load(struct object *o);

void object_drop_table(struct object *o);

/* Add it to an address in the file that describes lines to get one in the object. */
uint64_t object_lines_bias(const struct object *o);

#endif
