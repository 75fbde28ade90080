/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One step of the walk up a user stack, in C that compiles for BPF and for the host, where the same
 * code is tested and fuzzed. It calls nothing but a few operations, which the including file defines
 * behind its include.
 *
 * For the verifier's sake the search has a fixed number of steps without branches, and every access
 * to a table is masked: a damaged table yields a wrong rule at worst.
 */
#ifndef KILN_BPF_UNWIND_CORE_H
#define KILN_BPF_UNWIND_CORE_H

#include <stddef.h>

#include "bpf/unwind_abi.h"

#define UNWIND_INLINE static inline __attribute__((always_inline))

/* Keeps the compiler from turning arithmetic into branches, each of which doubles what the verifier
 * has to explore. */
#define unwind_opaque(x) __asm__ volatile("" : "+r"(x))

/* What the operations work on: the including file's own. */
struct unwind_env;

struct unwind_place {
	__u32 slot;   /* of the table */
	__u64 elf_va; /* the address in the file's own terms */
};

/* The table in that slot, or NULL; and one UNWIND_PAGE of it, or NULL. */
UNWIND_INLINE const void *unwind_op_table(struct unwind_env *env, __u32 slot);
UNWIND_INLINE const void *unwind_op_page(const void *table, __u32 page);
/* What an address of the process is; fills *place for UNWIND_IN_TABLE. */
UNWIND_INLINE enum unwind_in unwind_op_place(struct unwind_env *env, __u64 va,
					     struct unwind_place *place);
/* Reads 8 bytes of the user's memory: 0, or anything else when they cannot be read. */
UNWIND_INLINE int unwind_op_read(struct unwind_env *env, __u64 addr, __u64 *value);
/* The same where the last read was probably close by: worth the inlining. */
UNWIND_INLINE int unwind_op_read_near(struct unwind_env *env, __u64 addr, __u64 *value);
/* Reads 8 bytes of code: 0, or anything else when they cannot be read here. */
UNWIND_INLINE int unwind_op_code(struct unwind_env *env, __u64 va, __u64 *value);
/* A register (enum unwind_reg, below UNWIND_RIP) as it was when the sample was taken. */
UNWIND_INLINE __u64 unwind_op_reg(struct unwind_env *env, __u32 reg);
/* Bytes of a word on the stack: 8, or 4 in 32-bit code, whose registers then have the numbers of the same
 * registers of x86-64. Reads give one word. */
UNWIND_INLINE __u32 unwind_op_word(const struct unwind_env *env);

struct unwind_frame;
/* What the function of an exact frame is where nothing describes it (bpf/unwind_leaf.h), and its caller if it is
 * bare. */
UNWIND_INLINE enum unwind_leaf_is
unwind_op_leaf(struct unwind_env *env, const struct unwind_frame *f, struct unwind_caller *caller);
/* unwind_step_rule(), out of line: few frames need it. */
UNWIND_INLINE int unwind_op_step_rule(struct unwind_env *env, struct unwind_frame *f,
				      struct unwind_rule rule);

/*
 * Going up, rsp only grows, but for frames that leave one stack for another: signal frames on an
 * alternate stack, Go's switches between system and goroutine stack, and the segments of a split stack
 * (gcc -fsplit-stack), which are many. So many of them are taken on trust; anything else that does not
 * move up ends the walk.
 */
#define UNWIND_JUMPS_MAX 1024

/* The frame a walk has got to. Zero but for pc, sp and bp, and exact = 1, to begin with. */
struct unwind_frame {
	__u64 pc, sp, bp;
	__u64 gregs; /* address of the sigcontext's registers, once a signal frame was passed */
	__u32 exact; /* pc is where execution is, not a return address; all registers are known */
	__u16 jumps;
	__u16 at_start; /* what looked like a return address of the frame that was just left is where
			   its code begins: a signal handler's return stub, or a coroutine's root */
	__u16 by_fp;	/* frame pointers were followed on the way */
	__u16 unsure;	/* ... and there may be a caller below the first of their records */
};

#define UNWIND_GUESS_MAX (1u << 20) /* a frame larger than this is no frame */

/* sigcontext of x86-64 (uapi asm/sigcontext.h): r8-r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
 * indexed by DWARF number. */
UNWIND_INLINE __u32 unwind_greg_off(__u32 reg)
{
	/* one hex digit each, lowest first: 13 12 14 11 9 8 10 15 0 1 2 3 4 5 6 7 */
	return (__u32)(0x76543210fa89becdull >> (4 * (reg & 15)) & 15) * 8;
}

