/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines and inlined calls from .debug_*: DWARF 2 to 5, 32 and 64 bit. The reader finds units with
 * or without .debug_aranges and parses a unit when an address needs it. Parsed state is accounted
 * in bytes. Input is hostile: every offset is checked, and depth, size and work are capped.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_H
#define KILN_SYMBOLIZER_DWARF_DWARF_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/dwarf/dwarf_answer.h"

struct dwarf;
struct elf_obj;

/*
 * Makes a reader of an object that has .debug_info. `alt` is its dwz supplement
 * (.gnu_debugaltlink), `dwp` its package; either may be NULL. All are borrowed and must outlive the
 * reader. -ENODATA: there is no .debug_info. 0 or -errno.
 */
int dwarf_new(struct dwarf **out, struct elf_obj *debug, struct elf_obj *alt, struct elf_obj *dwp,
	      const struct dwarf_opts *opts);
void dwarf_free(struct dwarf *d);

/*
 * Resolves ELF virtual addresses. Calls fn once for each address, grouped by unit, so in any order.
 * An address has at most 256 frames. 0, or -ENOMEM: then fn may not have been called for all.
 */
int dwarf_resolve(struct dwarf *d, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn, void *ctx);

/* Bytes of parsed state held now. At most cache_bytes and one unit. */
size_t dwarf_bytes(const struct dwarf *d);

#endif
