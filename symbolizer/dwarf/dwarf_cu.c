// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_cu.h"
#include "symbolizer/dwarf/dwarf_func.h"
#include "symbolizer/dwarf/dwarf_line.h"

DEFINE_CLEANUP(cu, cu_free)

/* --- the cache ---------------------------------------------------------------------------- */

static void unlink_cu(struct cu_cache *cache, struct cu *cu)
{
	*(cu->colder ? &cu->colder->hotter : &cache->coldest) = cu->hotter;
	*(cu->hotter ? &cu->hotter->colder : &cache->hottest) = cu->colder;
	cu->colder = cu->hotter = NULL;
}

static void link_hottest(struct cu_cache *cache, struct cu *cu)
{
	cu->colder = cache->hottest;
	*(cache->hottest ? &cache->hottest->hotter : &cache->coldest) = cu;
	cache->hottest = cu;
}

/* The list of units has grown since, the list of types has not. */
static struct unit *home_list(struct dwarf_file *f, const struct unit *u)
{
	return unit_is_type(u) ? f->types.data : f->units.data;
}

void cu_free(struct cu *cu)
{
	if (!cu)
		return;
	cu_free(cu->split);
	funcs_free(cu->funcs);
	lines_free(cu->lines);
	dwarf_file_put_abbrevs(cu->file, cu->abbrevs);
	dwarf_file_free(cu->own_file);
	if (cu->home != SIZE_MAX)
		home_list(cu->file, &cu->unit)[cu->home].cu = NULL;
	free(cu);
}

static size_t cu_bytes(const struct cu *cu)
{
	size_t n = sizeof(*cu) + funcs_bytes(cu->funcs) + lines_bytes(cu->lines);

	if (cu->own_file)
		n += dwarf_file_bytes(cu->own_file) + elf_obj_bytes(cu->own_file->elf);
	return cu->split ? n + cu_bytes(cu->split) : n;
}

void cu_account(struct cu_cache *cache, struct cu *cu)
{
	cache->bytes -= cu->bytes;
	cu->bytes = cu_bytes(cu);
	cache->bytes += cu->bytes;
}

void cu_cache_trim(struct cu_cache *cache, size_t max_bytes, const struct cu *keep)
{
	struct cu *cu = cache->coldest, *hotter;

	for (; cu && cache->bytes > max_bytes; cu = hotter) {
		hotter = cu->hotter;
		if (cu == keep)
			continue;
		unlink_cu(cache, cu);
		cache->bytes -= cu->bytes;
		cu_free(cu);
	}
}

void cu_cache_release(struct cu_cache *cache)
{
	cu_cache_trim(cache, 0, NULL);
	while (cache->coldest) {
		struct cu *cu = cache->coldest;

		unlink_cu(cache, cu);
		cu_free(cu);
	}
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

/* What a unit that is not split says about itself. */
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

/* Reads the DIE at b, which is at off of the section. */
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
	die->abbrev = NULL; /* dies with the table */
	abbrevs_free(a);
	return err;
}

static int load_cu(struct dwarf_file *f, const struct unit *u, struct cu **out, struct die *die)
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

int cu_get(struct cu_cache *cache, struct dwarf_file *f, struct unit *u, struct cu **out)
{
	struct die die;
	int err;

	if (u->cu) {
		unlink_cu(cache, u->cu);
	} else {
		err = load_cu(f, u, &u->cu, &die);
		if (err)
			return err;
		u->cu->home = (size_t)(u - home_list(f, u));
		take_unit_die(u->cu, &die);
		cu_account(cache, u->cu);
	}
	link_hottest(cache, u->cu);
	*out = u->cu;
	return 0;
}

int cu_new_split(struct dwarf_file *f, const struct unit *u, const struct contribution *at,
		 const struct cu *skeleton, struct cu **out)
{
	bool dwarf64 = u->off_size == 8;
	struct die die;
	struct cu *cu;
	int err = load_cu(f, u, &cu, &die);

	if (err)
		return err;
	cu->dwo_id = u->dwo_id ?: value_or(&die, PICK_DWO_ID, 0);
	cu->addr_file = skeleton->file;
	cu->addr_base = skeleton->addr_base;
	cu->ranges_file = skeleton->file;
	cu->ranges_base = skeleton->ranges_base;
	cu->low_pc = skeleton->low_pc;
	cu->has_low_pc = skeleton->has_low_pc;
	/* Tables of split units have no base attribute: they start behind their headers. The GNU
	 * extension to DWARF 4 has no header. */
	cu->str_offsets_base = at->str_offsets + (u->version < 5 ? 0 : dwarf64 ? 16 : 8);
	cu->rnglists_base = at->rnglists + (dwarf64 ? 20 : 12);
	*out = cu;
	return 0;
}

/* A DIE longer than this is unusual; reading it is paid for from the work allowance. */
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

/* Index into .debug_str_offsets. */
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
	/* Linkers mark removed code with the highest address (DWARF 6 proposal 200609.1). */
	uint64_t tombstone =
		cu->unit.addr_size == 8 ? UINT64_MAX : (1ull << 8 * cu->unit.addr_size) - 1;
	const struct die_attr *end = &die->attr[PICK_HIGH_PC];

	if (!die_has(die, PICK_LOW_PC) || !die_has(die, PICK_HIGH_PC) ||
	    !cu_addr(cu, &die->attr[PICK_LOW_PC], low) || *low == tombstone)
		return false;
	if (!form_is_address(end->form))
		*high = *low + end->v;
	else if (!cu_addr(cu, end, high))
		return false;
	return *high >= *low;
}

bool cu_ref(struct cu_cache *cache, struct cu *cu, const struct die_attr *attr, struct cu **to,
	    uint64_t *off)
{
	struct dwarf_file *f = cu->file;
	struct unit *u;

	switch (attr->form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		*to = cu;
		*off = cu->unit.off + attr->v;
		return attr->v < cu->unit.len;
	case DW_FORM_ref_sig8:
		u = dwarf_file_type(f, attr->v);
		*off = u ? u->off + u->type_off : 0;
		return u && !cu_get(cache, f, u, to);
	case DW_FORM_ref_addr:
		break;
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
		f = f->alt;
		break;
	default:
		return false;
	}
	*off = attr->v;
	if (f == cu->file && cu->unit.sect == SECT_INFO && *off - cu->unit.off < cu->unit.len) {
		*to = cu;
		return true;
	}
	if (!f || dwarf_file_scan_to(f, *off))
		return false;
	u = dwarf_file_unit_at(f, *off);
	return u && !cu_get(cache, f, u, to);
}
