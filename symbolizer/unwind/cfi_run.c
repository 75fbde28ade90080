// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/bytes.h"
#include "symbolizer/unwind/cfi.h"
#include "symbolizer/unwind/cfi_regs.h"

/* DWARF 5, section 7.24, figure 7.29; GNU extensions from binutils' dwarf2.h. */
enum {
	CFA_nop = 0x00,
	CFA_set_loc = 0x01,
	CFA_advance_loc1 = 0x02,
	CFA_advance_loc2 = 0x03,
	CFA_advance_loc4 = 0x04,
	CFA_offset_extended = 0x05,
	CFA_restore_extended = 0x06,
	CFA_undefined = 0x07,
	CFA_same_value = 0x08,
	CFA_register = 0x09,
	CFA_remember_state = 0x0a,
	CFA_restore_state = 0x0b,
	CFA_def_cfa = 0x0c,
	CFA_def_cfa_register = 0x0d,
	CFA_def_cfa_offset = 0x0e,
	CFA_def_cfa_expression = 0x0f,
	CFA_expression = 0x10,
	CFA_offset_extended_sf = 0x11,
	CFA_def_cfa_sf = 0x12,
	CFA_def_cfa_offset_sf = 0x13,
	CFA_val_offset = 0x14,
	CFA_val_offset_sf = 0x15,
	CFA_val_expression = 0x16,
	CFA_GNU_args_size = 0x2e,
	CFA_GNU_negative_offset_extended = 0x2f,
	CFA_advance_loc = 0x40, /* low 6 bits: the offset */
	CFA_offset = 0x80,	/* low 6 bits: the register */
	CFA_restore = 0xc0,	/* low 6 bits: the register */
};

struct machine {
	const struct cfi_section *sec;
	const struct cfi_cie *cie;
	struct bytes b;
	uint64_t loc, end;
	struct cfi_regs regs;
	bool changed; /* regs differ from the last row given out */
	bool bad;
	unsigned depth;
	struct cfi_regs saved[CFI_REMEMBER_MAX];
	cfi_row_fn fn;
	void *ctx;
};

/* A register by its number on x86-64. */
static uint64_t number_of(const struct machine *m, uint64_t reg)
{
	return m->sec->is_i386 ? cfi_reg_of_i386(reg) : reg;
}

static struct cfi_loc *column(struct cfi_regs *regs, uint64_t reg)
{
	switch (reg) {
	case UNWIND_RBP:
		return &regs->bp;
	case UNWIND_RSP:
		return &regs->sp;
	case UNWIND_RIP:
		return &regs->ra;
	default:
		return NULL; /* not needed for unwinding */
	}
}

static void set(struct machine *m, uint64_t reg, struct cfi_loc loc)
{
	struct cfi_loc *c = column(&m->regs, number_of(m, reg));

	if (c) {
		*c = loc;
		m->changed = true;
	}
}

static void restore(struct machine *m, uint64_t reg)
{
	struct cfi_loc *c = column(&m->regs, number_of(m, reg));

	if (c) {
		*c = *column((struct cfi_regs *)&m->cie->init, number_of(m, reg));
		m->changed = true;
	}
}

/* Factored offsets wrap around, like the address arithmetic they stand for. */
static int64_t factored(const struct machine *m, uint64_t v)
{
	return (int64_t)(v * (uint64_t)m->cie->data_align);
}

static struct cfi_loc at_offset(int64_t off)
{
	return (struct cfi_loc){.how = CFI_OFFSET, .off = off};
}

static struct cfi_loc value_offset(int64_t off)
{
	return (struct cfi_loc){.how = CFI_VAL_OFFSET, .off = off};
}

static struct cfi_loc in_register(const struct machine *m, uint64_t reg)
{
	reg = number_of(m, reg);
	return (struct cfi_loc){.how = CFI_REGISTER, .reg = reg > 255 ? 255 : (uint32_t)reg};
}

static struct cfi_loc expression(struct machine *m, enum cfi_how how)
{
	struct bytes e = bytes_sub(&m->b, bytes_uleb(&m->b));

