/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A section of call frame information. */
#ifndef KILN_SYMBOLIZER_UNWIND_CFI_SECTION_H
#define KILN_SYMBOLIZER_UNWIND_CFI_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfi_section {
	const uint8_t *data; /* borrowed for the life of the struct cfi */
	size_t len;
	uint64_t va;	  /* ELF address of data[0] */
	bool debug_frame; /* .debug_frame, else .eh_frame */
	bool zero_ends;	  /* the size is unknown, so a zero length ends it */
	bool is_32;	  /* addresses have 4 bytes (i386, x32) */
	bool is_i386;	  /* words of the stack have 4 bytes, and registers are numbered as there */
};

#endif
