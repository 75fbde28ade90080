/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The function table that every Go program carries for its own stack traces ("Go 1.2 Runtime Symbol
 * Table", and runtime/symtab.go of each release): names, files, lines and, since Go 1.18, inlined
 * calls, also where symbols and DWARF were stripped. Read in blocks, never whole.
 *
 * Formats: Go 1.2, 1.16, 1.18 and 1.20 (all later ones too). Inlined calls lie outside of the table;
 * where the way to them (moduledata) is not found, and before 1.18, functions and lines are all
 * there is. Text split into several sections (only where a branch cannot reach all of it) is not
 * understood.
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
 * Finds the table by its section's name or, where sections are gone or were merged, by its first
 * bytes. obj outlives the table. -ENODATA: not a Go program, or nothing plausible; -ENOMEM.
 */
int gopclntab_open(struct gopclntab **out, struct elf_obj *obj);
void gopclntab_free(struct gopclntab *t);

/* True if va is in one of the table's functions; what lies between them (padding) is not. */
bool gopclntab_covers(struct gopclntab *t, uint64_t va);

/*
 * Frames at va as dwarf.h has them (innermost first, linkage_name and name the same), borrowed until
 * the next call. Their number; 0 where no function is known; -ENOMEM.
 */
int gopclntab_find(struct gopclntab *t, uint64_t va, const struct dwarf_frame **frames);

/*
 * Unwind rules (bpf/unwind_abi.h) out of the tables of stack depths that the runtime itself unwinds
 * with: one call of fn wherever the rule changes, by ascending va, of functions from *next on that
 * start below end; *next is 0 at first. x86-64, Go 1.18 and later. 0 or what fn returned.
 */
typedef int (*gopclntab_rule_fn)(void *ctx, uint64_t va, struct unwind_rule rule);
bool gopclntab_has_depths(const struct gopclntab *t);
int gopclntab_rules(struct gopclntab *t, uint64_t *next, uint64_t end, gopclntab_rule_fn fn,
		    void *ctx);
/* Where the first function begins and the last one ends. */
bool gopclntab_range(struct gopclntab *t, uint64_t *begin, uint64_t *end);

/* False: no inlined calls. */
bool gopclntab_has_inlines(const struct gopclntab *t);
uint64_t gopclntab_functions(const struct gopclntab *t);
size_t gopclntab_bytes(const struct gopclntab *t);
/* True once the work allowed for hostile tables was used up: addresses are then unknown. */
bool gopclntab_limited(const struct gopclntab *t);

#endif
