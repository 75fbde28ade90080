// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/dwarf/dwarf_forms.h"

/* Sizes that depend on the unit. */
enum { SIZE_ADDR = 100, SIZE_OFF, SIZE_REF };

struct form_info {
	uint8_t class, size;
};

#define FORMS(X)                                                                                   \
	X(DW_FORM_addr, FORM_FIXED, SIZE_ADDR)                                                     \
	X(DW_FORM_block2, FORM_BLOCK2, 0)                                                          \
	X(DW_FORM_block4, FORM_BLOCK4, 0)                                                          \
	X(DW_FORM_data2, FORM_FIXED, 2)                                                            \
	X(DW_FORM_data4, FORM_FIXED, 4)                                                            \
	X(DW_FORM_data8, FORM_FIXED, 8)                                                            \
	X(DW_FORM_string, FORM_CSTR, 0)                                                            \
	X(DW_FORM_block, FORM_BLOCK, 0)                                                            \
	X(DW_FORM_block1, FORM_BLOCK1, 0)                                                          \
	X(DW_FORM_data1, FORM_FIXED, 1)                                                            \
	X(DW_FORM_flag, FORM_FIXED, 1)                                                             \
	X(DW_FORM_sdata, FORM_LEB, 0)                                                              \
	X(DW_FORM_strp, FORM_FIXED, SIZE_OFF)                                                      \
	X(DW_FORM_udata, FORM_LEB, 0)                                                              \
	X(DW_FORM_ref_addr, FORM_FIXED, SIZE_REF)                                                  \
	X(DW_FORM_ref1, FORM_FIXED, 1)                                                             \
	X(DW_FORM_ref2, FORM_FIXED, 2)                                                             \
	X(DW_FORM_ref4, FORM_FIXED, 4)                                                             \
	X(DW_FORM_ref8, FORM_FIXED, 8)                                                             \
	X(DW_FORM_ref_udata, FORM_LEB, 0)                                                          \
	X(DW_FORM_indirect, FORM_INDIRECT, 0)                                                      \
	X(DW_FORM_sec_offset, FORM_FIXED, SIZE_OFF)                                                \
	X(DW_FORM_exprloc, FORM_BLOCK, 0)                                                          \
	X(DW_FORM_flag_present, FORM_FIXED, 0)                                                     \
	X(DW_FORM_strx, FORM_LEB, 0)                                                               \
	X(DW_FORM_addrx, FORM_LEB, 0)                                                              \
	X(DW_FORM_ref_sup4, FORM_FIXED, 4)                                                         \
	X(DW_FORM_strp_sup, FORM_FIXED, SIZE_OFF)                                                  \
	X(DW_FORM_data16, FORM_FIXED, 16)                                                          \
	X(DW_FORM_line_strp, FORM_FIXED, SIZE_OFF)                                                 \
	X(DW_FORM_ref_sig8, FORM_FIXED, 8)                                                         \
	X(DW_FORM_implicit_const, FORM_FIXED, 0)                                                   \
	X(DW_FORM_loclistx, FORM_LEB, 0)                                                           \
	X(DW_FORM_rnglistx, FORM_LEB, 0)                                                           \
	X(DW_FORM_ref_sup8, FORM_FIXED, 8)                                                         \
	X(DW_FORM_strx1, FORM_FIXED, 1)                                                            \
	X(DW_FORM_strx2, FORM_FIXED, 2)                                                            \
	X(DW_FORM_strx3, FORM_FIXED, 3)                                                            \
	X(DW_FORM_strx4, FORM_FIXED, 4)                                                            \
	X(DW_FORM_addrx1, FORM_FIXED, 1)                                                           \
	X(DW_FORM_addrx2, FORM_FIXED, 2)                                                           \
	X(DW_FORM_addrx3, FORM_FIXED, 3)                                                           \
	X(DW_FORM_addrx4, FORM_FIXED, 4)

static struct form_info form_info(uint16_t form)
{
	static const struct form_info standard[0x2d] = {
#define X(name, class, size) [name] = {class, size},
		FORMS(X)
#undef X
	};

	if (form < sizeof(standard) / sizeof(*standard))
		return standard[form];
	switch (form) {
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		return (struct form_info){FORM_LEB, 0};
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return (struct form_info){FORM_FIXED, SIZE_OFF};
	default:
		return (struct form_info){FORM_BAD, 0};
	}
}

enum form_class form_class(uint16_t form, const struct shape *shape, unsigned *size)
{
	struct form_info info = form_info(form);

	*size = info.size == SIZE_ADDR	? shape->addr_size
		: info.size == SIZE_OFF ? shape->off_size
		: info.size == SIZE_REF ? shape->ref_size
					: info.size;
	return info.class;
}

/* DW_FORM_indirect: the form is in the data. It may not be indirect again, nor an implicit
 * constant, which would be in the abbreviation. */
static uint16_t indirect_form(struct bytes *b)
{
	uint64_t form = bytes_uleb(b);

	return form > UINT16_MAX || form == DW_FORM_indirect || form == DW_FORM_implicit_const
		       ? 0
		       : (uint16_t)form;
}

bool form_skip(struct bytes *b, uint16_t form, const struct shape *shape)
{
	unsigned size;

	switch (form_class(form, shape, &size)) {
	case FORM_FIXED:
		return bytes_skip(b, size);
	case FORM_LEB:
		bytes_uleb(b);
		return !b->bad;
	case FORM_CSTR:
		return bytes_cstr(b);
	case FORM_BLOCK1:
		return bytes_skip(b, bytes_u8(b));
	case FORM_BLOCK2:
		return bytes_skip(b, bytes_u16(b));
	case FORM_BLOCK4:
		return bytes_skip(b, bytes_u32(b));
	case FORM_BLOCK:
		return bytes_skip(b, bytes_uleb(b));
	case FORM_INDIRECT:
		form = indirect_form(b);
		return form ? form_skip(b, form, shape) : bytes_fail(b);
	default:
		return bytes_fail(b);
	}
}

bool form_read(struct bytes *b, uint16_t form, const struct shape *shape, const uint8_t *start,
	       struct form_value *out)
{
	const uint8_t *p;
	unsigned size;

	if (form == DW_FORM_indirect)
		form = indirect_form(b);
	p = b->p;
	out->form = form;
	switch (form_class(form, shape, &size)) {
	case FORM_FIXED:
		out->v = form == DW_FORM_flag_present ? 1 : bytes_uint(b, size > 8 ? 8 : size);
		return size > 8 ? bytes_skip(b, size - 8) : !b->bad;
	case FORM_LEB:
		out->v = form == DW_FORM_sdata ? (uint64_t)bytes_sleb(b) : bytes_uleb(b);
		return !b->bad;
	case FORM_CSTR:
		out->v = (uint64_t)(p - start);
		return bytes_cstr(b);
	case FORM_BAD:
	case FORM_INDIRECT:
		return bytes_fail(b);
	default:
		if (!form_skip(b, form, shape))
			return false;
		out->v = (uint64_t)(b->p - p);
		return true;
	}
}

bool form_is_addr_index(uint16_t form)
{
	return form == DW_FORM_addrx || form == DW_FORM_GNU_addr_index ||
	       (form >= DW_FORM_addrx1 && form <= DW_FORM_addrx4);
}

bool form_is_address(uint16_t form)
{
	return form == DW_FORM_addr || form_is_addr_index(form);
}

bool form_is_str_index(uint16_t form)
{
	return form == DW_FORM_strx || form == DW_FORM_GNU_str_index ||
	       (form >= DW_FORM_strx1 && form <= DW_FORM_strx4);
}
