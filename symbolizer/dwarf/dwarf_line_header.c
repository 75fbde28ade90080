// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/dwarf/dwarf_line_header.h"

/* The largest units name some 10,000 files. */
#define FILES_MAX (1u << 18)
/* DWARF 5 defines five content types. */
#define FORMATS_MAX 32

struct entry_format {
	uint64_t type, form;
};

void line_header_release(struct line_header *h)
{
	vec_release(&h->dirs);
	vec_release(&h->files);
}

static uint64_t off_of(const struct line_header *h, const void *p)
{
	return h->start_off + (uint64_t)((const uint8_t *)p - h->start);
}

static struct die_attr string_at(const struct line_header *h, const char *s)
{
	return (struct die_attr){DW_FORM_string, off_of(h, s)};
}

int line_header_add_file(struct line_header *h, struct bytes *b, const char *name)
{
	struct line_file file = {.name = string_at(h, name)};
	uint64_t dir = bytes_uleb(b);

	bytes_uleb(b); /* modification time */
	bytes_uleb(b); /* length */
	if (b->bad)
		return -EBADMSG;
	if (h->files.len >= FILES_MAX)
		return -EFBIG;
	file.dir = dir > UINT32_MAX ? UINT32_MAX : (uint32_t)dir;
	return vec_push(&h->files, file);
}

/* Versions 2 to 4: two lists of strings, each ended by an empty one. */
static int read_old_names(struct line_header *h, struct bytes *b)
{
	const char *s;
	int err;

	while ((s = bytes_cstr(b)) && *s) {
		if (h->dirs.len >= FILES_MAX)
			return -EFBIG;
		if (vec_push(&h->dirs, string_at(h, s)))
			return -ENOMEM;
	}
	while ((s = bytes_cstr(b)) && *s) {
		err = line_header_add_file(h, b, s);
		if (err)
			return err;
	}
	return b->bad ? -EBADMSG : 0;
}

static bool read_entry(struct line_header *h, struct bytes *b, const struct shape *shape,
		       const struct entry_format *format, size_t n, struct line_file *out)
{
	const uint8_t *before = b->p;
	struct form_value value;

	*out = (struct line_file){0};
	for (size_t i = 0; i < n; i++) {
		if (format[i].form > UINT16_MAX ||
		    !form_read(b, (uint16_t)format[i].form, shape, h->start, &value))
			return false;
		if (value.form == DW_FORM_string)
			value.v += h->start_off;
		if (format[i].type == DW_LNCT_directory_index)
			out->dir = value.v > UINT32_MAX ? UINT32_MAX : (uint32_t)value.v;
		else if (format[i].type == DW_LNCT_path)
			out->name = (struct die_attr){value.form, value.v};
	}
	return b->p > before; /* entries of 0 bytes could be 2^64 many */
}

/* Version 5: both lists describe their own format (section 6.2.4.1). */
static int read_new_list(struct line_header *h, struct bytes *b, const struct shape *shape,
			 bool dirs)
{
	struct entry_format format[FORMATS_MAX];
	size_t n = bytes_u8(b);
	struct line_file entry;
	uint64_t count;
	int err = 0;

	if (n > FORMATS_MAX)
		return -EFBIG;
	for (size_t i = 0; i < n; i++) {
		format[i].type = bytes_uleb(b);
		format[i].form = bytes_uleb(b);
	}
	count = bytes_uleb(b);
	if (b->bad)
		return -EBADMSG;
	if (count > FILES_MAX)
		return -EFBIG;
	for (; count && !err; count--) {
		if (!read_entry(h, b, shape, format, n, &entry))
			return -EBADMSG;
		err = dirs ? vec_push(&h->dirs, entry.name) : vec_push(&h->files, entry);
	}
	return err;
}

static int read_names(struct line_header *h, struct bytes *b, uint8_t addr_size)
{
	struct shape shape = {addr_size, h->off_size, h->off_size};

	if (h->version < 5)
		return read_old_names(h, b);
	return read_new_list(h, b, &shape, true) ?: read_new_list(h, b, &shape, false);
}

/* Reads the unit's length and makes a view of the whole unit. */
static int view_unit(struct line_header *h, struct sect *sect, uint64_t off, struct bytes *b)
{
	uint64_t len, size = sect_size(sect);
	struct bytes v = sect_view(sect, off, 12);
	const uint8_t *p = v.p;

	len = bytes_u32(&v);
	h->off_size = 4;
	if (len == 0xffffffff) {
		h->off_size = 8;
		len = bytes_u64(&v);
	}
	if (v.bad)
		return sect->oom ? -ENOMEM : -EBADMSG;
	off += (uint64_t)(v.p - p);
	if (len > size - off)
		len = size - off; /* truncated: read the rest */
	*b = sect_view(sect, off, len);
	if (b->bad)
		return sect->oom ? -ENOMEM : -EBADMSG;
	b->end = b->p + len;
	h->start = b->p;
	h->start_off = off;
	return 0;
}

static void read_parameters(struct line_header *h, struct bytes *b)
{
	h->min_inst_len = bytes_u8(b);
	if (h->version >= 4)
		bytes_u8(b); /* operations per instruction, for VLIW machines only */
	bytes_u8(b);	     /* default_is_stmt, not used */
	h->line_base = (int8_t)bytes_u8(b);
	h->line_range = bytes_u8(b);
	h->opcode_base = bytes_u8(b);
	for (unsigned i = 1; i < h->opcode_base; i++)
		h->operands[i] = bytes_u8(b);
}

int line_header_read(struct line_header *h, struct cu *cu, uint64_t off)
{
	uint8_t addr_size = cu->unit.addr_size;
	struct bytes b, names;
	int err;

	*h = (struct line_header){0};
	err = view_unit(h, &cu->file->sect[SECT_LINE], off, &b);
	if (err)
		return err;
	h->version = bytes_u16(&b);
	if (h->version < 2 || h->version > 5)
		return -EBADMSG;
	if (h->version >= 5) {
		addr_size = bytes_u8(&b);
		bytes_u8(&b); /* size of segment selectors, none on our machines */
	}
	names = bytes_sub(&b, bytes_uint(&b, h->off_size));
	h->program = b;
	read_parameters(h, &names);
	if (b.bad || names.bad || addr_size > 8)
		return -EBADMSG;
	return read_names(h, &names, addr_size);
}
