/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Abbreviation tables (DWARF 5, section 7.5.3), compiled once into short programs. One program
 * steps over a DIE. For the few tags that matter, another picks the attributes that matter.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_ABBREV_H
#define KILN_SYMBOLIZER_DWARF_DWARF_ABBREV_H

#include "symbolizer/dwarf/dwarf_forms.h"
#include "symbolizer/dwarf/dwarf_sect.h"

/* Of LLVM and GCC; not in elfutils' <dwarf.h>. */
#define DW_AT_GNU_discriminator 0x2136

/* The attributes that the reader uses. Several attributes may share one pick. */
#define DWARF_PICKS(X)                                                                             \
	X(LOW_PC, DW_AT_low_pc)                                                                    \
	X(HIGH_PC, DW_AT_high_pc)                                                                  \
	X(RANGES, DW_AT_ranges)                                                                    \
	X(NAME, DW_AT_name)                                                                        \
	X(LINKAGE_NAME, DW_AT_linkage_name)                                                        \
	X(ABSTRACT_ORIGIN, DW_AT_abstract_origin)                                                  \
	X(SPECIFICATION, DW_AT_specification)                                                      \
	X(SIGNATURE, DW_AT_signature)                                                              \
	X(CALL_FILE, DW_AT_call_file)                                                              \
	X(CALL_LINE, DW_AT_call_line)                                                              \
	X(DECL_LINE, DW_AT_decl_line)                                                              \
	X(DISCRIMINATOR, DW_AT_GNU_discriminator)                                                  \
	X(STMT_LIST, DW_AT_stmt_list)                                                              \
	X(COMP_DIR, DW_AT_comp_dir)                                                                \
	X(STR_OFFSETS_BASE, DW_AT_str_offsets_base)                                                \
	X(ADDR_BASE, DW_AT_addr_base)                                                              \
	X(RNGLISTS_BASE, DW_AT_rnglists_base)                                                      \
	X(GNU_RANGES_BASE, DW_AT_GNU_ranges_base)                                                  \
	X(DWO_NAME, DW_AT_dwo_name)                                                                \
	X(DWO_ID, DW_AT_GNU_dwo_id)

enum dwarf_pick {
#define X(name, attr) PICK_##name,
	DWARF_PICKS(X)
#undef X
		PICK_COUNT,
	PICK_NONE = PICK_COUNT,
};

/* One step of a program. kind is a form_class to step over (arg: the size), or one of these. */
enum { OP_END = 32, OP_READ /* arg: form */, OP_CONST /* arg: index into consts */ };

struct abbrev_op {
	uint8_t kind, pick;
	uint16_t arg;
};

enum abbrev_kind { KIND_OTHER, KIND_SUBPROGRAM, KIND_INLINED, KIND_UNIT };

#define ABBREV_VARIABLE UINT16_MAX

struct abbrev {
	uint64_t code;
	uint32_t skip_op, pick_op; /* where the programs start in abbrevs.ops */
	uint16_t fixed;		   /* size of all attributes together, or ABBREV_VARIABLE */
	uint8_t kind;
	bool children : 1, pc : 1 /* has DW_AT_low_pc or DW_AT_ranges */, bad : 1;
};

struct abbrevs {
	struct abbrev *decls;
	struct abbrev_op *ops;
	int64_t *consts;
	uint32_t n_decls;
	bool dense; /* decls[i].code == i + 1 */
	struct shape shape;
	uint64_t off;
	size_t bytes; /* bytes held */
	unsigned refs;
	uint32_t slot; /* index in its cache */
};

/*
 * Decodes the table at off. With only_code != 0, stops at that code, so one DIE does not cost a
 * whole table. 0, -EBADMSG, -EFBIG (a cap) or -ENOMEM.
 */
int abbrevs_decode(struct abbrevs **out, struct sect *sect, uint64_t off, const struct shape *shape,
		   uint64_t only_code);
void abbrevs_free(struct abbrevs *a);

const struct abbrev *abbrevs_find_sparse(const struct abbrevs *a, uint64_t code);

/* NULL if there is no such code or it cannot be read. */
static inline const struct abbrev *abbrevs_find(const struct abbrevs *a, uint64_t code)
{
	const struct abbrev *d;

	if (!a->dense)
		return abbrevs_find_sparse(a, code);
	if (code - 1 >= a->n_decls)
		return NULL;
	d = &a->decls[code - 1];
	return d->bad ? NULL : d;
}

const uint8_t *abbrev_skip_variable(const struct abbrevs *a, const struct abbrev *d,
				    const uint8_t *p, const uint8_t *end);

/* Steps over the attributes of a DIE. NULL if they reach past the end. */
static inline const uint8_t *abbrev_skip(const struct abbrevs *a, const struct abbrev *d,
					 const uint8_t *p, const uint8_t *end)
{
	if (d->fixed == ABBREV_VARIABLE)
		return abbrev_skip_variable(a, d, p, end);
	return end - p < d->fixed ? NULL : p + d->fixed;
}

struct die_attr {
	uint16_t form;
	uint64_t v;
};

/* A DIE's picked attributes. attr[i] is set if bit i of `have` is. */
struct die {
	uint64_t off; /* in .debug_info */
	const struct abbrev *abbrev;
	uint32_t have;
	struct die_attr attr[PICK_COUNT];
};

static inline bool die_has(const struct die *die, enum dwarf_pick pick)
{
	return die->have & 1u << pick;
}

/*
 * Reads the attributes of a DIE after its code was read. off is the DIE's offset, start points to
 * it. On success b is behind the DIE.
 */
bool abbrev_pick(const struct abbrevs *a, const struct abbrev *d, struct bytes *b, uint64_t off,
		 const uint8_t *start, struct die *die);

#endif
