// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_cu.h"

DEFINE_CLEANUP(cu, cu_unload)

void cu_unload(struct cu *cu)
{
	if (!cu)
		return;
	dwarf_file_put_abbrevs(cu->file, cu->abbrevs);
	dwarf_file_free(cu->own_file);
	free(cu);
}

/* --- the unit DIE ------------------------------------------------------------------------- */

static struct die_attr attr_or_none(const struct die *die, enum dwarf_pick pick)
{
	return die_has(die, pick) ? die->attr[pick] : (struct die_attr){0};
}

static uint64_t value_or(const struct die *die, enum dwarf_pick pick, uint64_t other)
{
	return die_has(die, pick) ? die->attr[pick].v : other;
}

/* Takes the unit DIE's attributes, for a unit that is not split. */
static void take_unit_die(struct cu *cu, const struct die *die)
{
	cu->addr_base = value_or(die, PICK_ADDR_BASE, 0);
	cu->str_offsets_base = value_or(die, PICK_STR_OFFSETS_BASE, 0);
	cu->rnglists_base = value_or(die, PICK_RNGLISTS_BASE, 0);
	cu->ranges_base = value_or(die, PICK_GNU_RANGES_BASE, 0);
	cu->comp_dir = attr_or_none(die, PICK_COMP_DIR);
	cu->dwo_name = attr_or_none(die, PICK_DWO_NAME);
	cu->dwo_id = cu->unit.dwo_id ?: value_or(die, PICK_DWO_ID, 0);
	cu->has_stmt_list = die_has(die, PICK_STMT_LIST);
	cu->stmt_list = value_or(die, PICK_STMT_LIST, 0);
	cu->has_low_pc =
		die_has(die, PICK_LOW_PC) && cu_addr(cu, &die->attr[PICK_LOW_PC], &cu->low_pc);
}

static void init_cu(struct cu *cu, struct dwarf_file *f, const struct unit *u)
{
	*cu = (struct cu){
		.file = f,
		.unit = *u,
		.home = SIZE_MAX,
		.addr_file = f,
		.ranges_file = f,
	};
	cu->unit.cu = NULL;
}

/* Reads the DIE at b; off is its offset in the section. */
static int read_die(const struct abbrevs *a, struct bytes *b, uint64_t off, struct die *die)
{
	const uint8_t *start = b->p;
	uint64_t code = bytes_uleb(b);
	const struct abbrev *d = b->bad || !code ? NULL : abbrevs_find(a, code);

	return d && abbrev_pick(a, d, b, off, start, die) ? 0 : -EBADMSG;
}

int cu_peek(struct dwarf_file *f, const struct unit *u, struct cu *cu, struct die *die)
{
	struct shape shape = unit_shape(u);
	struct bytes b = sect_view(&f->sect[SECT_INFO], u->off + u->die_off, SECT_VIEW_BYTES);
	struct bytes code = b;
	struct abbrevs *a;
	uint64_t only = bytes_uleb(&code);
	int err = code.bad || !only
			  ? -EBADMSG
			  : abbrevs_decode(&a, &f->sect[SECT_ABBREV], u->abbrev_off, &shape, only);

	if (err)
		return err;
	init_cu(cu, f, u);
	err = read_die(a, &b, u->off + u->die_off, die);
	if (!err)
		take_unit_die(cu, die);
	die->abbrev = NULL; /* the table is freed */
	abbrevs_free(a);
	return err;
}

static int load(struct dwarf_file *f, const struct unit *u, struct cu **out, struct die *die)
{
	_cleanup_(cu_freep) struct cu *cu = calloc(1, sizeof(*cu));
	int err;

	if (!cu)
		return -ENOMEM;
	init_cu(cu, f, u);
	err = dwarf_file_get_abbrevs(f, u, &cu->abbrevs);
	if (!err)
		err = cu_die(cu, u->off + u->die_off, die);
	if (err)
		return err;
	*out = steal_ptr(cu);
	return 0;
}

int cu_load(struct cu **out, struct dwarf_file *f, const struct unit *u)
{
	struct die die;
	int err = load(f, u, out, &die);

	if (!err)
		take_unit_die(*out, &die);
	return err;
}

int cu_load_split(struct cu **out, struct dwarf_file *f, const struct unit *u,
		  const struct contribution *at, const struct cu *skeleton)
{
	bool dwarf64 = u->off_size == 8;
	struct die die;
	struct cu *cu;
	int err = load(f, u, &cu, &die);

	if (err)
		return err;
	cu->dwo_id = u->dwo_id ?: value_or(&die, PICK_DWO_ID, 0);
	cu->addr_file = skeleton->file;
	cu->addr_base = skeleton->addr_base;
	cu->ranges_file = skeleton->file;
	cu->ranges_base = skeleton->ranges_base;
	cu->low_pc = skeleton->low_pc;
	cu->has_low_pc = skeleton->has_low_pc;
	/* Tables of split units have no base attribute; they start behind their headers. The GNU
	 * extension to DWARF 4 has no header. */
	cu->str_offsets_base = at->str_offsets + (u->version < 5 ? 0 : dwarf64 ? 16 : 8);
	cu->rnglists_base = at->rnglists + (dwarf64 ? 20 : 12);
	*out = cu;
	return 0;
}

