/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the code of an object file (ET_REL, a kernel module) is in its debug file. Neither has
 * addresses, and elf_section.va says where a section lies in each; what they have in common are the
 * sections: their names, sizes and order.
 */
#ifndef KILN_SYMBOLIZER_ELF_SECTION_MAP_H
#define KILN_SYMBOLIZER_ELF_SECTION_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_obj;
struct section_map;

/* 0 or -ENOMEM. */
int section_map_new(struct section_map **out, const struct elf_obj *main,
		    const struct elf_obj *debug);
void section_map_free(struct section_map *m);

/* False: no code of main is there, or debug has no such section. */
bool section_map_find(const struct section_map *m, uint64_t main_va, uint64_t *debug_va);

size_t section_map_bytes(const struct section_map *m);

#endif
