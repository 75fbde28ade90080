/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reader (dwarf.h) is told once, and what it says of an address. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_ANSWER_H
#define KILN_SYMBOLIZER_DWARF_DWARF_ANSWER_H

#include <stddef.h>
#include <stdint.h>

struct elf_obj;

/* One level of an inline chain, or a function itself. Strings are borrowed until the callback
 * returns. NULL / 0 mean unknown. */
struct dwarf_frame {
	const char *linkage_name; /* mangled if there is one, else DW_AT_name */
	const char *name;	  /* DW_AT_name */
	const char *file;	  /* directory joined with the name, not made absolute any further
				     than DW_AT_comp_dir makes it */
	uint32_t line;		  /* position within this frame: of the address in frame 0, of the
				     call in the frames around it */
	uint32_t start_line;	  /* DW_AT_decl_line of the function */
};

enum dwarf_reason {
	DWARF_OK,
	DWARF_NO_UNIT,	 /* no unit claims the address (padding, assembly, another library) */
	DWARF_MALFORMED, /* the unit that claims it cannot be read */
	DWARF_LIMIT,	 /* a cap was hit (depth, bytes, work) */
};

/*
 * frames[0] is the innermost inlined call, frames[n - 1] the function itself (which may be without
 * a name if only a line is known). n = 0 when reason is not DWARF_OK and nothing is known.
 */
typedef void (*dwarf_frames_fn)(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
				enum dwarf_reason reason);

struct dwarf_opts {
	size_t cache_bytes; /* cap on parsed state; 0 = 16 MiB */
	/* Sections up to this size are read in one piece, larger ones in blocks (unless they are
	 * compressed or relocated); 0 = 1 MiB. */
	size_t whole_bytes;
	/*
	 * Opens a split file: `name` as DW_AT_(GNU_)dwo_name says, comp_dir may be NULL. Returns an
	 * object that the reader then owns, or NULL. May itself be NULL: no split units.
	 */
	struct elf_obj *(*open_dwo)(void *ctx, const char *name, const char *comp_dir,
				    uint64_t dwo_id);
	void *ctx;
};

#endif