#define UNWIND_GREG_RIP (16 * 8)

/* A register other than rsp and rbp: known in exact frames only. */
UNWIND_INLINE int unwind_reg(struct unwind_env *env, const struct unwind_frame *f, __u32 reg,
			     __u64 *value)
{
	if (!f->exact)
		return UNWIND_END_SLOW;
	if (f->gregs) {
		if (unwind_op_read(env, f->gregs + unwind_greg_off(reg), value))
			return UNWIND_END_BAD_READ;
		return UNWIND_ON;
	}
	*value = unwind_op_reg(env, reg & 15);
	return UNWIND_ON;
}

/* -1 if a <= b, else 0, without a branch. Both are small. */
UNWIND_INLINE __u64 unwind_le_mask(__u64 a, __u64 b)
{
	__u64 m = a - b - 1;

	unwind_opaque(m);
	return (__u64)((__s64)m >> 63);
}

/*
 * The last row of a run whose pc is not above `pc`: its offset in the page. A run has 2 to 127 rows
 * of 1 << shift bytes, the first one at pc 0.
 */
UNWIND_INLINE __u32 unwind_find_row(const __u8 *page, __u32 run, __u32 n, __u32 shift, __u32 pc)
{
	__u64 row = 0, next, at;

	for (__u32 step = 64; step; step >>= 1) {
		if (step == 64 && n <= 16)
			step = 8; /* as most runs are */
		next = row + step;
		at = (run + (next << shift)) & (UNWIND_PAGE - 1);
		row += step & unwind_le_mask(next + 1, n) & unwind_le_mask(page[at], pc);
		unwind_opaque(row);
	}
	return (__u32)(run + (row << shift)) & (UNWIND_PAGE - 1);
}

/* Pushes (or pops) of a merged row that lie before an address that many bytes into it. */
UNWIND_INLINE __u32 unwind_pushes(__u32 mask, __u32 into)
{
	if (into > UNWIND_PUSH_REACH)
		into = UNWIND_PUSH_REACH;
	mask &= (1u << (into & 15)) - 1;
	mask = (mask & 0x55) + (mask >> 1 & 0x55);
	mask = (mask & 0x33) + (mask >> 2 & 0x33);
	return (mask & 0xf) + (mask >> 4);
}

/* Takes a merged row apart: the rule that holds `into` bytes behind its pc. */
UNWIND_INLINE void unwind_split_rule(struct unwind_rule *rule, __u32 into)
{
	__s32 words = (__s32)unwind_pushes(UNWIND_ARG(*rule), into);

	if (rule->cfa == UNWIND_CFA_RSP_PUSH)
		rule->cfa_off = UNWIND_OFF(*rule) + 8 * words;
	else if (rule->cfa == UNWIND_CFA_RSP_POP)
		rule->cfa_off = UNWIND_OFF(*rule) - 8 * words;
	else
		return;
	rule->cfa = UNWIND_CFA_RSP;
}

/* The page of a table that holds an offset; page 0, which every search begins with, is there. */
UNWIND_INLINE const __u8 *unwind_page_of(const void *table, const __u8 *first, __u32 at)
{
	return at < UNWIND_PAGE ? first : unwind_op_page(table, at / UNWIND_PAGE);
}

/* The rule at an address of a table; UNWIND_CFA_NONE outside of it. False: the table is gone. */
UNWIND_INLINE int unwind_find_rule(struct unwind_env *env, __u32 slot, __u64 elf_va,
				   struct unwind_rule *rule)
{
	const void *table = unwind_op_table(env, slot);
	const __u8 *first = table ? unwind_op_page(table, 0) : NULL, *page;
	const struct unwind_head *head = (const void *)first;
	__u32 pc = elf_va & (UNWIND_BUCKET - 1), into = pc;
	__u32 at, entry, n, wide, number;
	__u64 bucket;

	*rule = (struct unwind_rule){0};
	if (!first)
		return 0;
	bucket = (elf_va - head->text_va) >> UNWIND_BUCKET_BITS;
	if (bucket >= head->n_buckets)
		return 1;
	at = head->index_off + (__u32)bucket * 4;
	page = unwind_page_of(table, first, at);
	if (!page)
		return 0;
	entry = *(const __u32 *)(page + (at & (UNWIND_PAGE - 4)));
	number = UNWIND_RUN_START(entry);
	n = UNWIND_RUN_ROWS(entry);
	if (n) {
		wide = UNWIND_RUN_WIDE(entry);
		at = head->rows_off + number * 2;
		page = unwind_page_of(table, first, at);
		if (!page)
			return 0;
		at = unwind_find_row(page, at & (UNWIND_PAGE - 1), n, 1 + wide, pc);
		into = pc - page[at];
		if (wide)
			number = *(const __u16 *)(page + ((at + 2) & (UNWIND_PAGE - 2)));
		else
			number = page[(at + 1) & (UNWIND_PAGE - 1)];
	}
	at = sizeof(*head) + number * sizeof(*rule);
	page = unwind_page_of(table, first, at);
	if (!page)
		return 0;
	*rule = *(const struct unwind_rule *)(page + (at & (UNWIND_PAGE - 8)));
	unwind_split_rule(rule, into);
	return 1;
}

