/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file's DWARF: sections, list of units, and abbreviation tables in use. A reader has a main
 * file, perhaps a dwz supplement and a package, and opens split files on demand.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_FILE_H
#define KILN_SYMBOLIZER_DWARF_DWARF_FILE_H

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf_abbrev.h"

#define DWARF_SECTS(X)                                                                             \
	X(INFO, ".debug_info")                                                                     \
	X(ABBREV, ".debug_abbrev")                                                                 \
	X(STR, ".debug_str")                                                                       \
	X(LINE, ".debug_line")                                                                     \
	X(LINE_STR, ".debug_line_str")                                                             \
	X(STR_OFFSETS, ".debug_str_offsets")                                                       \
	X(ADDR, ".debug_addr")                                                                     \
	X(RANGES, ".debug_ranges")                                                                 \
	X(RNGLISTS, ".debug_rnglists")                                                             \
	X(TYPES, ".debug_types")

enum dwarf_sect {
#define X(name, text) SECT_##name,
	DWARF_SECTS(X)
#undef X
		SECT_COUNT
};

/* A unit header (DWARF 5, section 7.5.1). off is in the unit's section, abbrev_off in
 * .debug_abbrev. */
struct unit {
	uint64_t off, abbrev_off;
	uint64_t dwo_id;   /* of a type unit: its signature */
	uint64_t type_off; /* of a type unit: its type, relative to off */
	uint32_t len;	   /* whole unit, starting at off */
	uint32_t die_off;  /* of the unit DIE, relative to off */
	struct cu *cu;	   /* in the cache (dwarf_cache.h), or NULL */
	uint16_t version;
	uint8_t type, addr_size, off_size; /* type: DW_UT_*; DW_UT_compile before DWARF 5 */
	uint8_t sect;			   /* SECT_INFO, or SECT_TYPES: DWARF 4's type units */
};

static inline bool unit_is_type(const struct unit *u)
{
	return u->type == DW_UT_type || u->type == DW_UT_split_type;
}

struct dwarf_file {
	struct elf_obj *elf;
	bool discriminators; /* line tables keep them */
	bool own_elf, split; /* split: sections are named .dwo */
	/* The lowest address of code, or 0. What linkers removed is described at address 0 by most, and
	 * no description that begins below this is of code that exists. */
	uint64_t text_va;
	struct dwarf_file *alt; /* dwz supplement, or NULL */
	struct sect sect[SECT_COUNT];
	VEC(struct unit) units; /* sorted by off; without type units */
	uint64_t scan_off;	/* the list holds all units before this offset */
	VEC(struct unit) types; /* sorted by signature; empty until one is needed */
	bool scanned, types_scanned, units_limited;
	struct work *work, *inflating;
	/* Abbreviation tables in use. Units share them; the key is (offset, shape). */
	VEC(struct abbrevs *) tables;
	struct htab table_index;
	size_t table_bytes;
};

/* Borrows elf (unless own_elf is set later), alt and both allowances. `work` is the allowance of
 * the current task; `inflating` counts bytes. */
int dwarf_file_new(struct dwarf_file **out, struct elf_obj *elf, bool split, size_t whole_max,
		   struct dwarf_file *alt, struct work *work, struct work *inflating);
void dwarf_file_free(struct dwarf_file *f);

/*
 * Lists units, by their headers, at least up to the one that holds off. Continues where the list
 * ends. Pointers into the list become invalid. Stops at a malformed header. 0 or -ENOMEM.
 */
int dwarf_file_scan_to(struct dwarf_file *f, uint64_t off);
#define dwarf_file_scan(f) dwarf_file_scan_to(f, UINT64_MAX)

/* Uses another section as .debug_info and searches it for units. No unit may be in use. */
void dwarf_file_use_info(struct dwarf_file *f, const struct elf_section *sec, size_t whole_max);

/*
 * The type unit with this signature, or NULL. Does not search split files: their type units have
 * their own string offsets, and compilers name no functions there.
 */
struct unit *dwarf_file_type(struct dwarf_file *f, uint64_t signature);

/* Reads the header at off of .debug_info. 0 or -EBADMSG. */
int unit_read(struct dwarf_file *f, uint64_t off, struct unit *u);
struct shape unit_shape(const struct unit *u);

/* The listed unit that holds this offset of .debug_info, or NULL. */
struct unit *dwarf_file_unit_at(struct dwarf_file *f, uint64_t off);

/* Gets the abbreviation table of a unit, with a reference. dwarf_file_put_abbrevs() drops it. 0
 * or -errno. */
int dwarf_file_get_abbrevs(struct dwarf_file *f, const struct unit *u, struct abbrevs **out);
void dwarf_file_put_abbrevs(struct dwarf_file *f, struct abbrevs *a);

/* Bytes held: blocks of sections, unit list, abbreviation tables. */
size_t dwarf_file_bytes(const struct dwarf_file *f);
bool dwarf_file_oom(const struct dwarf_file *f);
/* True if a section was refused because of its size. */
bool dwarf_file_limited(const struct dwarf_file *f);

#endif
