/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Line tables, DWARF 2 to 5 (DWARF 5, section 6.2), decoded once into compact rows. */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_LINE_H
#define KILN_SYMBOLIZER_DWARF_DWARF_LINE_H

#include "symbolizer/dwarf/dwarf_cu.h"

struct lines;

/* Decodes the unit's line program. 0, -ENODATA (it has none), -EBADMSG or -ENOMEM. */
int lines_load(struct lines **out, struct cu *cu);
void lines_free(struct lines *l);
size_t lines_bytes(const struct lines *l);

/* File number and line of the address. False if the table does not have the address. */
bool lines_find(const struct lines *l, uint64_t va, uint32_t *file, uint32_t *line);

/* Discriminator of the address's line; 0 if there is none, or if the file does not keep them. */
uint32_t lines_discriminator(const struct lines *l, uint64_t va);

/*
 * Does the same for all addresses of [low, high). Calls fn at low and wherever the answer changes.
 * Stops at the first error of fn and returns it.
 */
typedef int (*lines_each_fn)(void *ctx, uint64_t va, bool found, uint32_t file, uint32_t line);
int lines_each(const struct lines *l, uint64_t low, uint64_t high, lines_each_fn fn, void *ctx);

/*
 * Path of a file number: directory and name, below the compilation directory if relative. NULL if
 * the number is out of range, or out of memory. Lives as long as l.
 */
const char *lines_path(struct lines *l, struct cu *cu, uint64_t file);

#endif
