// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_file.h"

/* A browser's debug file has some 50,000 units, besides type units. */
#define UNITS_MAX (1u << 20)

static void put_name(char *out, size_t size, const char *name, bool split)
{
	snprintf(out, size, "%s%s", name, split ? ".dwo" : "");
}

static uint64_t lowest_code(const struct elf_obj *elf)
{
	size_t n;
	const struct elf_segment *seg = elf_obj_segments(elf, &n);

	for (size_t i = 0; i < n; i++) /* by address */
		if (seg[i].exec && seg[i].mem_len)
			return seg[i].va;
	return 0;
}

int dwarf_file_new(struct dwarf_file **out, struct elf_obj *elf, bool split, size_t whole_max,
		   struct dwarf_file *alt, struct work *work, struct work *inflating)
{
	static const char *const names[] = {
#define X(name, text) [SECT_##name] = text,
		DWARF_SECTS(X)
#undef X
	};
	struct dwarf_file *f = calloc(1, sizeof(*f));
	char name[64];

	if (!f)
		return -ENOMEM;
	f->elf = elf;
	f->split = split;
	f->text_va = lowest_code(elf);
	f->alt = alt;
	f->work = work;
	f->inflating = inflating;
	for (size_t i = 0; i < SECT_COUNT; i++) {
		put_name(name, sizeof(name), names[i], split);
		sect_init(&f->sect[i], elf, name, whole_max);
		f->sect[i].inflating = inflating;
	}
	*out = f;
	return 0;
}

void dwarf_file_free(struct dwarf_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < SECT_COUNT; i++)
		sect_release(&f->sect[i]);
	for (size_t i = 0; i < f->tables.len; i++)
		abbrevs_free(f->tables.data[i]);
	vec_release(&f->tables);
	htab_release(&f->table_index);
	vec_release(&f->units);
	vec_release(&f->types);
	if (f->own_elf)
		elf_obj_free(f->elf);
	free(f);
}

void dwarf_file_use_info(struct dwarf_file *f, const struct elf_section *sec, size_t whole_max)
{
	sect_release(&f->sect[SECT_INFO]);
	sect_init_section(&f->sect[SECT_INFO], f->elf, sec, whole_max);
	f->sect[SECT_INFO].inflating = f->inflating;
	f->units.len = 0;
	f->scan_off = 0;
	f->scanned = false;
}

/* Reads the part of the header that differs between versions, up to the unit DIE. */
static bool read_header_rest(struct bytes *b, struct unit *u)
{
	if (u->version >= 5) {
		u->type = bytes_u8(b);
		u->addr_size = bytes_u8(b);
		u->abbrev_off = bytes_uint(b, u->off_size);
		if (u->type == DW_UT_skeleton || u->type == DW_UT_split_compile)
			u->dwo_id = bytes_u64(b);
	} else {
		u->type = u->sect == SECT_TYPES ? DW_UT_type : DW_UT_compile;
		u->abbrev_off = bytes_uint(b, u->off_size);
		u->addr_size = bytes_u8(b);
	}
	if (unit_is_type(u)) {
		u->dwo_id = bytes_u64(b);
		u->type_off = bytes_uint(b, u->off_size);
	}
	return !b->bad && u->addr_size >= 1 && u->addr_size <= 8;
}

/* Reads length, offset size and version. False if they are implausible. */
static bool read_header_start(struct bytes *b, uint64_t room, struct unit *u)
{
	const uint8_t *start = b->p;
	uint64_t len = bytes_u32(b);

	u->off_size = 4;
	if (len == 0xffffffff) { /* DWARF 5, section 7.4 */
		u->off_size = 8;
		len = bytes_u64(b);
	}
	len += (uint64_t)(b->p - start);
	/* DIEs are stored as 32-bit offsets in their unit. */
	if (b->bad || len > room || len > UINT32_MAX)
		return false;
	u->len = len;
	u->version = bytes_u16(b);
	return !b->bad;
}

static int read_unit(struct dwarf_file *f, enum dwarf_sect sect, uint64_t off, struct unit *u)
{
	struct sect *s = &f->sect[sect];
	struct bytes b = sect_view(s, off, 64);
	const uint8_t *start = b.p;
	struct unit unit = {.off = off, .sect = (uint8_t)sect};

	if (b.bad || !read_header_start(&b, sect_size(s) - off, &unit))
		return -EBADMSG;
	if (unit.version < 2 || unit.version > 5 || !read_header_rest(&b, &unit))
		unit.version = 0; /* marks a unit to step over */
	unit.die_off = (uint32_t)(b.p - start);
	if (unit.die_off > unit.len)
		unit.version = 0;
	*u = unit;
	return 0;
}

int unit_read(struct dwarf_file *f, uint64_t off, struct unit *u)
{
	return read_unit(f, SECT_INFO, off, u);
}

struct shape unit_shape(const struct unit *u)
{
	return (struct shape){u->addr_size, u->off_size,
			      u->version == 2 ? u->addr_size : u->off_size};
}