/* The canonical frame address by a rule. */
UNWIND_INLINE int unwind_cfa(struct unwind_env *env, const struct unwind_frame *f,
			     struct unwind_rule rule, __u64 *cfa)
{
	__s64 off = UNWIND_OFF(rule);
	__u32 arg = UNWIND_ARG(rule);
	int end;

	switch (rule.cfa) {
	case UNWIND_CFA_RSP:
		*cfa = f->sp + (__s64)rule.cfa_off;
		return UNWIND_ON;
	case UNWIND_CFA_RBP:
	case UNWIND_CFA_RBP_AWAY:
		*cfa = f->bp + (__s64)rule.cfa_off;
		return UNWIND_ON;
	case UNWIND_CFA_PLT:
		*cfa = f->sp + off + ((f->pc & 15) >= arg ? unwind_op_word(env) : 0);
		return UNWIND_ON;
	case UNWIND_CFA_REG:
		end = unwind_reg(env, f, arg, cfa);
		*cfa += off;
		return end;
	case UNWIND_CFA_DEREF_RSP:
	case UNWIND_CFA_DEREF_RBP:
		if (unwind_op_read(env, (rule.cfa == UNWIND_CFA_DEREF_RSP ? f->sp : f->bp) + off,
				   cfa))
			return UNWIND_END_BAD_READ;
		*cfa += arg;
		return UNWIND_ON;
	case UNWIND_CFA_DEREF_IDX:
		end = unwind_reg(env, f, arg, cfa);
		if (end)
			return end;
		if (unwind_op_read(env, f->sp + *cfa * 8 + off, cfa))
			return UNWIND_END_BAD_READ;
		*cfa += 8;
		return UNWIND_ON;
	case UNWIND_CFA_ROOT:
		return UNWIND_END_ROOT;
	case UNWIND_CFA_STOP:
		return UNWIND_END_CHAIN;
	case UNWIND_CFA_SLOW:
		return UNWIND_END_SLOW;
	default:
		return UNWIND_END_NO_RULE;
	}
}

/* The caller's rbp. */
UNWIND_INLINE int unwind_bp(struct unwind_env *env, const struct unwind_frame *f,
			    struct unwind_rule rule, __u64 cfa, __u64 *bp)
{
	__u64 base = cfa;
	__u32 kind = UNWIND_BP_KIND(rule);

	*bp = f->bp;
	if (kind == UNWIND_BP_SAME)
		return UNWIND_ON;
	if (kind == UNWIND_BP_IN_REG)
		return unwind_reg(env, f, (__u32)rule.bp_off, bp);
	if (kind == UNWIND_BP_AT_BP)
		base = f->bp;
	else if (kind == UNWIND_BP_AT_SP)
		base = f->sp;
	return unwind_op_read(env, base + (__s64)rule.bp_off, bp) ? UNWIND_END_BAD_READ : UNWIND_ON;
}

/*
 * Goes to the caller, wherever it says it is. A return address of 0 is no root: one wrong step leads to
 * zeros as well, and what has no caller is described as such (UNWIND_CFA_ROOT).
 */
UNWIND_INLINE int unwind_go(struct unwind_frame *f, __u64 pc, __u64 sp, __u64 bp, int may_jump)
{
	if (sp <= f->sp) {
		if (!may_jump || f->jumps >= UNWIND_JUMPS_MAX)
			return UNWIND_END_LOOP;
		f->jumps++;
	}
	f->pc = pc;
	f->sp = sp;
	f->bp = bp;
	f->exact = 0;
	return pc ? UNWIND_ON : UNWIND_END_ZERO;
}

