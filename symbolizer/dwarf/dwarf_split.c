// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_split.h"

DEFINE_CLEANUP(dwarf_file, dwarf_file_free)

/* --- packages ----------------------------------------------------------------------------------- */

/* Column numbers: DWARF 5, section 7.3.5.3, and the GNU extension (version 2). */
enum { DWP_INFO = 1, DWP_ABBREV = 3, DWP_STR_OFFSETS = 6, DWP_RNGLISTS = 8 };

struct cu_index {
	const uint8_t *data;
	size_t len;
	uint32_t version, columns, units, slots;
	/* Offsets of the hash table, of the row numbers, and of the table of offsets. */
	uint64_t ids, rows, table;
};

static bool index_uint(const struct cu_index *x, uint64_t off, unsigned size, uint64_t *v)
{
	struct bytes b;

	if (off > x->len)
		return false;
	b = bytes_of(x->data + off, x->len - off);
	*v = bytes_uint(&b, size);
	return !b.bad;
}

static bool index_open(struct cu_index *x, const uint8_t *data, size_t len)
{
	struct bytes b = bytes_of(data, len);

	*x = (struct cu_index){.data = data, .len = len};
	x->version = bytes_u32(&b) & 0xffff; /* version 5: 16 bits and padding */
	x->columns = bytes_u32(&b);
	x->units = bytes_u32(&b);
	x->slots = bytes_u32(&b);
	x->ids = 16;
	x->rows = x->ids + 8ull * x->slots;
	x->table = x->rows + 4ull * x->slots;
	return !b.bad && (x->version == 2 || x->version == 5) && x->slots &&
	       !(x->slots & (x->slots - 1)) && x->table <= len;
}

/* Row of the unit in the hash table (section 7.3.5.3), or 0. */
static uint64_t index_row(const struct cu_index *x, uint64_t dwo_id)
{
	uint32_t mask = x->slots - 1, slot = dwo_id & mask, step = (dwo_id >> 32 & mask) | 1;

	for (uint32_t tries = 0; tries < x->slots; tries++, slot = (slot + step) & mask) {
		uint64_t id, row;

		if (!index_uint(x, x->ids + 8ull * slot, 8, &id) ||
		    !index_uint(x, x->rows + 4ull * slot, 4, &row) || !row)
			return 0;
		if (id == dwo_id)
			return row <= x->units ? row : 0;
	}
	return 0;
}

static void take_column(struct contribution *at, const struct cu_index *x, uint64_t column,
			uint64_t off)
{
	switch (column) {
	case DWP_INFO:
		at->info = off;
		break;
	case DWP_ABBREV:
		at->abbrev = off;
		break;
	case DWP_STR_OFFSETS:
		at->str_offsets = off;
		break;
	case DWP_RNGLISTS:
		if (x->version == 5) /* version 2: .debug_macro */
			at->rnglists = off;
		break;
	}
}

static bool find_contribution(const struct cu_index *x, uint64_t dwo_id, struct contribution *at)
{
	uint64_t row = index_row(x, dwo_id), column, off;

	*at = (struct contribution){0};
	if (!row)
		return false;
	for (uint64_t i = 0; i < x->columns; i++) {
		if (!index_uint(x, x->table + 4 * i, 4, &column) ||
		    !index_uint(x, x->table + 4 * (row * x->columns + i), 4, &off))
			return false;
		take_column(at, x, column, off);
	}
	return true;
}

static int load_from_package(struct cu **out, struct cu *skeleton, struct dwarf_file *dwp)
{
	const struct elf_section *sec = elf_obj_section(dwp->elf, ".debug_cu_index");
	struct contribution at;
	const uint8_t *data;
	struct cu_index x;
	struct unit u;
	size_t len;
	int err;

	if (!sec)
		return -ENOENT;
	err = elf_obj_data(dwp->elf, sec, &data, &len);
	if (err)
		return err;
	if (!index_open(&x, data, len) || !find_contribution(&x, skeleton->dwo_id, &at))
		return -ENOENT;
	err = unit_read(dwp, at.info, &u);
	if (err)
		return err;
	if (!u.version)
		return -EBADMSG;
	u.abbrev_off += at.abbrev;
	return cu_load_split(out, dwp, &u, &at, skeleton);
}

/* --- .dwo files --------------------------------------------------------------------------------- */

static struct elf_obj *open_dwo(struct cu *skeleton, const struct dwarf_opts *opts)
{
	_cleanup_free_ char *name = NULL, *dir = NULL;
	const char *s;

	if (!opts->open_dwo)
		return NULL;
	s = cu_str(skeleton, &skeleton->dwo_name);
	name = s ? strdup(s) : NULL;
	s = cu_str(skeleton, &skeleton->comp_dir);
	dir = s ? strdup(s) : NULL;
	return name ? opts->open_dwo(opts->ctx, name, dir, skeleton->dwo_id) : NULL;
}

/* Finds the compile unit with the skeleton's id in a section. */
static int find_unit(struct cu **out, struct cu *skeleton, struct dwarf_file *f)
{
	static const struct contribution at_start;
	int err = dwarf_file_scan(f);

	for (size_t i = 0; i < f->units.len && !err; i++) {
		struct cu cu;
		struct die die;

		if (cu_peek(f, &f->units.data[i], &cu, &die))
			continue;
		if (cu.dwo_id == skeleton->dwo_id)
			return cu_load_split(out, f, &f->units.data[i], &at_start, skeleton);
	}
	return err ?: -ENOENT;
}

/* GCC gives every type unit of DWARF 5 a section of its own, with the same name as the compile
 * unit's. */
static int find_section(struct cu **out, struct cu *skeleton, struct dwarf_file *f,
			size_t whole_max)
{
	const struct elf_section *first = f->sect[SECT_INFO].sec;
	int err = find_unit(out, skeleton, f);

	for (size_t i = first ? first->index + 1 : SIZE_MAX;
	     err == -ENOENT && i < elf_obj_section_count(f->elf); i++) {
		const struct elf_section *sec = elf_obj_section_by_index(f->elf, i);

		if (strcmp(sec->name, first->name) != 0)
			continue;
		dwarf_file_use_info(f, sec, whole_max);
		if (!work_spend(f->work, 64 + sect_size(&f->sect[SECT_INFO])))
			return -EFBIG;
		err = find_unit(out, skeleton, f);
	}
	return err;
}

static int load_from_dwo(struct cu **out, struct cu *skeleton, const struct dwarf_opts *opts,
			 size_t whole_max)
{
	_cleanup_(dwarf_file_freep) struct dwarf_file *f = NULL;
	struct elf_obj *elf = open_dwo(skeleton, opts);
	int err;

	if (!elf)
		return -ENOENT;
	err = dwarf_file_new(&f, elf, true, whole_max, NULL, skeleton->file->work,
			     skeleton->file->inflating);
	if (err) {
		elf_obj_free(elf);
		return err;
	}
	f->own_elf = true;
	err = find_section(out, skeleton, f, whole_max);
	if (!err)
		(*out)->own_file = steal_ptr(f);
	return err;
}

int split_load(struct cu **out, struct cu *skeleton, struct dwarf_file *dwp,
	       const struct dwarf_opts *opts, size_t whole_max)
{
	int err = -ENOENT;

	if (!skeleton->dwo_name.form)
		return err;
	if (dwp)
		err = load_from_package(out, skeleton, dwp);
	return err && err != -ENOMEM ? load_from_dwo(out, skeleton, opts, whole_max) : err;
}
