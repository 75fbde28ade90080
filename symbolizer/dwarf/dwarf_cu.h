/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loaded unit: what its unit DIE says, its abbreviations, and reading its DIEs. What is made of
 * them, and how long the unit stays, is dwarf_cache.h's.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_CU_H
#define KILN_SYMBOLIZER_DWARF_DWARF_CU_H

#include "symbolizer/dwarf/dwarf_file.h"

struct funcs;
struct lines;

struct cu {
	struct dwarf_file *file;
	struct unit unit;
	struct abbrevs *abbrevs;
	/* Where the unit's indirections start (DWARF 5, sections 3.1.1 and 7.26 to 7.28). */
	struct dwarf_file *addr_file;	/* a split unit uses its skeleton's */
	struct dwarf_file *ranges_file; /* same, for .debug_ranges only */
	uint64_t addr_base, str_offsets_base, rnglists_base, ranges_base;
	uint64_t low_pc; /* base address of ranges */
	uint64_t stmt_list, dwo_id;
	struct die_attr comp_dir, dwo_name; /* form 0: none */
	bool has_stmt_list, has_low_pc;
	bool limited;		     /* a cap was hit while it was read */
	struct dwarf_file *own_file; /* file is freed with this unit */

	/* Of dwarf_cache.h: what was made of the unit, NULL until asked for, and where it is. */
	struct funcs *funcs; /* of its own DIEs */
	struct lines *lines;
	int funcs_err, lines_err;
	struct cu *split; /* the split unit, once opened */
	bool split_tried;
	size_t home; /* place in file->units, or ->types if it is one; SIZE_MAX for split units */
	struct cu *colder, *hotter;
	size_t bytes; /* held, as last accounted */
};

/* Where a split unit's data starts in a package (DWARF 5, section 7.3.5.3), else all zero. */
struct contribution {
	uint64_t info, abbrev, str_offsets, rnglists;
};

/* Reads a unit of a file's list. 0 or -errno. */
int cu_load(struct cu **out, struct dwarf_file *f, const struct unit *u);
/* A split unit, at an offset of .debug_info.dwo. */
int cu_load_split(struct cu **out, struct dwarf_file *f, const struct unit *u,
		  const struct contribution *at, const struct cu *skeleton);
/* Of a unit of which nothing was made; see cu_free(). */
void cu_unload(struct cu *cu);

/* Reads only what the unit DIE says into *cu and *die; neither abbreviations nor memory are kept.
 * 0 or -errno. */
int cu_peek(struct dwarf_file *f, const struct unit *u, struct cu *cu, struct die *die);

/* Reads the DIE at an offset of .debug_info that lies in the unit. 0 or -EBADMSG. */
int cu_die(struct cu *cu, uint64_t off, struct die *die);

/* The address in an attribute of class address. */
bool cu_addr(struct cu *cu, const struct die_attr *attr, uint64_t *va);
bool cu_addr_at(struct cu *cu, uint64_t index, uint64_t *va);

/* The string in an attribute, NULL when unreadable. Lives like a view (dwarf_sect.h). */
const char *cu_str(struct cu *cu, const struct die_attr *attr);
/* Where that string is: its section, or NULL, and the offset. */
struct sect *cu_str_place(struct cu *cu, const struct die_attr *attr, uint64_t *off);

/* Low and high address of a DIE. High is not set to less than low. */
bool cu_pc(struct cu *cu, const struct die *die, uint64_t *low, uint64_t *high);

#endif
