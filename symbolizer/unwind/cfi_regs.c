// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/cfi_regs.h"

/* DWARF 5, section 7.7.1, figure 7.9. */
enum {
	OP_DEREF = 0x06,
	OP_AND = 0x1a,
	OP_MUL = 0x1e,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_BREG0 = 0x70,
};

static const struct unwind_rule slow = {.cfa = UNWIND_CFA_SLOW};

/* All expressions in use have this form: reg + off, or *(reg + off) + post. */
struct address {
	uint32_t reg;
	int64_t off, post;
	bool deref;
};

static bool read_address(struct bytes *b, struct address *a)
{
	uint8_t op = bytes_u8(b);

	*a = (struct address){0};
	if (op < OP_BREG0 || op > OP_BREG0 + 31)
		return false;
	a->reg = op - OP_BREG0;
	a->off = bytes_sleb(b);
	while (!b->bad && bytes_left(b)) {
		op = bytes_u8(b);
		if (op == OP_DEREF && !a->deref)
			a->deref = true;
		else if (op == OP_PLUS_UCONST && !a->post)
			a->post = (int64_t)bytes_uleb(b);
		else
			return false;
	}
	if (!a->deref) {
		a->off = (int64_t)((uint64_t)a->off + (uint64_t)a->post);
		a->post = 0;
	}
	return !b->bad;
}

static bool fits_packed(int64_t off)
{
	return off >= -UNWIND_OFF_MAX && off <= UNWIND_OFF_MAX;
}

/*
 * binutils' description of the PLT. Entries of 16 bytes push the relocation index half-way, so CFA
 * = rsp + off + (((rip & 15) >= threshold) << 3). The threshold is 11, in IBT PLTs 10 or 9.
 */
static bool plt_rule(struct bytes b, struct unwind_rule *rule)
{
	uint8_t lit;
	int64_t off;

	if (bytes_u8(&b) != OP_BREG0 + UNWIND_RSP)
		return false;
	off = bytes_sleb(&b);
	if (bytes_u8(&b) != OP_BREG0 + UNWIND_RIP || bytes_sleb(&b) != 0 ||
	    bytes_u8(&b) != OP_LIT0 + 15 || bytes_u8(&b) != OP_AND)
		return false;
	lit = bytes_u8(&b);
	if (lit < OP_LIT0 || lit > OP_LIT0 + 15 || bytes_u8(&b) != OP_GE ||
	    bytes_u8(&b) != OP_LIT0 + 3 || bytes_u8(&b) != OP_SHL || bytes_u8(&b) != OP_PLUS ||
	    b.bad || bytes_left(&b) || !fits_packed(off))
		return false;
	rule->cfa = UNWIND_CFA_PLT;
	rule->cfa_off = UNWIND_PACK(off, lit - OP_LIT0);
	return true;
}

/* OpenSSL's Montgomery multiplication saves rsp behind an array of variable size on the stack:
 * *(rsp + off + reg * 8) + 8. */
static bool indexed_rule(struct bytes b, struct unwind_rule *rule)
{
	uint8_t reg;
	int64_t off;

	if (bytes_u8(&b) != OP_BREG0 + UNWIND_RSP)
		return false;
	off = bytes_sleb(&b);
	reg = bytes_u8(&b) - OP_BREG0;
	if (reg >= UNWIND_RIP || bytes_sleb(&b) != 0 || bytes_u8(&b) != OP_LIT0 + 8 ||
	    bytes_u8(&b) != OP_MUL || bytes_u8(&b) != OP_PLUS || bytes_u8(&b) != OP_DEREF ||
	    bytes_u8(&b) != OP_PLUS_UCONST || bytes_uleb(&b) != 8 || b.bad || bytes_left(&b) ||
	    !fits_packed(off))
		return false;
	rule->cfa = UNWIND_CFA_DEREF_IDX;
	rule->cfa_off = UNWIND_PACK(off, reg);
	return true;
}

static bool reg_rule(uint32_t reg, int64_t off, struct unwind_rule *rule)
{
	if (reg == UNWIND_RSP || reg == UNWIND_RBP) {
		rule->cfa = reg == UNWIND_RSP ? UNWIND_CFA_RSP : UNWIND_CFA_RBP;
		rule->cfa_off = (int32_t)off;
		return off == (int32_t)off;
	}
	rule->cfa = UNWIND_CFA_REG;
	rule->cfa_off = UNWIND_PACK(off, reg);
	return reg < UNWIND_RIP && fits_packed(off);
}

static bool deref_rule(const struct address *a, struct unwind_rule *rule)
{
	if (a->reg != UNWIND_RSP && a->reg != UNWIND_RBP)
		return false;
	rule->cfa = a->reg == UNWIND_RSP ? UNWIND_CFA_DEREF_RSP : UNWIND_CFA_DEREF_RBP;
	rule->cfa_off = UNWIND_PACK(a->off, (uint8_t)a->post);
	return fits_packed(a->off) && a->post >= 0 && a->post <= 255;
}

