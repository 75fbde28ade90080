/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of kernel addresses from /proc/kallsyms: core kernel, modules, BPF programs. */
#ifndef KILN_SYMBOLIZER_SYMBOLS_KALLSYMS_H
#define KILN_SYMBOLIZER_SYMBOLS_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct kallsyms;

/*
 * Parses the text. -ENODATA if every address is zero (kptr_restrict). The caller then shows plain
 * "[kernel]" instead of one wrong name for everything. 0 or -errno.
 */
int kallsyms_parse(struct kallsyms **out, const char *text, size_t len);
/* Reads and parses /proc/kallsyms (cap 128 MiB). Errors as from kallsyms_parse(). */
int kallsyms_load(struct kallsyms **out);
void kallsyms_free(struct kallsyms *k);

/*
 * Finds the text symbol (t T w W) at or before addr. Kernel symbols have no size. A symbol ends
 * where the next begins. The last one of the core kernel or of a module ends at the section marker
 * (_etext) or after one page. *module is "" for the core kernel, "bpf" for BPF programs. Strings
 * are borrowed. 0 or -ENOENT.
 */
int kallsyms_find(const struct kallsyms *k, uint64_t addr, const char **name, const char **module,
		  uint64_t *start);

/* Address of _stext; 0: unknown. Its distance from vmlinux's own _stext is the KASLR offset. */
uint64_t kallsyms_stext(const struct kallsyms *k);

#endif
