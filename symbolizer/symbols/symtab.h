/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of one file by address: a sorted table with 16 bytes for each symbol. Names stay in
 * the file and are read when needed.
 *
 * If several symbols have one address, the name to show is chosen in this order: with a size over
 * without; function over untyped; global over weak over local; the larger; fewest leading
 * underscores (glibc's "__GI_" twins have the most); the shortest ("open" over "open64"); first in
 * byte order (C1 over C2 of a constructor). A symbol of the file is preferred to a PLT name. The
 * place of a symbol in the table does not matter, so names survive stripping, linking and
 * rebuilding. (perf ranks like this down to the underscores and then takes the longest name.
 * llvm-symbolizer takes the last symbol in the table, or DWARF's name if the file has no .symtab.)
 * The name of an IFUNC competes with that of its resolver, because both have the same address.
 *
 * A symbol without a size ends at the end of its FDE or at the next symbol, whichever is first.
 * Without an FDE it ends after a page at the latest, in a stripped file after 192 bytes: what follows may
 * be functions that are not listed. Without a size and inside a symbol that has
 * one it is a label and is dropped. No symbol reaches past its section. Where symbols nest, the
 * innermost wins. An address that no symbol covers (padding) has no name. It never gets the name of
 * the function before it.
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
 * Loads the symbols of `main` and of its debug file `debug` (or NULL), clamped by `fdes` (or NULL).
 * Sources, in order: .symtab of debug, else .symtab of main, else .dynsym and .gnu_debugdata of
 * main (without a section table: the symbols of PT_DYNAMIC); then main's PLT stubs. Both objects
 * must outlive the table. An unreadable source is left out and sets *problem to -EBADMSG or -EFBIG,
 * else it is 0. An empty table is no error. 0 or -ENOMEM.
 */
int symtab_load(struct symtab **out, struct elf_obj *main, struct elf_obj *debug,
		const struct eh_ranges *fdes, int *problem);
void symtab_free(struct symtab *t);

/* True if obj has a .symtab with symbols. A debug file then adds no names. */
bool symtab_present(struct elf_obj *obj);

/* Index of the symbol that covers va (an address of `main`). 0 or -ENOENT. */
int symtab_find(const struct symtab *t, uint64_t va, uint32_t *index);
/* Range of one entry. A function with another symbol inside has several entries, one for each
 * piece. */
void symtab_range(const struct symtab *t, uint32_t index, uint64_t *start, uint64_t *end);
/* Key for caching names: equal for all pieces of one symbol. */
uint64_t symtab_name_key(const struct symtab *t, uint32_t index);
/* Appends the name from the file: foreign bytes, at most 16 KiB, with "@plt" added for a stub.
 * 0, or -ENOENT if it cannot be read. */
int symtab_name(const struct symtab *t, uint32_t index, struct buf *out);

/*
 * Call before reading n names. Loads whole string tables where that is cheaper. Release them soon:
 * these bytes are not counted. A table that cannot be loaded is read name by name.
 */
void symtab_hold_names(struct symtab *t, size_t n);
void symtab_release_names(struct symtab *t);

size_t symtab_count(const struct symtab *t);
size_t symtab_bytes(const struct symtab *t);

#endif
