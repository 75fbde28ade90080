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

#include "symbolizer/dwarf/dwarf_answer.h"

struct dwarf;
struct elf_obj;

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
