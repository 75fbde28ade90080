// SPDX-License-Identifier: GPL-2.0-or-later
/* Arbitrary bytes as an ELF file: contents of all sections, symbols, function ranges. */
#include <assert.h>
#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "symbolizer/symbols/eh_ranges.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbols/symtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces, a compressed section is what it is as a whole. */
static void read_pieces(struct elf_obj *obj, const struct elf_section *sec, const uint8_t *want,
			size_t len)
{
	struct elf_stream *s;
	uint8_t piece[301];

	if (elf_obj_type(obj) == ET_REL || elf_stream_open(&s, obj, sec))
		return;
	assert(elf_stream_size(s) == len);
	for (size_t off = 0; off < len; off += 100000) {
		size_t n = len - off < sizeof(piece) ? len - off : sizeof(piece);

		if (elf_stream_read(s, piece, n, off) || memcmp(piece, want + off, n) != 0)
			abort();
	}
	elf_stream_free(s);
}

static void read_all(struct elf_obj *obj)
{
	for (size_t i = 0; i < elf_obj_section_count(obj); i++) {
		const struct elf_section *sec = elf_obj_section_by_index(obj, i);
		const uint8_t *bytes;
		size_t len;

		if (elf_obj_data(obj, sec, &bytes, &len))
			continue;
		assert(bytes[len] == 0);
		read_pieces(obj, sec, bytes, len);
		elf_obj_drop(obj, sec);
	}
}

static void look_up(const struct symtab *t, const struct eh_ranges *r)
{
	struct buf name = {0};
	uint64_t last = 0;

	for (uint32_t i = 0; i < symtab_count(t); i++) {
		uint64_t start, end, fde_start, fde_end;
		uint32_t index;

		symtab_range(t, i, &start, &end);
		assert(start >= last && end >= start);
		last = end;
		if (end > start && (symtab_find(t, end - 1, &index) || index != i))
			abort();
		buf_clear(&name);
		symtab_name(t, i, &name);
		if (r && !eh_ranges_find(r, start, &fde_start, &fde_end))
			assert(fde_start <= start && start < fde_end);
	}
	buf_release(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct elf_limits limits = {8u << 20, 16u << 20};
	struct eh_ranges *r = NULL;
	struct symtab *t = NULL;
	struct elf_obj *obj;
	int problem;

	if (elf_obj_open_bytes(&obj, data, size, &limits))
		return 0;
	read_all(obj);
	if (eh_ranges_load(&r, obj))
		r = NULL;
	if (!symtab_load(&t, obj, size % 2 ? obj : NULL, r, &problem))
		look_up(t, r);
	symtab_free(t);
	eh_ranges_free(r);
	elf_obj_free(obj);
	return 0;
}
