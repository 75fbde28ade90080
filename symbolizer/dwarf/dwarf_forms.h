/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attribute forms (DWARF 5, section 7.5.6, and GNU extensions): sizes and raw values. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_FORMS_H
#define KILN_SYMBOLIZER_DWARF_DWARF_FORMS_H

#include <dwarf.h>
#include <stdbool.h>

#include "profiler/base/bytes.h"

/* Facts of a unit that the encoding of attributes depends on. */
struct shape {
	uint8_t addr_size; /* 1 to 8 */
	uint8_t off_size;  /* 4: 32-bit DWARF, 8: 64-bit */
	uint8_t ref_size;  /* of DW_FORM_ref_addr: an address in DWARF 2, an offset later */
};

enum form_class {
	FORM_BAD,
	FORM_FIXED, /* a known number of bytes */
	FORM_LEB,
	FORM_CSTR,
	FORM_BLOCK1,
	FORM_BLOCK2,
	FORM_BLOCK4,
	FORM_BLOCK, /* length in LEB128 */
	FORM_INDIRECT,
};

/* How to step over the form. *size is set for FORM_FIXED. */
enum form_class form_class(uint16_t form, const struct shape *shape, unsigned *size);

/* Steps over one value. False at the end of the bytes (then b is bad) or for an unknown form. */
bool form_skip(struct bytes *b, uint16_t form, const struct shape *shape);

struct form_value {
	uint16_t form; /* after DW_FORM_indirect */
	/* Integer, offset, index, or length of a block; for DW_FORM_string its distance from
	 * `start`. */
	uint64_t v;
};

/* Reads one value. DW_FORM_string counts from `start`. */
bool form_read(struct bytes *b, uint16_t form, const struct shape *shape, const uint8_t *start,
	       struct form_value *out);

/* Classes of DWARF 5, table 7.6, as far as the reader needs them. */
bool form_is_address(uint16_t form); /* high_pc of this class is an address, else a length */
bool form_is_addr_index(uint16_t form);
bool form_is_str_index(uint16_t form);

#endif
