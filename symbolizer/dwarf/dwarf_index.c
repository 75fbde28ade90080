// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_cu.h"
#include "symbolizer/dwarf/dwarf_index.h"
#include "symbolizer/dwarf/dwarf_ranges.h"

/* Parsed .debug_aranges. Ids of spans are indices in `sets` until the sets are sorted. */
/* There are at most as many sets as units. */
#define SETS_MAX (1u << 20)

struct build {
	struct dwarf_file *f;
	struct spans spans;
	VEC(uint64_t) sets; /* offset of each set's unit */
};

static void build_release(struct build *b)
{
	vec_release(&b->spans);
	vec_release(&b->sets);
}

static int add(struct build *b, uint64_t low, uint64_t len, uint32_t unit)
{
	if (!len || low + len < low || low < b->f->text_va)
		return 0;
	if (b->spans.len >= SPANS_MAX) {
		b->f->work->limited = true;
		return 0;
	}
	return vec_push(&b->spans, (struct span){low, low + len, unit});
}

/* Reads one set (DWARF 5, section 6.1.2), after its version. */
static int read_set(struct build *b, struct bytes *set, unsigned off_size, unsigned header_len)
{
	const uint8_t *start = set->p;
	unsigned version = bytes_u16(set);
	uint64_t off = bytes_uint(set, off_size);
	unsigned addr_size = bytes_u8(set), seg_size = bytes_u8(set), used;
	uint32_t id = (uint32_t)b->sets.len;
	int err = 0;

	if (set->bad || version != 2 || seg_size || addr_size < 1 || addr_size > 8)
		return 0;
	if (off >= sect_size(&b->f->sect[SECT_INFO]))
		return 0;
	if (b->sets.len >= SETS_MAX) {
		b->f->work->limited = true;
		return 0;
	}
	if (vec_push(&b->sets, off))
		return -ENOMEM;
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

static int compare_offs(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Index of an offset in offs, or SEG_NONE. */
static uint32_t place_of(const struct index *x, uint64_t off)
{
	const uint64_t *p =
		x->offs.len ? bsearch(&off, x->offs.data, x->offs.len, sizeof(off), compare_offs)
			    : NULL;

	return p ? (uint32_t)(p - x->offs.data) : SEG_NONE;
}

/* Sorts the sets by unit and joins several sets of one unit. */
static int take_sets(struct index *x, struct build *b)
{
	size_t n = 0;

	if (!b->sets.len)
		return 0;
	if (vec_reserve(&x->offs, b->sets.len))
		return -ENOMEM;
	memcpy(x->offs.data, b->sets.data, b->sets.len * sizeof(*b->sets.data));
	qsort(x->offs.data, b->sets.len, sizeof(*x->offs.data), compare_offs);
	for (size_t i = 0; i < b->sets.len; i++)
		if (!n || x->offs.data[i] != x->offs.data[n - 1])
			x->offs.data[n++] = x->offs.data[i];
	x->offs.len = n;
	for (size_t i = 0; i < b->spans.len; i++)
		b->spans.data[i].id = place_of(x, b->sets.data[b->spans.data[i].id]);
	return segmap_build(&x->covered, &b->spans, n, SEG_KEEP_LOWEST);
}

int index_open(struct index *x, struct dwarf_file *f)
{
	_cleanup_(build_release) struct build b = {.f = f};
	int err = add_aranges(&b);

	return err ?: take_sets(x, &b);
}

void index_release(struct index *x)
{
	segmap_release(&x->covered);
	segmap_release(&x->others);
	vec_release(&x->offs);
	vec_release(&x->spans);
}

uint32_t index_find_covered(const struct index *x, uint64_t va)
{
	return segmap_find(&x->covered, va);
}

uint32_t index_find_other(const struct index *x, uint64_t va)
{
	return segmap_find(&x->others, va);
}

/* Takes the ranges of newly listed units that are not covered. */
static int look_at_units(struct index *x, struct dwarf_file *f)
{
	for (; x->seen < f->units.len; x->seen++) {
		const struct unit *u = &f->units.data[x->seen];
		struct die die;
		struct cu cu;
		int err;

		if (place_of(x, u->off) != SEG_NONE)
			continue;
		err = cu_peek(f, u, &cu, &die);
		if (!err)
			err = ranges_add(&cu, &die, (uint32_t)x->seen, &x->spans);
		if (err == -ENOMEM)
			return err;
	}
	return 0;
}

int index_unit(struct index *x, struct dwarf_file *f, uint32_t covered, uint32_t *unit)
{
	uint64_t off = x->offs.data[covered];
	struct unit *u;
	int err = 0;

	/* One unit at a time, so that each is read while its bytes are at hand. */
	while (!err && !f->scanned && f->scan_off <= off) {
		uint64_t before = f->scan_off;

		err = dwarf_file_scan_to(f, f->scan_off) ?: look_at_units(x, f);
		if (f->scan_off == before)
			break;
	}
	if (err)
		return err;
	u = dwarf_file_unit_at(f, off);
	*unit = u && u->off == off ? (uint32_t)(u - f->units.data) : SEG_NONE;
	return 0;
}

int index_complete(struct index *x, struct dwarf_file *f)
{
	uint64_t before;
	int err = 0;

	if (x->complete)
		return 0;
	do {
		before = f->scan_off;
		err = dwarf_file_scan_to(f, f->scan_off) ?: look_at_units(x, f);
	} while (!err && f->scan_off > before);
	if (err)
		return err;
	segmap_release(&x->others);
	err = segmap_build(&x->others, &x->spans, f->units.len, SEG_KEEP_LOWEST);
	if (err || !f->scanned) /* the allowance for inflating is used up */
		return err;
	x->complete = true;
	vec_release(&x->spans);
	return 0;
}

size_t index_bytes(const struct index *x)
{
	return segmap_bytes(&x->covered) + segmap_bytes(&x->others) +
	       x->offs.cap * sizeof(*x->offs.data) + x->spans.cap * sizeof(*x->spans.data);
}
