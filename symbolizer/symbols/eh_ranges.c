// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * .eh_frame: Linux Standard Base Core 5.0, "Exception Frames"; pointer encodings: "DWARF
 * Extensions", section 10.5. Only fields that lead to an FDE's range are read.
 */
#include "symbolizer/symbols/eh_ranges.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"

/* The largest browsers have a million. */
#define RANGES_MAX (4u << 20)
/* Without a section table the end of .eh_frame is unknown before it is parsed. Reads at most
 * this much. */
#define EH_FRAME_MAX (128u << 20)
/*
 * Bytes of a CIE to read. The needed fields end before 40. Bounds the work of jumping between CIEs.
 */
#define CIE_BYTES_MAX 128

/* Pointer encodings (DW_EH_PE_*): the low four bits are the format, the next three the base. */
enum {
	PE_ABSPTR = 0x00,
	PE_ULEB128 = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SLEB128 = 0x09,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	PE_FORMAT = 0x0f,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
	PE_ALIGNED = 0x50,
	PE_BASE = 0x70,
	PE_INDIRECT = 0x80,
	PE_OMIT = 0xff,
};

struct range {
	uint32_t start, len; /* start relative to base */
};

struct eh_ranges {
	uint64_t base;
	VEC(struct range) ranges;
};

struct frame { /* a view of .eh_frame, and the last CIE, which most FDEs share */
	const uint8_t *data;
	size_t len;
	uint64_t va;
	bool ends_at_zero; /* the view may reach past the section, so a zero length ends it */
	bool is_32;	   /* an address has 4 bytes */
	size_t cie_off;	   /* SIZE_MAX: none */
	uint8_t encoding;
};

static uint64_t read_format(struct bytes *b, uint8_t encoding, bool is_32)
{
	switch (encoding & PE_FORMAT) {
	case PE_ABSPTR:
		return is_32 ? bytes_u32(b) : bytes_u64(b);
	case PE_UDATA8:
	case PE_SDATA8:
		return bytes_u64(b);
	case PE_UDATA4:
		return bytes_u32(b);
	case PE_SDATA4:
		return (uint64_t)(int32_t)bytes_u32(b);
	case PE_UDATA2:
		return bytes_u16(b);
	case PE_SDATA2:
		return (uint64_t)(int16_t)bytes_u16(b);
	case PE_ULEB128:
		return bytes_uleb(b);
	case PE_SLEB128:
		return (uint64_t)bytes_sleb(b);
	}
	bytes_fail(b);
	return 0;
}

static uint64_t read_based(struct bytes *b, uint8_t encoding, uint64_t va, uint64_t data_base,
			   bool is_32)
{
	if (encoding & PE_INDIRECT) { /* not used for code addresses: would need relocated memory */
		bytes_fail(b);
		return 0;
	}
	switch (encoding & PE_BASE) {
	case 0:
		return read_format(b, encoding, is_32);
	case PE_PCREL:
		return va + read_format(b, encoding, is_32);
	case PE_DATAREL:
		return data_base + read_format(b, encoding, is_32);
	case PE_ALIGNED:
		bytes_skip(b, -va & (is_32 ? 3 : 7));
		return read_format(b, PE_ABSPTR, is_32);
	}
	bytes_fail(b); /* textrel, funcrel: unused on x86-64 and arm64 */
	return 0;
}

/* `va` is the address of b->p. DW_EH_PE_datarel counts from `data_base`. */
static uint64_t read_pointer(struct bytes *b, uint8_t encoding, uint64_t va, uint64_t data_base,
			     bool is_32)
{
	uint64_t v = read_based(b, encoding, va, data_base, is_32);

	return is_32 ? (uint32_t)v : v; /* sums wrap around */
}

/* --- records ---------------------------------------------------------------------------------- */

/* Skips one personality pointer of any encoding. */
static void skip_pointer(const struct frame *f, struct bytes *b)
{
	uint8_t encoding = bytes_u8(b);

	if (encoding == PE_OMIT)
		return;
	if ((encoding & PE_BASE) == PE_ALIGNED)
		read_pointer(b, PE_ALIGNED, f->va + (uint64_t)(b->p - f->data), 0, f->is_32);
	else
		read_format(b, encoding, f->is_32);
}

