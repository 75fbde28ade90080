/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of kernel addresses out of the text of /proc/kallsyms: core, modules, BPF programs. */
#ifndef KILN_SYMBOLIZER_SYMBOLS_KALLSYMS_H
#define KILN_SYMBOLIZER_SYMBOLS_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct kallsyms;

/*
 * Parses the text. -ENODATA when every address is zero (kptr_restrict: the caller then shows plain
 * "[kernel]" instead of one wrong name for everything). 0 or -errno.
 */
int kallsyms_parse(struct kallsyms **out, const char *text, size_t len);
/* Reads and parses /proc/kallsyms (cap 128 MiB). */
int kallsyms_load(struct kallsyms **out);
void kallsyms_free(struct kallsyms *k);

/*
 * The text symbol (t T w W) at or before addr. Kernel symbols have no size: a symbol ends where the
 * next begins, and the last of the core kernel or of a module ends at the section marker (_etext)
 * or one page on. *module is "" for the core kernel, "bpf" for BPF programs. Strings are borrowed.
 * 0, or -ENOENT.
 */
int kallsyms_find(const struct kallsyms *k, uint64_t addr, const char **name, const char **module,
		  uint64_t *start);

/* Address of _stext, from which the distance to the addresses in vmlinux follows; 0: not known. */
uint64_t kallsyms_stext(const struct kallsyms *k);

#endif
