/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loaded unit: what its unit DIE says, its abbreviations, and the products made of it on demand
 * (functions, lines). Loaded units of all files of a reader live in one cache and are evicted
 * coldest first.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_CU_H
#define KILN_SYMBOLIZER_DWARF_DWARF_CU_H

#include "symbolizer/dwarf/dwarf_file.h"

struct funcs;
struct lines;

struct cu {
	struct dwarf_file *file;
	struct unit unit;
	size_t home; /* its place in file->units, or ->types if it is one; SIZE_MAX for split units */
	struct abbrevs *abbrevs;
	/* Where the unit's indirections start (DWARF 5, sections 3.1.1 and 7.26 to 7.28). */
	struct dwarf_file *addr_file;	/* a split unit uses its skeleton's */
	struct dwarf_file *ranges_file; /* same, for .debug_ranges only */
	uint64_t addr_base, str_offsets_base, rnglists_base, ranges_base;
	uint64_t low_pc; /* base address of ranges */
	uint64_t stmt_list, dwo_id;
	struct die_attr comp_dir, dwo_name; /* form 0: none */
	bool has_stmt_list, has_low_pc;

	struct funcs *funcs; /* of this unit's own DIEs; NULL until asked for */
	struct lines *lines;
	int funcs_err, lines_err;
	struct cu *split;	     /* the split unit, once opened */
	struct dwarf_file *own_file; /* file is freed with this unit */
	bool split_tried, limited;   /* limited: a cap was hit while it was read */

	struct cu *colder, *hotter; /* in the cache */
	size_t bytes;		    /* held, as last accounted */
};

/* Where a split unit's data starts in a package (DWARF 5, section 7.3.5.3), else all zero. */
struct contribution {
	uint64_t info, abbrev, str_offsets, rnglists;
};

struct cu_cache {
	struct cu *coldest, *hottest;
	size_t bytes;
};

/*
 * Loads the unit of a file's list, or moves it to the hot end of the cache. Borrowed until
 * cu_cache_trim(). 0 or -errno.
 */
int cu_get(struct cu_cache *cache, struct dwarf_file *f, struct unit *u, struct cu **out);

/* Loads a split unit at an offset of .debug_info.dwo, not in the cache. 0 or -errno. */
int cu_new_split(struct dwarf_file *f, const struct unit *u, const struct contribution *at,
		 const struct cu *skeleton, struct cu **out);

/* Reads only what the unit DIE says into *cu and *die; neither abbreviations nor memory are kept.
 * 0 or -errno. */
int cu_peek(struct dwarf_file *f, const struct unit *u, struct cu *cu, struct die *die);

void cu_free(struct cu *cu);

/* Recounts a unit after something was added to it. */
void cu_account(struct cu_cache *cache, struct cu *cu);
/* Evicts the coldest units until at most max_bytes are held, sparing `keep`. */
void cu_cache_trim(struct cu_cache *cache, size_t max_bytes, const struct cu *keep);
void cu_cache_release(struct cu_cache *cache);

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

/* The DIE a reference points to: its unit (loaded through the cache) and offset. */
bool cu_ref(struct cu_cache *cache, struct cu *cu, const struct die_attr *attr, struct cu **to,
	    uint64_t *off);

#endif