int dwarf_file_scan_to(struct dwarf_file *f, uint64_t off)
{
	uint64_t size = sect_size(&f->sect[SECT_INFO]);

	while (!f->scanned && f->scan_off <= off) {
		struct unit u;

		if (f->scan_off >= size || unit_read(f, f->scan_off, &u)) {
			/* The next call may inflate what this one may not. */
			f->scanned = !f->inflating->limited && !dwarf_file_oom(f);
			break;
		}
		if (u.version && !unit_is_type(&u)) {
			f->scanned = f->units_limited = f->units.len == UNITS_MAX;
			if (f->scanned)
				break;
			if (vec_push(&f->units, u))
				return -ENOMEM;
		}
		f->scan_off += u.len;
	}
	return dwarf_file_oom(f) ? -ENOMEM : 0;
}

struct unit *dwarf_file_unit_at(struct dwarf_file *f, uint64_t off)
{
	size_t lo = 0, hi = f->units.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->units.data[mid].off <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || off - f->units.data[lo - 1].off >= f->units.data[lo - 1].len)
		return NULL;
	return &f->units.data[lo - 1];
}

/* --- type units --------------------------------------------------------------------------- */

static int scan_types(struct dwarf_file *f, enum dwarf_sect sect)
{
	uint64_t off = 0, size = sect_size(&f->sect[sect]);
	struct unit u;

	for (; off < size && !read_unit(f, sect, off, &u); off += u.len) {
		if (!u.version || !unit_is_type(&u))
			continue;
		if (f->types.len == UNITS_MAX) {
			f->units_limited = true;
			break;
		}
		if (vec_push(&f->types, u))
			return -ENOMEM;
	}
	return 0;
}

static int by_signature(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return (x->dwo_id > y->dwo_id) - (x->dwo_id < y->dwo_id);
}

struct unit *dwarf_file_type(struct dwarf_file *f, uint64_t signature)
{
	struct unit key = {.dwo_id = signature};

	if (f->split)
		return NULL;
	if (!f->types_scanned) {
		f->types_scanned = true;
		if (scan_types(f, SECT_INFO) || scan_types(f, SECT_TYPES))
			f->types.len = 0;
		if (f->types.len)
			qsort(f->types.data, f->types.len, sizeof(key), by_signature);
	}
	if (!f->types.len)
		return NULL;
	return bsearch(&key, f->types.data, f->types.len, sizeof(key), by_signature);
}

/* --- abbreviation tables ------------------------------------------------------------------ */

struct table_key {
	const struct dwarf_file *f;
	uint64_t off;
	struct shape shape;
};

static bool table_eq(const void *ctx, uint32_t id)
{
	const struct table_key *key = ctx;
	const struct abbrevs *a = key->f->tables.data[id];

	return a && a->off == key->off && !memcmp(&a->shape, &key->shape, sizeof(key->shape));
}

static uint64_t table_hash(uint64_t off, const struct shape *shape)
{
	return hash_bytes(shape, sizeof(*shape), off);
}

/* Puts a table into a free slot. */
static int table_add(struct dwarf_file *f, struct abbrevs *a, uint64_t hash)
{
	size_t slot = 0;

	while (slot < f->tables.len && f->tables.data[slot])
		slot++;
	if (slot == f->tables.len && vec_push(&f->tables, NULL))
		return -ENOMEM;
	if (htab_insert(&f->table_index, hash, slot))
		return -ENOMEM;
	f->tables.data[slot] = a;
	a->slot = slot;
	f->table_bytes += a->bytes;
	return 0;
}

int dwarf_file_get_abbrevs(struct dwarf_file *f, const struct unit *u, struct abbrevs **out)
{
	struct table_key key = {f, u->abbrev_off, unit_shape(u)};
	uint64_t hash = table_hash(key.off, &key.shape);
	uint32_t id = htab_find(&f->table_index, hash, table_eq, &key);
	struct abbrevs *a = NULL;
	int err;

	if (id != HTAB_NONE) {
		*out = f->tables.data[id];
		(*out)->refs++;
		return 0;
	}
	err = abbrevs_decode(&a, &f->sect[SECT_ABBREV], key.off, &key.shape, 0);
	if (err)
		return err;
	work_spend(f->work, a->bytes);
	err = table_add(f, a, hash);
	if (err) {
		abbrevs_free(a);
		return err;
	}
	a->refs = 1;
	*out = a;
	return 0;
}

void dwarf_file_put_abbrevs(struct dwarf_file *f, struct abbrevs *a)
{
	if (!a || --a->refs)
		return;
	htab_remove(&f->table_index, table_hash(a->off, &a->shape), a->slot);
	f->tables.data[a->slot] = NULL;
	f->table_bytes -= a->bytes;
	abbrevs_free(a);
}

size_t dwarf_file_bytes(const struct dwarf_file *f)
{
	size_t n = f->table_bytes + (f->units.cap + f->types.cap) * sizeof(*f->units.data);

	for (size_t i = 0; i < SECT_COUNT; i++)
		n += sect_bytes(&f->sect[i]);
	return n;
}

bool dwarf_file_oom(const struct dwarf_file *f)
{
	for (size_t i = 0; i < SECT_COUNT; i++)
		if (f->sect[i].oom)
			return true;
	return false;
}

bool dwarf_file_limited(const struct dwarf_file *f)
{
	for (size_t i = 0; i < SECT_COUNT; i++)
		if (f->sect[i].limited)
			return true;
	return false;
}
