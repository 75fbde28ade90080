/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loaded unit: its unit DIE and abbreviations, and reading its DIEs. dwarf_cache.h decides how
 * long a unit stays, and owns what is made of it.
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
	/* Where the unit's indirect tables start (DWARF 5, sections 3.1.1 and 7.26 to 7.28). */
	struct dwarf_file *addr_file;	/* a split unit uses its skeleton's */
	struct dwarf_file *ranges_file; /* same, for .debug_ranges only */
	uint64_t addr_base, str_offsets_base, rnglists_base, ranges_base;
	uint64_t low_pc; /* base address of ranges */
	uint64_t stmt_list, dwo_id;
	struct die_attr comp_dir, dwo_name; /* form 0: none */
	bool has_stmt_list, has_low_pc;
	bool limited;		     /* a cap was hit while it was read */
	struct dwarf_file *own_file; /* file is freed with this unit */

	/* Owned by dwarf_cache.h. NULL until needed. */
	struct funcs *funcs; /* of its own DIEs */
	struct lines *lines;
	int funcs_err, lines_err;
	struct cu *split; /* the split unit, once opened */
	bool split_tried;
	size_t home; /* index in file->units or file->types; SIZE_MAX for split units */
	struct cu *colder, *hotter;
	size_t bytes; /* held, as last accounted */
};

/* Where a split unit's data starts in a package (DWARF 5, section 7.3.5.3), else all zero. */
struct contribution {
	uint64_t info, abbrev, str_offsets, rnglists;
};

/* Reads a unit of a file's list. 0 or -errno. */
int cu_load(struct cu **out, struct dwarf_file *f, const struct unit *u);
/* Reads a split unit at an offset of .debug_info.dwo. 0 or -errno. */
int cu_load_split(struct cu **out, struct dwarf_file *f, const struct unit *u,
		  const struct contribution *at, const struct cu *skeleton);
/* Frees a unit of which nothing was made yet; see cu_free(). */
void cu_unload(struct cu *cu);

/* Reads only the unit DIE, into *cu and *die. Keeps no abbreviations and no memory. 0 or -errno. */
int cu_peek(struct dwarf_file *f, const struct unit *u, struct cu *cu, struct die *die);

/* Reads the DIE at an offset of .debug_info, which must lie in the unit. 0 or -EBADMSG. */
int cu_die(struct cu *cu, uint64_t off, struct die *die);

/* Reads an attribute of class address. False if unreadable. */
bool cu_addr(struct cu *cu, const struct die_attr *attr, uint64_t *va);
bool cu_addr_at(struct cu *cu, uint64_t index, uint64_t *va);

/* The string of an attribute, or NULL if unreadable. Lives as long as a view (dwarf_sect.h). */
const char *cu_str(struct cu *cu, const struct die_attr *attr);
/* Where that string is: its section (NULL: unknown) and offset. */
struct sect *cu_str_place(struct cu *cu, const struct die_attr *attr, uint64_t *off);

/* Low and high address of a DIE. False if it has none, or if high is below low. */
bool cu_pc(struct cu *cu, const struct die *die, uint64_t *low, uint64_t *high);

#endif
