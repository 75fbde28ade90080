// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/dwarf/dwarf_ranges.h"

/* Longest entry of either kind of list: a byte and two LEB128 or addresses. */
#define ENTRY_BYTES_MAX 32
/* Work of an entry. More than its bytes, because it takes memory too. */
#define ENTRY_WORK 64

/* Reads a list entry by entry, through moving views. */
struct list {
	struct cu *cu;
	struct sect *sect;
	uint64_t off; /* offset of the view's start */
	struct bytes view, start;
	uint64_t base; /* base address of relative entries */
	bool dead;     /* the base is a tombstone: the code was removed */
	uint64_t tombstone;
	uint32_t id;
	struct spans *out;
	int err;
};

static void list_view(struct list *l)
{
	l->off += (uint64_t)(l->view.p - l->start.p);
	l->view = l->start = sect_view(l->sect, l->off, SECT_VIEW_BYTES);
}

/* Makes the next entry contiguous. False at the end, or if work or memory ran out. */
static bool list_next(struct list *l)
{
	if (l->err || !work_spend(l->cu->file->work, ENTRY_WORK))
		return false;
	if (bytes_left(&l->view) < ENTRY_BYTES_MAX)
		list_view(l);
	return !l->view.bad;
}

static void list_start(struct list *l, uint64_t off)
{
	l->off = off;
	l->view = l->start = (struct bytes){0};
	l->base = l->cu->low_pc;
}

static void emit(struct list *l, uint64_t low, uint64_t high)
{
	if (low >= high || low == l->tombstone || low < l->cu->addr_file->text_va)
		return;
	if (l->out->len >= SPANS_MAX)
		l->cu->file->work->limited = true;
	else
		l->err = vec_push(l->out, (struct span){low, high, l->id});
}

static void emit_relative(struct list *l, uint64_t low, uint64_t high)
{
	if (l->base != l->tombstone)
		emit(l, l->base + low, l->base + high);
}

/* DWARF 4, section 2.17.3. The highest address selects a base, so linkers mark removed code with
 * the next lower address. */
static void read_ranges(struct list *l)
{
	unsigned size = l->cu->unit.addr_size;
	uint64_t select = l->tombstone;

	l->tombstone--;
	while (list_next(l)) {
		uint64_t low = bytes_uint(&l->view, size), high = bytes_uint(&l->view, size);

		if (l->view.bad || (!low && !high))
			break;
		if (low == select)
			l->base = high;
		else if (low != l->tombstone)
			emit_relative(l, low, high);
	}
}

static bool pooled(struct list *l, uint64_t *va)
{
	return cu_addr_at(l->cu, bytes_uleb(&l->view), va);
}

/* Reads one entry (DWARF 5, sections 2.17.3 and 7.25). False at the end of the list. */
static bool read_rnglist_entry(struct list *l)
{
	unsigned size = l->cu->unit.addr_size;
	uint8_t kind = bytes_u8(&l->view);
	uint64_t low = 0, high = 0;
	bool ok = true;

	switch (kind) {
	case DW_RLE_base_addressx:
		if (!pooled(l, &l->base))
			l->base = l->tombstone;
		return !l->view.bad;
	case DW_RLE_base_address:
		l->base = bytes_uint(&l->view, size);
		return !l->view.bad;
	case DW_RLE_offset_pair:
		low = bytes_uleb(&l->view);
		high = bytes_uleb(&l->view);
		if (!l->view.bad)
			emit_relative(l, low, high);
		return !l->view.bad;
	case DW_RLE_startx_endx:
		ok = pooled(l, &low);
		ok = pooled(l, &high) && ok;
		break;
	case DW_RLE_startx_length:
		ok = pooled(l, &low);
		high = low + bytes_uleb(&l->view);
		break;
	case DW_RLE_start_end:
		low = bytes_uint(&l->view, size);
		high = bytes_uint(&l->view, size);
		break;
	case DW_RLE_start_length:
		low = bytes_uint(&l->view, size);
		high = low + bytes_uleb(&l->view);
		break;
	default: /* DW_RLE_end_of_list, or unknown */
		return false;
	}
	if (ok && !l->view.bad)
		emit(l, low, high);
	return !l->view.bad;
}

/* DW_FORM_rnglistx: an index into the offsets behind the table's header. */
static bool rnglist_offset(struct cu *cu, const struct die_attr *attr, uint64_t *off)
{
	uint64_t at, rel;

	if (attr->form != DW_FORM_rnglistx) {
		*off = attr->v;
		return true;
	}
	if (__builtin_mul_overflow(attr->v, cu->unit.off_size, &at) ||
	    __builtin_add_overflow(at, cu->rnglists_base, &at) ||
	    !sect_uint(&cu->file->sect[SECT_RNGLISTS], at, cu->unit.off_size, &rel))
		return false;
	*off = cu->rnglists_base + rel;
	return true;
}

int ranges_add(struct cu *cu, const struct die *die, uint32_t id, struct spans *out)
{
	const struct die_attr *attr = &die->attr[PICK_RANGES];
	struct list l = {.cu = cu, .id = id, .out = out};
	uint64_t low, high, off;

	l.tombstone = cu->unit.addr_size == 8 ? UINT64_MAX : (1ull << 8 * cu->unit.addr_size) - 1;
	if (cu_pc(cu, die, &low, &high)) {
		emit(&l, low, high);
		return l.err;
	}
	if (!die_has(die, PICK_RANGES) || !rnglist_offset(cu, attr, &off))
		return 0;
	if (cu->unit.version >= 5) {
		l.sect = &cu->file->sect[SECT_RNGLISTS];
		list_start(&l, off);
		while (list_next(&l) && read_rnglist_entry(&l))
			;
	} else {
		/* A split unit's ranges are in the main file, starting at its skeleton's base. */
		l.sect = &cu->ranges_file->sect[SECT_RANGES];
		list_start(&l, off + (cu->file->split ? cu->ranges_base : 0));
		read_ranges(&l);
	}
	return l.err;
}