UNWIND_INLINE int unwind_step_signal(struct unwind_env *env, struct unwind_frame *f, __s32 off)
{
	__u64 gregs = f->sp + (__s64)off, pc, sp, bp;
	int end;

	if (unwind_op_read(env, gregs + unwind_greg_off(UNWIND_RBP), &bp) ||
	    unwind_op_read(env, gregs + unwind_greg_off(UNWIND_RSP), &sp) ||
	    unwind_op_read(env, gregs + UNWIND_GREG_RIP, &pc))
		return UNWIND_END_BAD_READ;
	end = unwind_go(f, pc, sp, bp, 1);
	f->gregs = gregs;
	f->exact = 1;
	f->at_start = 1;
	return end;
}

/* A frame record: the caller's rbp and the return address, as every function keeps them that does
 * `push rbp; mov rbp, rsp`. rbp is 0 where the chain ends (System V ABI, x86-64, 3.4.1), and in code that
 * keeps something else in it: so that is no root. */
UNWIND_INLINE int unwind_step_fp(struct unwind_env *env, struct unwind_frame *f, int may_jump)
{
	__u64 pc, bp;

	f->by_fp = 1;
	if (!f->bp)
		return UNWIND_END_CHAIN;
	if (f->bp < f->sp && !may_jump)
		return UNWIND_END_LOOP;
	if (unwind_op_read(env, f->bp, &bp) ||
	    unwind_op_read(env, f->bp + unwind_op_word(env), &pc))
		return UNWIND_END_BAD_READ;
	return unwind_go(f, pc, f->bp + 2 * unwind_op_word(env), bp, may_jump);
}

/*
 * Code made at run time that returns by `add $N, %rsp; ret` as soon as it is returned to, as CPython's trampolines do:
 * that says where its caller is, whatever rbp holds.
 */
UNWIND_INLINE int unwind_returns_at_once(struct unwind_env *env, const struct unwind_frame *f,
					 struct unwind_rule *rule)
{
	__u64 code = 0;
	__u32 size;

	if (f->exact || unwind_op_word(env) == 4 || unwind_op_code(env, f->pc, &code))
		return 0;
	size = (__u32)(code >> 24) & 0xff;
	*rule = (struct unwind_rule){.cfa = UNWIND_CFA_RSP, .cfa_off = (__s32)size + 8};
	return (code & 0xff00ffffffull) == 0xc300c48348ull && !(size & 0x87);
}

/*
 * Code in a file that nothing describes: V8's builtins keep frame pointers, hand-written assembly
 * mostly leaves rbp alone. A record is believed if it lies just above rsp and returns into code.
 */
UNWIND_INLINE int unwind_step_guess(struct unwind_env *env, struct unwind_frame *f)
{
	struct unwind_place place = {0};
	struct unwind_frame next = *f;
	int end;

	/* 32-bit programs have such a record for main() alone, to align the stack. */
	if (unwind_op_word(env) == 4 || f->bp - f->sp >= UNWIND_GUESS_MAX || f->bp & 7)
		return UNWIND_END_NO_RULE;
	end = unwind_step_fp(env, &next, 0);
	if (end != UNWIND_ON || unwind_op_place(env, next.pc - 1, &place) == UNWIND_IN_NOTHING)
		return UNWIND_END_NO_RULE;
	*f = next;
	return UNWIND_ON;
}

/* Goes up by any rule. */
UNWIND_INLINE int unwind_step_rule(struct unwind_env *env, struct unwind_frame *f,
				   struct unwind_rule rule)
{
	__u64 cfa = 0, pc = 0, bp = 0;
	__u32 ra_reg = UNWIND_RA_REG(rule);
	int end;

	if (rule.cfa == UNWIND_CFA_SIGNAL)
		return unwind_step_signal(env, f, rule.cfa_off);
	if (rule.cfa == UNWIND_CFA_FP)
		return unwind_step_fp(env, f, 1);
	if (rule.cfa == UNWIND_CFA_NONE)
		return unwind_step_guess(env, f);
	f->at_start = rule.cfa == UNWIND_CFA_ROOT && rule.cfa_off;
	end = unwind_cfa(env, f, rule, &cfa);
	if (end)
		return end;
	/* rbp lies below the return address: this order lets one window of stack hold both. */
	end = unwind_bp(env, f, rule, cfa, &bp);
	if (end)
		return end;
	if (ra_reg) {
		end = unwind_reg(env, f, ra_reg, &pc);
		if (end)
			return end;
	} else if (unwind_op_read(env, cfa - unwind_op_word(env), &pc)) {
		return UNWIND_END_BAD_READ;
	}
	/* vfork() and the like have popped the return address: rsp need not move. */
	return unwind_go(f, pc, cfa, bp,
			 (ra_reg && cfa == f->sp) || rule.cfa == UNWIND_CFA_RBP_AWAY);
}

