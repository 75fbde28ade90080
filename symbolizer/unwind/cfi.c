// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/cfi.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/bytes.h"
#include "symbolizer/unwind/cfi_regs.h"

/* DW_EH_PE_*: LSB 5.0 Core, 10.5.1. */
enum {
	PE_ABSPTR = 0x00,
	PE_ULEB128 = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SIGNED = 0x08,
	PE_FORMAT = 0x0f,
	PE_PCREL = 0x10,
	PE_BASE = 0x70,
	PE_INDIRECT = 0x80,
	PE_OMIT = 0xff,
};

/* "zPLRSBG" has all known letters. A longer augmentation is unknown. */
#define AUGMENTATION_MAX 8

static bool read_format(struct bytes *b, uint8_t format, bool is_32, uint64_t *out)
{
	switch (format) {
	case PE_ABSPTR:
	case PE_SIGNED:
		*out = is_32 ? bytes_u32(b) : bytes_u64(b);
		break;
	case PE_UDATA8:
	case PE_UDATA8 | PE_SIGNED:
		*out = bytes_u64(b);
		break;
	case PE_ULEB128:
		*out = bytes_uleb(b);
		break;
	case PE_ULEB128 | PE_SIGNED:
		*out = (uint64_t)bytes_sleb(b);
		break;
	case PE_UDATA2:
		*out = bytes_u16(b);
		break;
	case PE_UDATA2 | PE_SIGNED:
		*out = (uint64_t)(int16_t)bytes_u16(b);
		break;
	case PE_UDATA4:
		*out = bytes_u32(b);
		break;
	case PE_UDATA4 | PE_SIGNED:
		*out = (uint64_t)(int32_t)bytes_u32(b);
		break;
	default:
		return bytes_fail(b);
	}
	return !b->bad;
}

bool cfi_read_pointer(const struct cfi_section *sec, struct bytes *b, uint8_t enc, uint64_t *out)
{
	uint64_t field_va = sec->va + (uint64_t)(b->p - sec->data);

	if (enc == PE_OMIT || (enc & PE_INDIRECT) ||
	    !read_format(b, enc & PE_FORMAT, sec->is_32, out))
		return bytes_fail(b);
	if ((enc & PE_BASE) == PE_PCREL)
		*out += field_va;
	else if (enc & PE_BASE)
		return bytes_fail(b);
	if (sec->is_32)
		*out = (uint32_t)*out; /* sums wrap around */
	return true;
}

/* One record with a length; body starts after the id. */
struct record {
	uint64_t off;
	struct bytes body;
	uint64_t id, id_off;
	bool is_cie;
};

/* Reads the next record with a body. False at the end of the section or at malformed bytes. */
static bool next_record(const struct cfi *cfi, struct bytes *b, struct record *r)
{
	const struct cfi_section *sec = &cfi->sec;
	unsigned id_size = 4;
	uint64_t len;

	do { /* a zero length ends the part of one object file */
		r->off = (uint64_t)(b->p - sec->data);
		len = bytes_u32(b);
	} while (!len && !sec->zero_ends && bytes_left(b));
	if (!len)
		return false;
	if (len == UINT32_MAX) {
		len = bytes_u64(b);
		id_size = 8;
	}
	r->body = bytes_sub(b, len);
	r->id_off = (uint64_t)(r->body.p - sec->data);
	r->id = bytes_uint(&r->body, id_size);
	if (sec->debug_frame)
		r->is_cie = r->id == (id_size == 8 ? UINT64_MAX : UINT32_MAX);
	else
		r->is_cie = r->id == 0;
	return !b->bad;
}

static bool skip_pointer(const struct cfi_section *sec, struct bytes *b)
{
	uint8_t enc = bytes_u8(b);
	uint64_t ignored;

	/* A personality routine's pointer is usually indirect. Only its size matters here. */
	return enc == PE_OMIT || cfi_read_pointer(sec, b, enc & PE_FORMAT, &ignored);
}

static bool read_augmentation(const struct cfi_section *sec, struct bytes *b, const char *aug,
			      struct cfi_cie *cie)
{
	struct bytes data;

	if (!*aug)
		return true;
	if (*aug++ != 'z')
		return false;
	cie->has_aug_data = true;
	data = bytes_sub(b, bytes_uleb(b));
	for (; *aug; aug++) {
		if (*aug == 'R')
			cie->ptr_enc = bytes_u8(&data);
		else if (*aug == 'P')
			skip_pointer(sec, &data);
		else if (*aug == 'L')
			bytes_u8(&data);
		else if (*aug == 'S')
			cie->signal_frame = true;
		else /* 'z' gives the length of all this data, so the rest is not needed */
			break;
	}
	return !data.bad && !b->bad;
}

static bool read_aug_string(struct bytes *b, char aug[AUGMENTATION_MAX])
{
	for (unsigned i = 0; i < AUGMENTATION_MAX; i++) {
		aug[i] = (char)bytes_u8(b);
		if (!aug[i])
			return !b->bad;
	}
	return false;
}

/* True if the whole CIE was understood. */
static bool read_cie(const struct cfi *cfi, struct record *r, struct cfi_cie *cie)
{
	struct bytes *b = &r->body;
	char aug[AUGMENTATION_MAX];
	uint8_t version = bytes_u8(b);
	uint64_t ra_reg;

	if (version != 1 && version != 3 && version != 4)
		return false;
	if (!read_aug_string(b, aug))
		return false;
	/* address, selector size */
	if (version == 4 && (bytes_u8(b) != (cfi->sec.is_32 ? 4 : 8) || bytes_u8(b) != 0))
		return false;
	cie->code_align = bytes_uleb(b);
	cie->data_align = bytes_sleb(b);
	ra_reg = version == 1 ? bytes_u8(b) : bytes_uleb(b);
	if (ra_reg != (cfi->sec.is_i386 ? CFI_I386_EIP : UNWIND_RIP) ||
	    !read_augmentation(&cfi->sec, b, aug, cie))
		return false;
	cie->prog_off = (uint32_t)(b->p - cfi->sec.data);
	cie->prog_end = (uint32_t)(b->end - cfi->sec.data);
	return !b->bad;
}