/* Longer DIEs are unusual. They cost some of the work allowance. */
#define DIE_BYTES_FREE 4096

/* --- DIEs and their attributes -------------------------------------------------------------- */

int cu_die(struct cu *cu, uint64_t off, struct die *die)
{
	struct sect *info = &cu->file->sect[cu->unit.sect];
	uint64_t end = cu->unit.off + cu->unit.len;

	if (off < cu->unit.off + cu->unit.die_off || off >= end)
		return -EBADMSG;
	for (uint64_t want = SECT_VIEW_BYTES;; want *= 8) {
		struct bytes b = sect_view(info, off, want < end - off ? want : end - off);
		const uint8_t *start = b.p;
		size_t len = bytes_left(&b), used;
		int err;

		if (len > end - off)
			b.end = b.p + (end - off);
		if (b.bad)
			return -EBADMSG;
		err = read_die(cu->abbrevs, &b, off, die);
		used = (size_t)(b.p - start);
		if (used > DIE_BYTES_FREE && !work_spend(cu->file->work, used))
			return -EBADMSG;
		if (!err)
			return 0;
		if (!b.bad || len >= end - off)
			return -EBADMSG;
	}
}

bool cu_addr_at(struct cu *cu, uint64_t index, uint64_t *va)
{
	unsigned size = cu->unit.addr_size;
	uint64_t off;

	return !__builtin_mul_overflow(index, size, &off) &&
	       !__builtin_add_overflow(off, cu->addr_base, &off) &&
	       sect_uint(&cu->addr_file->sect[SECT_ADDR], off, size, va);
}

bool cu_addr(struct cu *cu, const struct die_attr *attr, uint64_t *va)
{
	if (form_is_addr_index(attr->form))
		return cu_addr_at(cu, attr->v, va);
	if (attr->form != DW_FORM_addr)
		return false;
	*va = attr->v;
	return true;
}

/* Place of the string with this index in .debug_str_offsets. */
static struct sect *place_at_index(struct cu *cu, uint64_t index, uint64_t *at)
{
	struct dwarf_file *f = cu->file;
	uint64_t off;

	if (__builtin_mul_overflow(index, cu->unit.off_size, &off) ||
	    __builtin_add_overflow(off, cu->str_offsets_base, &off) ||
	    !sect_uint(&f->sect[SECT_STR_OFFSETS], off, cu->unit.off_size, at))
		return NULL;
	return &f->sect[SECT_STR];
}

struct sect *cu_str_place(struct cu *cu, const struct die_attr *attr, uint64_t *off)
{
	struct dwarf_file *f = cu->file;

	*off = attr->v;
	switch (attr->form) {
	case DW_FORM_string:
		return &f->sect[cu->unit.sect];
	case DW_FORM_strp:
		return &f->sect[SECT_STR];
	case DW_FORM_line_strp:
		return &f->sect[SECT_LINE_STR];
	case DW_FORM_GNU_strp_alt:
	case DW_FORM_strp_sup:
		return f->alt ? &f->alt->sect[SECT_STR] : NULL;
	default:
		return form_is_str_index(attr->form) ? place_at_index(cu, attr->v, off) : NULL;
	}
}

const char *cu_str(struct cu *cu, const struct die_attr *attr)
{
	uint64_t off;
	struct sect *sect = cu_str_place(cu, attr, &off);

	return sect ? sect_str(sect, off) : NULL;
}

bool cu_pc(struct cu *cu, const struct die *die, uint64_t *low, uint64_t *high)
{
	/* Linkers mark removed code with the highest address (DWARF 6 proposal 200609.1), or leave it
	 * at address 0. */
	uint64_t tombstone =
		cu->unit.addr_size == 8 ? UINT64_MAX : (1ull << 8 * cu->unit.addr_size) - 1;
	const struct die_attr *end = &die->attr[PICK_HIGH_PC];

	if (!die_has(die, PICK_LOW_PC) || !die_has(die, PICK_HIGH_PC) ||
	    !cu_addr(cu, &die->attr[PICK_LOW_PC], low) || *low == tombstone ||
	    *low < cu->addr_file->text_va)
		return false;
	if (!form_is_address(end->form))
		*high = *low + end->v;
	else if (!cu_addr(cu, end, high))
		return false;
	return *high >= *low;
}
