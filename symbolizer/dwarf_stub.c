/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in until the DWARF reader is there: no file has lines. */
#include <errno.h>

#include "symbolizer/dwarf.h"

#define WEAK __attribute__((weak))

WEAK int dwarf_new(struct dwarf **out, struct elf_obj *debug, struct elf_obj *alt,
		   struct elf_obj *dwp, const struct dwarf_opts *opts)
{
	(void)out, (void)debug, (void)alt, (void)dwp, (void)opts;
	return -ENODATA;
}

WEAK void dwarf_free(struct dwarf *d)
{
	(void)d;
}

WEAK int dwarf_resolve(struct dwarf *d, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn,
		       void *ctx)
{
	(void)d, (void)elf_va, (void)n, (void)fn, (void)ctx;
	return -ENOMEM;
}

WEAK size_t dwarf_bytes(const struct dwarf *d)
{
	(void)d;
	return 0;
}