static int add_cie(struct cfi *cfi, struct record *r)
{
	struct cfi_cie cie = {.off = r->off, .ptr_enc = PE_ABSPTR};
	int err;

	cie.usable = read_cie(cfi, r, &cie);
	if (!cie.usable)
		cfi->malformed++;
	cfi->signal_frames |= cie.usable && cie.signal_frame;
	err = vec_push(&cfi->cies, cie);
	if (err)
		return err;
	return htab_insert(&cfi->cie_by_off, hash_u64(r->off), (uint32_t)(cfi->cies.len - 1));
}

struct cie_key {
	const struct cfi *cfi;
	uint64_t off;
};

static bool cie_at(const void *ctx, uint32_t id)
{
	const struct cie_key *key = ctx;

	return key->cfi->cies.data[id].off == key->off;
}

/* Only the start of a record counts as a CIE. So a hostile file cannot make many overlapping
 * CIEs out of the same bytes. */
static uint32_t find_cie(const struct cfi *cfi, uint64_t off)
{
	const struct cie_key key = {cfi, off};
	size_t n = cfi->fdes.len;

	if (n && cfi->cies.data[cfi->fdes.data[n - 1].cie].off == off)
		return cfi->fdes.data[n - 1].cie;
	return htab_find(&cfi->cie_by_off, hash_u64(off), cie_at, &key);
}

static bool read_fde(const struct cfi *cfi, struct record *r, struct cfi_fde *fde)
{
	uint64_t cie_off = cfi->sec.debug_frame ? r->id : r->id_off - r->id;
	struct bytes *b = &r->body;
	const struct cfi_cie *cie;
	uint64_t len;

	fde->cie = find_cie(cfi, cie_off);
	if (fde->cie == HTAB_NONE || !cfi->cies.data[fde->cie].usable)
		return false;
	cie = &cfi->cies.data[fde->cie];
	if (!cfi_read_pointer(&cfi->sec, b, cie->ptr_enc, &fde->start) ||
	    !read_format(b, cie->ptr_enc & PE_FORMAT & ~PE_SIGNED, cfi->sec.is_32, &len))
		return false;
	if (cie->has_aug_data)
		bytes_skip(b, bytes_uleb(b));
	fde->end = fde->start + len;
	fde->prog_off = (uint32_t)(b->p - cfi->sec.data);
	fde->prog_end = (uint32_t)(b->end - cfi->sec.data);
	return !b->bad && fde->end >= fde->start;
}

static int read_cies(struct cfi *cfi)
{
	struct bytes b = bytes_of(cfi->sec.data, cfi->sec.len);
	struct record r;
	int err;

	while (bytes_left(&b) && next_record(cfi, &b, &r)) {
		if (!r.is_cie || r.body.bad)
			continue;
		err = add_cie(cfi, &r);
		if (err)
			return err;
	}
	return 0;
}

static int read_fdes(struct cfi *cfi)
{
	struct bytes b = bytes_of(cfi->sec.data, cfi->sec.len);
	struct cfi_fde fde;
	struct record r;
	int err;

	while (bytes_left(&b) && next_record(cfi, &b, &r)) {
		if (r.is_cie)
			continue;
		if (!read_fde(cfi, &r, &fde)) {
			cfi->malformed++;
			continue;
		}
		if (fde.start == fde.end) /* emptied by the linker */
			continue;
		if (cfi->fdes.len == CFI_FDES_MAX) {
			cfi->capped = true;
			break;
		}
		err = vec_push(&cfi->fdes, fde);
		if (err)
			return err;
	}
	if (b.bad)
		cfi->malformed++;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct cfi_fde *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->prog_off < y->prog_off ? -1 : x->prog_off > y->prog_off;
}

/*
 * Sorts the FDEs and removes overlaps. An address belongs to the FDE with the last start at or
 * before it, as in the search table of .eh_frame_hdr. Of two with equal starts the first one
 * counts.
 */
static void order_fdes(struct cfi *cfi)
{
	struct cfi_fde *f = cfi->fdes.data;
	size_t n = 0, i;

	for (i = 1; i < cfi->fdes.len && f[i - 1].start <= f[i].start; i++)
		;
	if (i < cfi->fdes.len)
		qsort(f, cfi->fdes.len, sizeof(*f), by_start);
	for (i = 0; i < cfi->fdes.len; i++) {
		if (n && f[n - 1].start == f[i].start)
			continue;
		if (n && f[n - 1].end > f[i].start)
			f[n - 1].end = f[i].start;
		f[n++] = f[i];
	}
	cfi->fdes.len = n;
}

int cfi_open(struct cfi *cfi, const struct cfi_section *sec)
{
	int err;

	*cfi = (struct cfi){.sec = *sec};
	if (sec->len > CFI_SECTION_MAX)
		return -EFBIG;
	err = read_cies(cfi) ?: read_fdes(cfi);
	if (err) {
		cfi_release(cfi);
		return err;
	}
	order_fdes(cfi);
	return 0;
}

void cfi_release(struct cfi *cfi)
{
	vec_release(&cfi->fdes);
	vec_release(&cfi->cies);
	htab_release(&cfi->cie_by_off);
}