	return (struct cfi_loc){
		.how = how,
		.expr_off = (uint32_t)(e.p - m->sec->data),
		.expr_len = (uint32_t)bytes_left(&e),
	};
}

static void def_cfa(struct machine *m, uint64_t reg, int64_t off)
{
	m->regs.cfa = in_register(m, reg);
	m->regs.cfa.off = off;
	m->changed = true;
}

static void change_offset(struct machine *m, int64_t off)
{
	m->regs.cfa.off = off;
	m->changed = true;
}

static int emit(struct machine *m)
{
	if (!m->changed)
		return 0;
	m->changed = false;
	if (!m->fn)
		return 0;
	return m->fn(m->ctx, m->loc, cfi_rule(&m->regs, m->sec, m->cie->signal_frame));
}

static int advance_to(struct machine *m, uint64_t loc)
{
	int err;

	if (loc < m->loc) {
		m->bad = true;
		return 0;
	}
	if (loc == m->loc)
		return 0;
	err = emit(m);
	m->loc = loc;
	return err;
}

static int advance(struct machine *m, uint64_t delta)
{
	uint64_t by;

	if (__builtin_mul_overflow(delta, m->cie->code_align, &by) ||
	    __builtin_add_overflow(m->loc, by, &by)) {
		m->bad = true;
		return 0;
	}
	return advance_to(m, by);
}

static void remember(struct machine *m)
{
	if (m->depth == CFI_REMEMBER_MAX)
		m->bad = true;
	else
		m->saved[m->depth++] = m->regs;
}

static void restore_state(struct machine *m)
{
	if (!m->depth) {
		m->bad = true;
		return;
	}
	m->regs = m->saved[--m->depth];
	m->changed = true;
}

static int step_location(struct machine *m, uint8_t op)
{
	uint64_t loc;

	switch (op) {
	case CFA_set_loc:
		m->bad = !cfi_read_pointer(m->sec, &m->b, m->cie->ptr_enc, &loc);
		return m->bad ? 0 : advance_to(m, loc);
	case CFA_advance_loc1:
		return advance(m, bytes_u8(&m->b));
	case CFA_advance_loc2:
		return advance(m, bytes_u16(&m->b));
	default:
		return advance(m, bytes_u32(&m->b));
	}
}

static void step_cfa(struct machine *m, uint8_t op)
{
	uint64_t reg;

	/* These change only one part of a rule that has a register and an offset. */
	if ((op == CFA_def_cfa_register || op == CFA_def_cfa_offset ||
	     op == CFA_def_cfa_offset_sf) &&
	    m->regs.cfa.how != CFI_REGISTER) {
		m->bad = true;
		return;
	}
	switch (op) {
	case CFA_def_cfa:
		reg = bytes_uleb(&m->b);
		def_cfa(m, reg, (int64_t)bytes_uleb(&m->b));
		break;
	case CFA_def_cfa_sf:
		reg = bytes_uleb(&m->b);
		def_cfa(m, reg, factored(m, (uint64_t)bytes_sleb(&m->b)));
		break;
	case CFA_def_cfa_register:
		def_cfa(m, bytes_uleb(&m->b), m->regs.cfa.off);
		break;
	case CFA_def_cfa_offset:
		change_offset(m, (int64_t)bytes_uleb(&m->b));
		break;
	case CFA_def_cfa_offset_sf:
		change_offset(m, factored(m, (uint64_t)bytes_sleb(&m->b)));
		break;
	default: /* CFA_def_cfa_expression */
		m->regs.cfa = expression(m, CFI_EXPR);
		m->changed = true;
	}
}

