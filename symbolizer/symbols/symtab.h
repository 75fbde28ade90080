/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of one file by address: a sorted table of 16 bytes a symbol. Names stay in the file
 * and are read when asked for.
 *
 * Which of several names for one address is shown: a symbol with a size over one without, a function
 * over an untyped one, global over weak over local, the larger, fewest leading underscores (glibc's
 * "__GI_" twins count as most), shortest ("open" over "open64"), first in byte order (C1 over C2 of a
 * constructor); a symbol of the file over a synthesised PLT name. The order does not depend on where
 * a symbol stands in the table: binaries stripped, linked or built again keep their names. (perf
 * ranks as this does up to the underscores and then takes the longest; llvm-symbolizer takes the one
 * that stands last in the table, and from DWARF where the file itself has no .symtab.) An IFUNC's
 * name competes with that of the function that chooses, since both are at its address.
 *
 * A symbol without a size ends with the FDE that covers it or where the next symbol starts,
 * whichever is first; without an FDE also after a page; one inside a symbol that has a size is a
 * label, and dropped. Nothing reaches past its section. The innermost symbol wins where symbols
 * nest. What no symbol covers (padding) is unknown, never the function before.
 */
#ifndef KILN_SYMBOLIZER_SYMBOLS_SYMTAB_H
#define KILN_SYMBOLIZER_SYMBOLS_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symtab;
struct elf_obj;
struct eh_ranges;
struct buf;

/*
 * Symbols of `main` and of its separate debug file `debug` (or NULL), clamped by `fdes` (or NULL).
 * Sources, in order: .symtab of debug, else of main, else .dynsym and .gnu_debugdata of main (without
 * a section table: the symbols PT_DYNAMIC leads to); then PLT stubs of main. Both objects outlive the table. A source that cannot be read is left out and
 * *problem set to -EBADMSG or -EFBIG (else 0). An empty table is no error. 0 or -ENOMEM.
 */
int symtab_load(struct symtab **out, struct elf_obj *main, struct elf_obj *debug,
		const struct eh_ranges *fdes, int *problem);
void symtab_free(struct symtab *t);

/* True if obj has a .symtab with symbols in it (then a debug file adds no names). */
bool symtab_present(struct elf_obj *obj);

/* Index of the symbol whose range holds va (of `main`): 0 or -ENOENT. */
int symtab_find(const struct symtab *t, uint64_t va, uint32_t *index);
/* Range of one entry, which for a function with another inside is one piece of it. */
void symtab_range(const struct symtab *t, uint32_t index, uint64_t *start, uint64_t *end);
/*
 * Identifies the name of an entry: equal for pieces of one symbol. For caching names.
 */
uint64_t symtab_name_key(const struct symtab *t, uint32_t index);
/* Appends the name as the file has it, "@plt" added for a stub: foreign bytes, at most 16 KiB.
 * 0, or -ENOENT when it cannot be read. */
int symtab_name(const struct symtab *t, uint32_t index, struct buf *out);

/*
 * Reads string tables in one piece where that is cheaper than n names one by one; until released, as
 * soon as the n are answered: these bytes are not counted. One that cannot be had stays in the file.
 */
void symtab_hold_names(struct symtab *t, size_t n);
void symtab_release_names(struct symtab *t);

size_t symtab_count(const struct symtab *t);
size_t symtab_bytes(const struct symtab *t);

#endif