/* The same for the rules of nearly all frames, whose code is kept short: a sample comes to cold
 * caches. */
UNWIND_INLINE int unwind_step_usual(struct unwind_env *env, struct unwind_frame *f,
				    struct unwind_rule rule)
{
	__u64 cfa = (rule.cfa == UNWIND_CFA_RBP ? f->bp : f->sp) + (__s64)rule.cfa_off;
	__u64 pc, bp = f->bp;

	if (rule.bp && unwind_op_read_near(env, cfa + (__s64)rule.bp_off, &bp))
		return UNWIND_END_BAD_READ;
	if (unwind_op_read_near(env, cfa - unwind_op_word(env), &pc))
		return UNWIND_END_BAD_READ;
	return unwind_go(f, pc, cfa, bp, 0);
}

UNWIND_INLINE int unwind_is_usual(struct unwind_rule rule)
{
	return (rule.cfa == UNWIND_CFA_RSP || rule.cfa == UNWIND_CFA_RBP) &&
	       rule.bp <= UNWIND_BP_AT_CFA;
}

/*
 * The page of old system calls, which every process has at one address and no mapping. The kernel makes
 * each call in a trap at its first instruction, where the return address is on top of the stack.
 */
#define UNWIND_VSYSCALL	     0xffffffffff600000ull
#define UNWIND_VSYSCALL_STEP 1024 /* bytes from call to call */

UNWIND_INLINE int unwind_is_vsyscall(const struct unwind_frame *f)
{
	return f->exact && (f->pc & ~4095ull) == UNWIND_VSYSCALL &&
	       !(f->pc & (UNWIND_VSYSCALL_STEP - 1));
}

/*
 * The address that says where a frame is: the call instruction rather than what follows it, which
 * may be another function's first byte after a call that never returns.
 */
UNWIND_INLINE __u64 unwind_call_va(const struct unwind_frame *f)
{
	return f->exact ? f->pc : f->pc - 1;
}

/* Goes up from an exact frame in code that nothing describes. False: as from any other such frame. */
UNWIND_INLINE int unwind_step_leaf(struct unwind_env *env, struct unwind_frame *f, int *end)
{
	struct unwind_caller caller = {0};

	if (!f->exact || unwind_op_word(env) == 4)
		return 0;
	switch (unwind_op_leaf(env, f, &caller)) {
	case UNWIND_LEAF_BOTH_BARE:
		f->unsure = 1;
		/* fall through */
	case UNWIND_LEAF_BARE:
		f->by_fp = 1;
		*end = unwind_go(f, caller.ra, caller.cfa, caller.bp, 0);
		return 1;
	case UNWIND_LEAF_UNSURE:
		f->unsure = 1;
		return 0;
	case UNWIND_LEAF_ASK:
		*end = UNWIND_END_SLOW;
		return 1;
	default:
		return 0;
	}
}

/* A root is reached: with all callers, unless that is not known. */
UNWIND_INLINE int unwind_end_of(const struct unwind_frame *f, int end)
{
	return f->unsure && end == UNWIND_END_ROOT ? UNWIND_END_LEAF : end;
}

/* From a frame to its caller. UNWIND_ON, or the reason why there is none; *f then stays or is of no
 * further use. */
UNWIND_INLINE int unwind_step(struct unwind_env *env, struct unwind_frame *f)
{
	struct unwind_place place = {0};
	struct unwind_rule rule;
	int end;

	f->at_start = 0;
	switch (unwind_op_place(env, unwind_call_va(f), &place)) {
	case UNWIND_IN_TABLE:
		break;
	case UNWIND_IN_JIT:
		if (unwind_returns_at_once(env, f, &rule))
			return unwind_op_step_rule(env, f, rule);
		if (unwind_step_leaf(env, f, &end))
			return end;
		return unwind_step_fp(env, f, 0);
	case UNWIND_IN_NOTHING:
		if (!unwind_is_vsyscall(f))
			return UNWIND_END_NO_MAPPING;
		return unwind_step_usual(env, f,
					 (struct unwind_rule){.cfa = UNWIND_CFA_RSP, .cfa_off = 8});
	default:
		return UNWIND_END_NO_TABLE;
	}
	if (!unwind_find_rule(env, place.slot, place.elf_va, &rule))
		return UNWIND_END_NO_TABLE;
	if (unwind_is_usual(rule))
		return unwind_step_usual(env, f, rule);
	if (rule.cfa == UNWIND_CFA_NONE && unwind_step_leaf(env, f, &end))
		return end;
	return unwind_op_step_rule(env, f, rule);
}

#endif
