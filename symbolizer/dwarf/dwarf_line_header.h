/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers of line programs, versions 2 to 5 (DWARF 5, section 6.2.4): parameters and file names. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_LINE_HEADER_H
#define KILN_SYMBOLIZER_DWARF_DWARF_LINE_HEADER_H

#include "symbolizer/dwarf/dwarf_cu.h"

struct line_file {
	struct die_attr name; /* DW_FORM_string: offset in .debug_line */
	uint32_t dir;
};

struct line_header {
	uint16_t version;
	uint8_t off_size, min_inst_len, line_range, opcode_base;
	int8_t line_base;
	uint8_t operands[256]; /* of standard opcodes */
	VEC(struct die_attr) dirs;
	VEC(struct line_file) files; /* files.data[0] has number 1 before version 5 */
	/* The program, and its place in .debug_line, for strings inside it. */
	struct bytes program;
	const uint8_t *start;
	uint64_t start_off;
};

/* Reads the header at an offset of .debug_line. The program lives as long as a view. 0 or
 * -errno. Call line_header_release() in both cases. */
int line_header_read(struct line_header *h, struct cu *cu, uint64_t off);
void line_header_release(struct line_header *h);

/* Reads a file entry of the format before version 5, which DW_LNE_define_file uses too. */
int line_header_add_file(struct line_header *h, struct bytes *b, const char *name);

#endif
