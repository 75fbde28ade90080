/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file with all its sources: ELF object, debug files, symbols, function ranges, DWARF reader,
 * line table, and the names handed out already. Parts are loaded when first needed.
 */
#ifndef KILN_SYMBOLIZER_LOOKUP_OBJECT_H
#define KILN_SYMBOLIZER_LOOKUP_OBJECT_H

#include "symbolizer/query/answer.h"

struct object;
struct debug_search;

/* Limits for the sections of a file and of its debug files. */
const struct elf_limits *object_limits(bool names_only);

/* Opens a file from a descriptor, which is taken, also on failure. 0 or the -errno of
 * elf_obj_open(). dwarf_bytes: what its DWARF reader may keep. */
int object_open(struct object **out, int fd, bool names_only, size_t dwarf_bytes);
void object_free(struct object *o);
/* Before the first address: frames are to have the discriminators of lines. */
void object_want_discriminators(struct object *o);

struct elf_obj *object_elf(struct object *o);

/* Turns a file offset into an ELF address. False if no segment loads it. */
bool object_va_of_off(const struct object *o, uint64_t file_off, uint64_t *elf_va);

/*
 * Resolves addresses. elf_va[i] belongs to file_off[i]. `module` is the file's display name.
 * `search` says where debug files may be, and is used during this call only. 0 or -ENOMEM.
 */
int object_resolve(struct object *o, const struct debug_search *search, const char *module,
		   const uint64_t *elf_va, size_t n, sym_result_fn fn, void *ctx);

/*
 * Writes the line table of the file into the descriptor of an empty file, or a refusal, which says
 * why there is no table. 0 or -errno: -ENODATA if the file has no DWARF, else see
 * line_table_build().
 */
int object_build_table(struct object *o, const struct debug_search *search, int fd);

/* Whether object_resolve() with this search reads DWARF, which takes memory. Looks for debug files. 0 or -ENOMEM. */
int object_reads_dwarf(bool *out, struct object *o, const struct debug_search *search);

/* Bytes of parsed state. object_shrink() frees the DWARF reader with its sections, which is less
 * than freeing the object. */
size_t object_bytes(const struct object *o);
void object_shrink(struct object *o);
/* Number of times a limit left something out. */
unsigned object_limit_hits(const struct object *o);

#endif
