// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf_cu.h"
#include "symbolizer/dwarf_index.h"
#include "symbolizer/dwarf_ranges.h"

struct build {
	struct dwarf_file *f;
	struct spans spans;
	uint8_t *covered; /* per unit: .debug_aranges speaks of it */
};

static void build_release(struct build *b)
{
	vec_release(&b->spans);
	free(b->covered);
}

static int add(struct build *b, uint64_t low, uint64_t len, uint32_t unit)
{
	if (!len || low + len < low)
		return 0;
	if (b->spans.len >= SPANS_MAX) {
		b->f->work->limited = true;
		return 0;
	}
	return vec_push(&b->spans, (struct span){low, low + len, unit});
}

/* One set (DWARF 5, section 6.1.2), from its version on. A unit the list does not have is passed
 * over: its address 0 would otherwise be anybody's. */
static int read_set(struct build *b, struct bytes *set, unsigned off_size, unsigned header_len)
{
	const uint8_t *start = set->p;
	unsigned version = bytes_u16(set);
	uint64_t off = bytes_uint(set, off_size);
	unsigned addr_size = bytes_u8(set), seg_size = bytes_u8(set), used;
	struct unit *u = dwarf_file_unit_at(b->f, off);
	uint32_t id;
	int err = 0;

	if (set->bad || version != 2 || seg_size || addr_size < 1 || addr_size > 8)
		return 0;
	if (!u || u->off != off)
		return 0;
	id = (uint32_t)(u - b->f->units.data);
	b->covered[id] = 1;
	/* Tuples are aligned to their size, counted from the start of the set. */
	used = header_len + (unsigned)(set->p - start);
	bytes_skip(set, (2 * addr_size - used % (2 * addr_size)) % (2 * addr_size));
	while (bytes_left(set) >= 2 * addr_size && !err) {
		uint64_t low = bytes_uint(set, addr_size), len = bytes_uint(set, addr_size);

		err = add(b, low, len, id);
	}
	return err;
}

static int read_aranges(struct build *b, const uint8_t *data, size_t len)
{
	struct bytes all = bytes_of(data, len);
	int err = 0;

	while (bytes_left(&all) && !err) {
		uint64_t set_len = bytes_u32(&all);
		unsigned off_size = 4;
		struct bytes set;

		if (set_len == 0xffffffff) {
			set_len = bytes_u64(&all);
			off_size = 8;
		}
		set = bytes_sub(&all, set_len);
		if (!set.bad)
			err = read_set(b, &set, off_size, off_size == 8 ? 12 : 4);
	}
	return err;
}

static int add_aranges(struct build *b)
{
	const struct elf_section *sec = elf_obj_section(b->f->elf, ".debug_aranges");
	const uint8_t *data;
	size_t len;
	int err;

	if (!sec)
		return 0;
	err = elf_obj_data(b->f->elf, sec, &data, &len);
	if (err)
		return err == -ENOMEM ? err : 0;
	err = read_aranges(b, data, len);
	elf_obj_drop(b->f->elf, sec);
	return err;
}

static int add_unit_die(struct build *b, uint32_t id)
{
	struct die die;
	struct cu cu;
	int err = cu_peek(b->f, &b->f->units.data[id], &cu, &die);

	if (err)
		return err == -ENOMEM ? err : 0;
	return ranges_add(&cu, &die, id, &b->spans);
}

int index_build(struct segmap *out, struct dwarf_file *f)
{
	_cleanup_(build_release) struct build b = {.f = f};
	int err = dwarf_file_scan(f);

	if (err)
		return err;
	b.covered = calloc(f->units.len + 1, 1);
	if (!b.covered)
		return -ENOMEM;
	err = add_aranges(&b);
	for (uint32_t i = 0; i < f->units.len && !err; i++)
		if (!b.covered[i])
			err = add_unit_die(&b, i);
	if (err)
		return err;
	return segmap_build(out, &b.spans, f->units.len, SEG_KEEP_LOWEST);
}
