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
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
};

static const struct unwind_rule slow = {.cfa = UNWIND_CFA_SLOW};

/* All expressions in use have this form: reg + off, or *(reg + off) + post. */
struct address {
	uint32_t reg;
	int64_t off, post;
	bool deref;
};

/* The register of DW_OP_bregN, by its number on x86-64; 255: another operation. */
static uint32_t base_reg(uint8_t op, bool is_i386)
{
	uint32_t reg = op - OP_BREG0;

	if (op < OP_BREG0 || op > OP_BREG0 + 31)
		return 255;
	return is_i386 ? (uint32_t)cfi_reg_of_i386(reg) : reg;
}

/* An expression. */
struct expr {
	struct bytes b;
	bool is_i386;
};

static bool read_address(const struct expr *e, struct address *a)
{
	struct bytes copy = e->b, *b = &copy;
	uint8_t op = bytes_u8(b);

	*a = (struct address){.reg = base_reg(op, e->is_i386)};
	if (a->reg == 255)
		return false;
	a->off = bytes_sleb(b);
	while (!b->bad && bytes_left(b)) {
		op = bytes_u8(b);
		if (op == OP_DEREF && !a->deref)
			a->deref = true;
		else if (op == OP_PLUS_UCONST && !a->post)
			a->post = (int64_t)bytes_uleb(b);
		else if (op >= OP_LIT0 && op <= OP_LIT31 && !a->post && bytes_u8(b) == OP_PLUS)
			a->post = op - OP_LIT0;
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
 * = rsp + off + (((rip & 15) >= threshold) << 3). The threshold is 11, in IBT PLTs 10 or 9. On i386 the
 * index has 4 bytes.
 */
static bool plt_rule(const struct expr *e, struct unwind_rule *rule)
{
	const uint8_t shift = e->is_i386 ? 2 : 3;
	struct bytes b = e->b;
	uint8_t lit;
	int64_t off;

	if (base_reg(bytes_u8(&b), e->is_i386) != UNWIND_RSP)
		return false;
	off = bytes_sleb(&b);
	if (base_reg(bytes_u8(&b), e->is_i386) != UNWIND_RIP || bytes_sleb(&b) != 0 ||
	    bytes_u8(&b) != OP_LIT0 + 15 || bytes_u8(&b) != OP_AND)
		return false;
	lit = bytes_u8(&b);
	if (lit < OP_LIT0 || lit > OP_LIT0 + 15 || bytes_u8(&b) != OP_GE ||
	    bytes_u8(&b) != OP_LIT0 + shift || bytes_u8(&b) != OP_SHL || bytes_u8(&b) != OP_PLUS ||
	    b.bad || bytes_left(&b) || !fits_packed(off))
		return false;
	rule->cfa = UNWIND_CFA_PLT;
	rule->cfa_off = UNWIND_PACK(off, lit - OP_LIT0);
	return true;
}

/* OpenSSL's Montgomery multiplication saves rsp behind an array of variable size on the stack:
 * *(rsp + off + reg * 8) + 8. */
static bool indexed_rule(const struct expr *e, struct unwind_rule *rule)
{
	struct bytes b = e->b;
	uint8_t reg;
	int64_t off;

	if (e->is_i386 || bytes_u8(&b) != OP_BREG0 + UNWIND_RSP)
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

static struct expr expr_of(const struct cfi_loc *loc, const struct cfi_section *sec)
{
	return (struct expr){bytes_of(sec->data + loc->expr_off, loc->expr_len), sec->is_i386};
}

static bool cfa_rule(const struct cfi_loc *cfa, const struct cfi_section *sec,
		     struct unwind_rule *rule)
{
	struct address a;
	struct expr e;

	if (cfa->how == CFI_REGISTER)
		return reg_rule(cfa->reg, cfa->off, rule);
	if (cfa->how != CFI_EXPR)
		return false;
	e = expr_of(cfa, sec);
	if (plt_rule(&e, rule) || indexed_rule(&e, rule))
		return true;
	if (!read_address(&e, &a))
		return false;
	return a.deref ? deref_rule(&a, rule) : reg_rule(a.reg, a.off, rule);
}

static bool bp_rule(const struct cfi_loc *bp, const struct cfi_section *sec,
		    struct unwind_rule *rule)
{
	struct address a;
	struct expr e;
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
		e = expr_of(bp, sec);
		if (!read_address(&e, &a) || a.deref)
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
static bool signal_rule(const struct cfi_regs *regs, const struct cfi_section *sec,
			struct unwind_rule *rule)
{
	struct address cfa, bp, ra;
	struct expr e;
	int64_t gregs;

	if (sec->is_i386 || regs->cfa.how != CFI_EXPR || regs->bp.how != CFI_EXPR ||
	    regs->ra.how != CFI_EXPR)
		return false;
	e = expr_of(&regs->cfa, sec);
	if (!read_address(&e, &cfa) || !cfa.deref || cfa.post || cfa.reg != UNWIND_RSP)
		return false;
	gregs = cfa.off - 120;
	e = expr_of(&regs->bp, sec);
	if (!read_address(&e, &bp) || bp.deref || bp.reg != UNWIND_RSP || bp.off != gregs + 80)
		return false;
	e = expr_of(&regs->ra, sec);
	if (!read_address(&e, &ra) || ra.deref || ra.reg != UNWIND_RSP || ra.off != gregs + 128)
		return false;
	rule->cfa = UNWIND_CFA_SIGNAL;
	rule->cfa_off = (int32_t)gregs;
	return gregs == (int32_t)gregs;
}

/*
 * __morestack of gcc -fsplit-stack runs the function that called it on a stack segment of its own. It calls
 * that function's caller its own: the CFA lies one word above what frame pointers would give, and the rest
 * of the stack is elsewhere.
 */
static bool leaves_stack(const struct unwind_rule *rule)
{
	return rule->cfa == UNWIND_CFA_RBP && rule->bp == UNWIND_BP_AT_CFA &&
	       rule->cfa_off == 3 * 8 && rule->bp_off == -3 * 8;
}

struct unwind_rule cfi_rule(const struct cfi_regs *regs, const struct cfi_section *sec,
			    bool signal_frame)
{
	struct unwind_rule rule = {0};

	if (regs->ra.how == CFI_UNDEFINED)
		return (struct unwind_rule){.cfa = UNWIND_CFA_ROOT};
	if (signal_frame)
		return signal_rule(regs, sec, &rule) ? rule : slow;
	/* The caller's rsp is the CFA, except in longjmp and similar code. */
	if (regs->sp.how != CFI_UNSET && !(regs->sp.how == CFI_VAL_OFFSET && !regs->sp.off))
		return slow;
	if (regs->ra.how == CFI_REGISTER && regs->ra.reg > 0 && regs->ra.reg < UNWIND_RIP &&
	    regs->ra.reg != UNWIND_RSP)
		rule.bp = (uint8_t)(regs->ra.reg << 4);
	else if (regs->ra.how != CFI_OFFSET || regs->ra.off != (sec->is_i386 ? -4 : -8))
		return slow;
	if (!cfa_rule(&regs->cfa, sec, &rule) || !bp_rule(&regs->bp, sec, &rule))
		return slow;
	if (leaves_stack(&rule))
		rule.cfa = UNWIND_CFA_RBP_AWAY;
	return rule;
}
