/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that is known of one file: its ELF object, debug files, symbols, function ranges, DWARF reader
 * and the names already handed out. Parts are loaded when first needed.
 */
#ifndef KILN_SYMBOLIZER_LOOKUP_OBJECT_H
#define KILN_SYMBOLIZER_LOOKUP_OBJECT_H

#include "symbolizer/query/answer.h"

struct object;
struct debug_search;

/* Limits for the sections of a file and of its debug files. */
const struct elf_limits *object_limits(bool names_only);

/* From a descriptor, which is taken, also on failure. 0 or the -errno of elf_obj_open(). */
int object_open(struct object **out, int fd, bool names_only);
void object_free(struct object *o);

struct elf_obj *object_elf(struct object *o);

/* ELF address of a file offset: false when the file loads nothing from there. */
bool object_va_of_off(const struct object *o, uint64_t file_off, uint64_t *elf_va);

/*
 * Resolves addresses. elf_va[i] is what file_off[i] was; module is the clean name to call the file
 * by; search is where debug files may be and is used for this call only. 0 or -ENOMEM.
 */
int object_resolve(struct object *o, const struct debug_search *search, const char *module,
		   const uint64_t *elf_va, size_t n, sym_result_fn fn, void *ctx);

/*
 * Writes the line table of the file into the descriptor of an empty file: a table, or one that says
 * why there is none. 0, or -errno: -ENODATA when the file has no DWARF, else see line_table_build().
 */
int object_build_table(struct object *o, const struct debug_search *search, int fd);

/* Bytes of parsed state; and what to give back before dropping the object: the DWARF reader with
 * its sections. */
size_t object_bytes(const struct object *o);
void object_shrink(struct object *o);
/* Times a limit kept something out. */
unsigned object_limit_hits(const struct object *o);

#endif
