// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/elf/section_map.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"

struct pair {
	uint64_t start, len, debug_va;
};

struct section_map {
	VEC(struct pair) pairs; /* sorted by start */
};

struct sections {
	VEC(const struct elf_section *) v;
};

/* By name, then in the order of the file. */
static int name_cmp(const void *pa, const void *pb)
{
	const struct elf_section *a = *(const struct elf_section *const *)pa;
	const struct elf_section *b = *(const struct elf_section *const *)pb;
	int cmp = strcmp(a->name, b->name);

	return cmp ?: (a->index > b->index) - (a->index < b->index);
}

static int collect(struct sections *out, const struct elf_obj *obj)
{
	const uint64_t code = SHF_ALLOC | SHF_EXECINSTR;
	int err = 0;

	for (size_t i = 0; i < elf_obj_section_count(obj) && !err; i++) {
		const struct elf_section *sec = elf_obj_section_by_index(obj, i);

		if ((sec->flags & code) == code && sec->size)
			err = vec_push(&out->v, sec);
	}
	if (out->v.len)
		qsort(out->v.data, out->v.len, sizeof(*out->v.data), name_cmp);
	return err;
}

/* Merges both sorted lists. The n-th section of a name belongs to the n-th of that name. */
static int pair_up(struct section_map *m, const struct sections *main, const struct sections *debug)
{
	int err = 0;

	for (size_t i = 0, k = 0; i < main->v.len && k < debug->v.len && !err;) {
		const struct elf_section *a = main->v.data[i], *b = debug->v.data[k];
		int cmp = strcmp(a->name, b->name);

		if (!cmp && a->size == b->size)
			err = vec_push(&m->pairs, (struct pair){a->va, a->size, b->va});
		i += cmp <= 0;
		k += cmp >= 0;
	}
	return err;
}

static int start_cmp(const void *pa, const void *pb)
{
	const struct pair *a = pa, *b = pb;

	return (a->start > b->start) - (a->start < b->start);
}

DEFINE_CLEANUP(section_map, section_map_free)

int section_map_new(struct section_map **out, const struct elf_obj *main,
		    const struct elf_obj *debug)
{
	_cleanup_(section_map_freep) struct section_map *m = calloc(1, sizeof(*m));
	struct sections in_main = {0}, in_debug = {0};
	int err = m ? 0 : -ENOMEM;

	err = err ?: collect(&in_main, main) ?: collect(&in_debug, debug);
	err = err ?: pair_up(m, &in_main, &in_debug);
	vec_release(&in_main.v);
	vec_release(&in_debug.v);
	if (err)
		return err;
	if (m->pairs.len)
		qsort(m->pairs.data, m->pairs.len, sizeof(*m->pairs.data), start_cmp);
	*out = steal_ptr(m);
	return 0;
}

void section_map_free(struct section_map *m)
{
	if (!m)
		return;
	vec_release(&m->pairs);
	free(m);
}

bool section_map_find(const struct section_map *m, uint64_t main_va, uint64_t *debug_va)
{
	size_t lo = 0, hi = m->pairs.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->pairs.data[mid].start <= main_va)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || main_va - m->pairs.data[lo - 1].start >= m->pairs.data[lo - 1].len)
		return false;
	*debug_va = m->pairs.data[lo - 1].debug_va + (main_va - m->pairs.data[lo - 1].start);
	return true;
}

size_t section_map_bytes(const struct section_map *m)
{
	return sizeof(*m) + m->pairs.cap * sizeof(*m->pairs.data);
}
