/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines and inlined calls out of .debug_*: DWARF 2 to 5, 32- and 64-bit. Units are found with or
 * without .debug_aranges and parsed lazily, one at a time; parsed state is byte-accounted. Input is
 * hostile: every offset is checked, depth, size and work are capped.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_H
#define KILN_SYMBOLIZER_DWARF_DWARF_H

#include <stddef.h>
#include <stdint.h>

struct dwarf;
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

/*
 * Reader over an object holding .debug_info, with its dwz supplement (`alt`, from
 * .gnu_debugaltlink) and its package (`dwp`), either NULL. All are borrowed and outlive the reader.
 * -ENODATA when there is no .debug_info. 0 or -errno.
 */
int dwarf_new(struct dwarf **out, struct elf_obj *debug, struct elf_obj *alt, struct elf_obj *dwp,
	      const struct dwarf_opts *opts);
void dwarf_free(struct dwarf *d);

/*
 * Resolves ELF virtual addresses, calling fn once per address, in any order (work is grouped by
 * unit). Never more than 256 frames an address. 0, or -ENOMEM (fn may then not have been called for
 * all).
 */
int dwarf_resolve(struct dwarf *d, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn, void *ctx);

/* Bytes of parsed state now held (never above cache_bytes by more than one unit). */
size_t dwarf_bytes(const struct dwarf *d);

#endif
