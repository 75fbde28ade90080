/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The function table that every Go program carries for its own stack traces ("Go 1.2 Runtime Symbol
 * Table", and runtime/symtab.go of each release). It gives names, files, lines and, since Go 1.18,
 * inlined calls, also in stripped programs. The table is read in blocks, never as a whole.
 *
 * Formats: Go 1.2, 1.16, 1.18 and 1.20, which later releases use too. Trees of inlined calls are
 * outside of the table. If moduledata, which leads to them, is not found, there are only functions
 * and lines, as before 1.18. Text split into several sections is not supported. (Go splits it only
 * if branches cannot reach all of it.)
 */
#ifndef KILN_SYMBOLIZER_GO_GOPCLNTAB_H
#define KILN_SYMBOLIZER_GO_GOPCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"

struct dwarf_frame;
struct elf_obj;
struct gopclntab;

/*
 * Finds the table by its section's name or, without sections, by its first bytes. obj must outlive
 * the table. -ENODATA: no Go program, or no plausible table. 0 or -ENOMEM.
 */
int gopclntab_open(struct gopclntab **out, struct elf_obj *obj);
void gopclntab_free(struct gopclntab *t);

/* True if va is in one of the table's functions. Padding between functions is not. */
bool gopclntab_covers(struct gopclntab *t, uint64_t va);

/*
 * Frames at va, as dwarf.h has them: innermost first, linkage_name equal to name. Borrowed until
 * the next call. Returns their number, 0 if the function is unknown, or -ENOMEM.
 */
int gopclntab_find(struct gopclntab *t, uint64_t va, const struct dwarf_frame **frames);

/*
 * Makes unwind rules (bpf/unwind_abi.h) from the stack depths that Go's runtime unwinds with. Goes
 * over functions from *next on (0 at first) that start below end. Calls fn by ascending va wherever
 * the rule changes. x86-64, Go 1.18 and later. 0 or what fn returned.
 */
typedef int (*gopclntab_rule_fn)(void *ctx, uint64_t va, struct unwind_rule rule);
bool gopclntab_has_depths(const struct gopclntab *t);
int gopclntab_rules(struct gopclntab *t, uint64_t *next, uint64_t end, gopclntab_rule_fn fn,
		    void *ctx);
/* Start of the first function and end of the last. */
bool gopclntab_range(struct gopclntab *t, uint64_t *begin, uint64_t *end);

/* True if inlined calls are known. */
bool gopclntab_has_inlines(const struct gopclntab *t);
uint64_t gopclntab_functions(const struct gopclntab *t);
size_t gopclntab_bytes(const struct gopclntab *t);
/* True if the work allowance is used up. Addresses are then unknown. */
bool gopclntab_limited(const struct gopclntab *t);

#endif