static struct bytes expr_bytes(const struct cfi_loc *loc, const uint8_t *section)
{
	return bytes_of(section + loc->expr_off, loc->expr_len);
}

static bool cfa_rule(const struct cfi_loc *cfa, const uint8_t *section, struct unwind_rule *rule)
{
	struct bytes b;
	struct address a;

	if (cfa->how == CFI_REGISTER)
		return reg_rule(cfa->reg, cfa->off, rule);
	if (cfa->how != CFI_EXPR)
		return false;
	b = expr_bytes(cfa, section);
	if (plt_rule(b, rule) || indexed_rule(b, rule))
		return true;
	if (!read_address(&b, &a))
		return false;
	return a.deref ? deref_rule(&a, rule) : reg_rule(a.reg, a.off, rule);
}

static bool bp_rule(const struct cfi_loc *bp, const uint8_t *section, struct unwind_rule *rule)
{
	struct address a;
	struct bytes b;
	int64_t off;

	switch (bp->how) {
	case CFI_UNSET:
	case CFI_SAME:
	case CFI_UNDEFINED:
		return true; /* UNWIND_BP_SAME */
	case CFI_OFFSET:
		rule->bp |= UNWIND_BP_AT_CFA;
		off = bp->off;
		break;
	case CFI_REGISTER:
		if (bp->reg >= UNWIND_RIP)
			return false;
		if (bp->reg == UNWIND_RBP)
			return true;
		rule->bp |= UNWIND_BP_IN_REG;
		off = bp->reg;
		break;
	case CFI_EXPR:
		b = expr_bytes(bp, section);
		if (!read_address(&b, &a) || a.deref)
			return false;
		if (a.reg != UNWIND_RBP && a.reg != UNWIND_RSP)
			return false;
		rule->bp |= a.reg == UNWIND_RBP ? UNWIND_BP_AT_BP : UNWIND_BP_AT_SP;
		off = a.off;
		break;
	default:
		return false;
	}
	rule->bp_off = (int16_t)off;
	return off == rule->bp_off;
}

/*
 * A signal frame has a rule of its own: pc, sp and bp come from the sigcontext. Its place follows
 * from the address that the CFI gives for rsp (uc_mcontext.gregs of x86-64: rbp at 80, rsp at 120,
 * rip at 128).
 */
static bool signal_rule(const struct cfi_regs *regs, const uint8_t *section,
			struct unwind_rule *rule)
{
	struct address cfa, bp, ra;
	struct bytes b;
	int64_t gregs;

	if (regs->cfa.how != CFI_EXPR || regs->bp.how != CFI_EXPR || regs->ra.how != CFI_EXPR)
		return false;
	b = expr_bytes(&regs->cfa, section);
	if (!read_address(&b, &cfa) || !cfa.deref || cfa.post || cfa.reg != UNWIND_RSP)
		return false;
	gregs = cfa.off - 120;
	b = expr_bytes(&regs->bp, section);
	if (!read_address(&b, &bp) || bp.deref || bp.reg != UNWIND_RSP || bp.off != gregs + 80)
		return false;
	b = expr_bytes(&regs->ra, section);
	if (!read_address(&b, &ra) || ra.deref || ra.reg != UNWIND_RSP || ra.off != gregs + 128)
		return false;
	rule->cfa = UNWIND_CFA_SIGNAL;
	rule->cfa_off = (int32_t)gregs;
	return gregs == (int32_t)gregs;
}

struct unwind_rule cfi_rule(const struct cfi_regs *regs, const uint8_t *section, bool signal_frame)
{
	struct unwind_rule rule = {0};

	if (regs->ra.how == CFI_UNDEFINED)
		return (struct unwind_rule){.cfa = UNWIND_CFA_ROOT};
	if (signal_frame)
		return signal_rule(regs, section, &rule) ? rule : slow;
	/* The caller's rsp is the CFA, except in longjmp and similar code. */
	if (regs->sp.how != CFI_UNSET && !(regs->sp.how == CFI_VAL_OFFSET && !regs->sp.off))
		return slow;
	if (regs->ra.how == CFI_REGISTER && regs->ra.reg > 0 && regs->ra.reg < UNWIND_RIP &&
	    regs->ra.reg != UNWIND_RSP)
		rule.bp = (uint8_t)(regs->ra.reg << 4);
	else if (regs->ra.how != CFI_OFFSET || regs->ra.off != -8)
		return slow;
	if (!cfa_rule(&regs->cfa, section, &rule) || !bp_rule(&regs->bp, section, &rule))
		return slow;
	return rule;
}
