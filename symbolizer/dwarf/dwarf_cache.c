// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/dwarf/dwarf_cache.h"

#include "symbolizer/dwarf/dwarf_func.h"
#include "symbolizer/dwarf/dwarf_line.h"

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

/* The list of units may have grown since; the list of types has not. */
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
	if (cu->home != SIZE_MAX)
		home_list(cu->file, &cu->unit)[cu->home].cu = NULL;
	cu_unload(cu);
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

int cu_get(struct cu_cache *cache, struct dwarf_file *f, struct unit *u, struct cu **out)
{
	int err;

	if (u->cu) {
		unlink_cu(cache, u->cu);
	} else {
		err = cu_load(&u->cu, f, u);
		if (err)
			return err;
		u->cu->home = (size_t)(u - home_list(f, u));
		cu_account(cache, u->cu);
	}
	link_hottest(cache, u->cu);
	*out = u->cu;
	return 0;
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