/* Encoding of FDE pointers, from a CIE's augmentation. False if it is unknown. */
static bool cie_encoding(const struct frame *f, struct bytes b, uint8_t *encoding)
{
	uint8_t version = bytes_u8(&b);
	const char *aug;

	if (bytes_left(&b) > CIE_BYTES_MAX)
		b.end = b.p + CIE_BYTES_MAX;
	aug = bytes_cstr(&b);
	if (!aug)
		return false;
	*encoding = PE_ABSPTR;
	if (version == 4)
		bytes_skip(&b, 2); /* address size, segment size */
	if (aug[0] != 'z')
		return aug[0] == 0 && !b.bad;
	bytes_uleb(&b);
	bytes_sleb(&b);
	if (version == 1)
		bytes_u8(&b);
	else
		bytes_uleb(&b);
	bytes_uleb(&b); /* length of the augmentation data */
	for (const char *c = aug + 1; *c && !b.bad; c++) {
		if (*c == 'R') {
			*encoding = bytes_u8(&b);
			return !b.bad;
		}
		if (*c == 'P')
			skip_pointer(f, &b);
		else if (*c == 'L')
			bytes_u8(&b);
		else if (*c != 'S' && *c != 'B' && *c != 'G') /* signal frame, arm64 PAC and MTE */
			return false;
	}
	return !b.bad;
}

/* Reads the record at off: its body after the length, and the start of the next record. False at
 * the end. */
static bool record_at(const struct frame *f, size_t off, struct bytes *body, size_t *next)
{
	struct bytes b = bytes_of(f->data + off, f->len - off);
	uint64_t len = bytes_u32(&b);

	if (len == UINT32_MAX)
		len = bytes_u64(&b);
	if (b.bad || bytes_left(&b) < len)
		return false;
	*body = bytes_sub(&b, len);
	*next = (size_t)(b.p - f->data);
	return true;
}

static bool use_cie(struct frame *f, size_t off)
{
	struct bytes body;
	size_t next;

	if (off == f->cie_off)
		return true;
	if (!record_at(f, off, &body, &next) || bytes_u32(&body) != 0 ||
	    !cie_encoding(f, body, &f->encoding))
		return false;
	f->cie_off = off;
	return true;
}

static int add_range(struct eh_ranges *r, const struct elf_obj *obj, uint64_t start, uint64_t len)
{
	const struct elf_segment *seg = elf_obj_segment_at_va(obj, start);

	if (!seg || !seg->exec || start < r->base || start - r->base > UINT32_MAX || !len)
		return 0;
	if (len > seg->va + seg->mem_len - start)
		len = seg->va + seg->mem_len - start;
	if (len > UINT32_MAX)
		len = UINT32_MAX;
	if (r->ranges.len >= RANGES_MAX)
		return -EFBIG;
	return vec_push(&r->ranges, (struct range){(uint32_t)(start - r->base), (uint32_t)len});
}

/* The body starts with the distance back to the CIE. 0 marks a CIE. */
static int take_record(struct eh_ranges *r, const struct elf_obj *obj, struct frame *f,
		       struct bytes body)
{
	size_t field = (size_t)(body.p - f->data);
	uint32_t back = bytes_u32(&body);
	uint64_t start, len;

	if (body.bad || !back || back > field || !use_cie(f, field - back))
		return 0;
	start = read_pointer(&body, f->encoding, f->va + (uint64_t)(body.p - f->data), 0, f->is_32);
	/* The length has the pointer's format, but no base and no sign. */
	len = read_format(
		&body, (f->encoding & PE_BASE) == PE_ALIGNED ? PE_ABSPTR : f->encoding & PE_FORMAT,
		f->is_32);
	if (body.bad)
		return 0;
	return add_range(r, obj, start, len);
}

static int parse(struct eh_ranges *r, const struct elf_obj *obj, struct frame *f)
{
	size_t off = 0, next;
	struct bytes body;

	while (off < f->len && record_at(f, off, &body, &next)) {
		int err;

		if (!bytes_left(&body) && f->ends_at_zero)
			break;
		/* Inside a section, a zero length ends the part of one input file. */
		err = bytes_left(&body) ? take_record(r, obj, f, body) : 0;
		if (err)
			return err;
		off = next;
	}
	return 0;
}

/* --- finding .eh_frame ------------------------------------------------------------------------ */

static int range_cmp(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->len < y->len) - (x->len > y->len);
}

static int parse_section(struct eh_ranges *r, struct elf_obj *obj, const struct elf_section *sec)
{
	struct frame f = {.va = sec->va, .cie_off = SIZE_MAX, .is_32 = elf_obj_is_32(obj)};
	int err = elf_obj_data(obj, sec, &f.data, &f.len);

	if (err)
		return err;
	err = parse(r, obj, &f);
	elf_obj_drop(obj, sec);
	return err;
}

