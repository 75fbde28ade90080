/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of a reader (dwarf.h), and its answer for an address. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_ANSWER_H
#define KILN_SYMBOLIZER_DWARF_DWARF_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_obj;

/* One inlined call, or the function itself. Strings are borrowed until the callback returns.
 * NULL and 0 mean unknown. */
struct dwarf_frame {
	const char *linkage_name; /* mangled name, else DW_AT_name */
	const char *name;	  /* DW_AT_name */
	/* Directory and name; relative only if DW_AT_comp_dir is relative too. */
	const char *file;
	/* In frame 0 the line of the address, in other frames the line of the call. */
	uint32_t line;
	uint32_t start_line; /* DW_AT_decl_line of the function */
	/* Tells copies of the line, or calls on it, apart; see dwarf_opts. */
	uint32_t discriminator;
};

enum dwarf_reason {
	DWARF_OK,
	DWARF_NO_UNIT,	 /* no unit claims the address (padding, assembly) */
	DWARF_MALFORMED, /* the unit that claims the address cannot be read */
	DWARF_LIMIT,	 /* a cap was hit (depth, bytes, work) */
};

/*
 * frames[0] is the innermost inlined call, frames[n - 1] the function itself. The function may lack
 * a name if only a line is known. n is 0 if nothing is known; then reason is not DWARF_OK.
 */
typedef void (*dwarf_frames_fn)(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
				enum dwarf_reason reason);

struct dwarf_opts {
	size_t cache_bytes; /* cap on parsed state; 0 = 16 MiB */
	/* Sections up to this size are read whole, larger ones in blocks unless they are
	 * relocated; 0 = 1 MiB. */
	size_t whole_bytes;
	/*
	 * Opens a split file. `name` is DW_AT_dwo_name or DW_AT_GNU_dwo_name; comp_dir may be NULL.
	 * Returns an object that the reader then owns, or NULL. The function may be NULL: no split
	 * units.
	 */
	struct elf_obj *(*open_dwo)(void *ctx, const char *name, const char *comp_dir,
				    uint64_t dwo_id);
	void *ctx;
	/* Also of lines, not only of calls: line tables then take more memory. */
	bool discriminators;
};

#endif
