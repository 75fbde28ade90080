/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps addresses of an object file (ET_REL, a kernel module) to addresses in its debug file.
 * Neither file has real addresses: elf_section.va gives each section a made-up one. Sections of
 * both files are matched by name, size and order.
 */
#ifndef KILN_SYMBOLIZER_ELF_SECTION_MAP_H
#define KILN_SYMBOLIZER_ELF_SECTION_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_obj;
struct section_map;

/* Both objects are needed during the call only. 0 or -ENOMEM. */
int section_map_new(struct section_map **out, const struct elf_obj *main,
		    const struct elf_obj *debug);
void section_map_free(struct section_map *m);

/* False if main has no code there, or if debug has no such section. */
bool section_map_find(const struct section_map *m, uint64_t main_va, uint64_t *debug_va);

size_t section_map_bytes(const struct section_map *m);

#endif