/* .eh_frame_hdr: version 1, three encodings, then the address of .eh_frame. */
static int eh_frame_va(struct elf_obj *obj, const struct elf_segment *hdr, uint64_t *va)
{
	uint8_t head[16];
	struct bytes b;
	long n = elf_obj_pread(obj, head, sizeof(head), hdr->file_off);

	if (n < 0)
		return (int)n;
	b = bytes_of(head, (size_t)n);
	if (bytes_u8(&b) != 1)
		return -ENODATA;
	bytes_skip(&b, 3);
	*va = read_pointer(&b, head[1], hdr->va + 4, hdr->va, elf_obj_is_32(obj));
	return b.bad ? -ENODATA : 0;
}

static int parse_segment(struct eh_ranges *r, struct elf_obj *obj)
{
	const struct elf_segment *hdr = elf_obj_eh_frame_hdr(obj), *seg;
	struct frame f = {.cie_off = SIZE_MAX, .ends_at_zero = true, .is_32 = elf_obj_is_32(obj)};
	_cleanup_free_ uint8_t *data = NULL;
	uint64_t len, skip;
	int err;
	long n;

	if (!hdr)
		return -ENODATA;
	err = eh_frame_va(obj, hdr, &f.va);
	if (err)
		return err;
	seg = elf_obj_segment_at_va(obj, f.va);
	skip = seg ? f.va - seg->va : 0;
	if (!seg || skip >= seg->file_len || seg->file_off + skip >= elf_obj_file_size(obj))
		return -ENODATA;
	len = seg->file_len - skip;
	if (len > elf_obj_file_size(obj) - seg->file_off - skip)
		len = elf_obj_file_size(obj) - seg->file_off - skip;
	if (len > EH_FRAME_MAX)
		len = EH_FRAME_MAX;
	data = malloc(len);
	if (!data)
		return -ENOMEM;
	n = elf_obj_pread(obj, data, len, seg->file_off + skip);
	if (n < 0)
		return (int)n;
	f.data = data;
	f.len = (size_t)n;
	return parse(r, obj, &f);
}

static uint64_t text_base(const struct elf_obj *obj)
{
	size_t n;
	const struct elf_segment *segs = elf_obj_segments(obj, &n);

	for (size_t i = 0; i < n; i++)
		if (segs[i].exec)
			return segs[i].va;
	return 0;
}

DEFINE_CLEANUP(eh_ranges, eh_ranges_free)

int eh_ranges_load(struct eh_ranges **out, struct elf_obj *obj)
{
	const struct elf_section *sec = elf_obj_section(obj, ".eh_frame");
	_cleanup_(eh_ranges_freep) struct eh_ranges *r = calloc(1, sizeof(*r));
	struct range *p;
	int err;

	if (!r)
		return -ENOMEM;
	r->base = text_base(obj);
	err = sec ? parse_section(r, obj, sec) : -ENODATA;
	if (err == -ENODATA || err == -EBADMSG)
		err = parse_segment(r, obj);
	if (err)
		return err;
	if (!r->ranges.len)
		return -ENODATA;
	qsort(r->ranges.data, r->ranges.len, sizeof(*r->ranges.data), range_cmp);
	p = realloc(r->ranges.data, r->ranges.len * sizeof(*p));
	if (p) {
		r->ranges.data = p;
		r->ranges.cap = r->ranges.len;
	}
	*out = steal_ptr(r);
	return 0;
}

void eh_ranges_free(struct eh_ranges *r)
{
	if (!r)
		return;
	vec_release(&r->ranges);
	free(r);
}

int eh_ranges_find(const struct eh_ranges *r, uint64_t va, uint64_t *start, uint64_t *end)
{
	size_t lo = 0, hi = r->ranges.len;
	const struct range *range;

	if (va < r->base)
		return -ENOENT;
	va -= r->base;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->ranges.data[mid].start <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return -ENOENT;
	range = &r->ranges.data[lo - 1];
	if (va - range->start >= range->len)
		return -ENOENT;
	*start = r->base + range->start;
	*end = *start + range->len;
	return 0;
}

size_t eh_ranges_count(const struct eh_ranges *r)
{
	return r->ranges.len;
}

size_t eh_ranges_bytes(const struct eh_ranges *r)
{
	return sizeof(*r) + r->ranges.cap * sizeof(*r->ranges.data);
}