static void step_register(struct machine *m, uint8_t op)
{
	uint64_t reg = bytes_uleb(&m->b);

	switch (op) {
	case CFA_offset_extended:
		set(m, reg, at_offset(factored(m, bytes_uleb(&m->b))));
		break;
	case CFA_offset_extended_sf:
		set(m, reg, at_offset(factored(m, (uint64_t)bytes_sleb(&m->b))));
		break;
	case CFA_GNU_negative_offset_extended:
		set(m, reg, at_offset(factored(m, -bytes_uleb(&m->b))));
		break;
	case CFA_val_offset:
		set(m, reg, value_offset(factored(m, bytes_uleb(&m->b))));
		break;
	case CFA_val_offset_sf:
		set(m, reg, value_offset(factored(m, (uint64_t)bytes_sleb(&m->b))));
		break;
	case CFA_restore_extended:
		restore(m, reg);
		break;
	case CFA_undefined:
		set(m, reg, (struct cfi_loc){.how = CFI_UNDEFINED});
		break;
	case CFA_same_value:
		set(m, reg, (struct cfi_loc){.how = CFI_SAME});
		break;
	case CFA_register:
		set(m, reg, in_register(m, bytes_uleb(&m->b)));
		break;
	case CFA_expression:
		set(m, reg, expression(m, CFI_EXPR));
		break;
	default: /* CFA_val_expression */
		set(m, reg, expression(m, CFI_VAL_EXPR));
	}
}

static int step_extended(struct machine *m, uint8_t op)
{
	switch (op) {
	case CFA_nop:
		return 0;
	case CFA_set_loc ... CFA_advance_loc4:
		return step_location(m, op);
	case CFA_def_cfa ... CFA_def_cfa_expression:
	case CFA_def_cfa_sf:
	case CFA_def_cfa_offset_sf:
		step_cfa(m, op);
		return 0;
	case CFA_offset_extended ... CFA_register:
	case CFA_expression:
	case CFA_offset_extended_sf:
	case CFA_val_offset ... CFA_val_expression:
	case CFA_GNU_negative_offset_extended:
		step_register(m, op);
		return 0;
	case CFA_remember_state:
		remember(m);
		return 0;
	case CFA_restore_state:
		restore_state(m);
		return 0;
	case CFA_GNU_args_size:
		bytes_uleb(&m->b);
		return 0;
	default:
		m->bad = true;
		return 0;
	}
}

static int step(struct machine *m)
{
	uint8_t op = bytes_u8(&m->b), low = op & 0x3f;

	switch (op & 0xc0) {
	case CFA_advance_loc:
		return advance(m, low);
	case CFA_offset:
		set(m, low, at_offset(factored(m, bytes_uleb(&m->b))));
		return 0;
	case CFA_restore:
		restore(m, low);
		return 0;
	default:
		return step_extended(m, op);
	}
}

static int run(struct machine *m, uint32_t prog_off, uint32_t prog_end)
{
	int err = 0;

	m->b = bytes_of(m->sec->data + prog_off, prog_end - prog_off);
	while (!err && !m->bad && bytes_left(&m->b) && m->loc < m->end) {
		err = step(m);
		m->bad |= m->b.bad;
	}
	return err;
}

/* Runs once for each CIE, because initial instructions of a hostile file may be long. Locations
 * are ignored. */
static void init_cie(const struct cfi_section *sec, struct cfi_cie *cie)
{
	struct machine m = {.sec = sec, .cie = cie, .end = UINT64_MAX};

	cie->init_done = true;
	run(&m, cie->prog_off, cie->prog_end);
	cie->init = m.regs;
	cie->init_ok = !m.bad && !m.loc;
}

int cfi_run(struct cfi *cfi, size_t i, cfi_row_fn fn, void *ctx)
{
	const struct cfi_fde *fde = &cfi->fdes.data[i];
	struct cfi_cie *cie = &cfi->cies.data[fde->cie];
	struct machine m;
	int err;

	if (!cie->init_done)
		init_cie(&cfi->sec, cie);
	m.sec = &cfi->sec;
	m.cie = cie;
	m.loc = fde->start;
	m.end = fde->end;
	m.regs = cie->init;
	m.changed = true;
	m.bad = !cie->init_ok;
	m.depth = 0; /* saved[] needs no clearing */
	m.fn = fn;
	m.ctx = ctx;
	err = run(&m, fde->prog_off, fde->prog_end);
	if (err)
		return err;
	if (m.bad)
		return fn(ctx, m.loc, (struct unwind_rule){.cfa = UNWIND_CFA_SLOW});
	return m.loc < m.end ? emit(&m) : 0;
}
