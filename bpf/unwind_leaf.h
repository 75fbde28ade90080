/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaves of code that nothing describes. Callers in such code have frame records at rbp, or the walk could not go
 * there. A leaf often has none: compilers leave it out, and in a prologue or behind an epilogue it is not there. Then
 * rbp is the caller's, and its record leads to the caller's caller. So bytes of code tell what the leaf is:
 *
 * - `ret` finds the return address on top of the stack, and so does a prologue that is about to be run.
 * - A word on the stack behind a call of the function that holds pc is its return address, if that function has made
 *   no record before pc. What it has pushed lies below, and what it has reserved is known by its `sub $N, %rsp`.
 * - A word behind a call by pointer is one if it is in the function that rbp's record belongs to.
 * Both are looked for from rsp up, and again behind what the last `sub $N, %rsp` before pc has reserved.
 *
 * Where that leaves open whether there is a caller between, the walk goes on by the record, and its stack does not
 * count as complete (UNWIND_END_LEAF). Compiles for the kernel and for user space, see unwind_core.h.
 */
#ifndef KILN_BPF_UNWIND_LEAF_H
#define KILN_BPF_UNWIND_LEAF_H

#include "bpf/unwind_core.h"

#define UNWIND_LEAF_WORDS 64	  /* of stack that are looked at, from rsp up */
#define UNWIND_LEAF_SAVED (6 * 8) /* bytes that a function pushes: six registers are its caller's */
#define UNWIND_LEAF_LONG  (1u << 16) /* bytes of code of one function at most, or so */
#define UNWIND_LEAF_REACH 1024	     /* bytes of code that are looked through at once */

/* What is found out about a leaf. */
struct unwind_leaf {
	struct unwind_frame at; /* the frame whose stack is looked at */
	/* Of the code that was looked through last: its last prologue, or 0; and behind that what the first `sub $N, %rsp`
	 * reserves, at most so many pushes before it, and whether a function seems to begin there. Its last bytes. */
	__u64 prologue, last_bytes;
	__u32 room, pushes, begins;
	__u32 far;		     /* what the last `sub $N, %rsp` reserves, or 0 */
	struct unwind_caller caller; /* the answer */
	/* The first word of which it is not known whether it is the return address; its place + 1, or 0. */
	__u64 doubt_ra, doubt_callee;
	__u32 doubt_at;
	__u32 from; /* the word from where on it may lie */
};

/* What lies behind a word of the stack. */
enum unwind_call { UNWIND_CALL_NONE, UNWIND_CALL_DIRECT, UNWIND_CALL_POINTER };

/* Bytes i to i + 3 of a word. */
UNWIND_INLINE __u32 unwind_bytes(__u64 word, __u32 i)
{
	return (__u32)(word >> (8 * i));
}

/* Bytes of a `call` by pointer (ff /2), by its second and third byte; 0: another instruction. */
UNWIND_INLINE __u32 unwind_pointer_call_len(__u32 modrm)
{
	__u32 mod = modrm >> 6 & 3, rm = modrm & 7;
	__u32 sib = mod != 3 && rm == 4;

	if ((modrm & 0x38) != 0x10)
		return 0;
	if (mod == 0)
		return rm == 5 ? 6 : 2 + sib;
	return 2 + sib + (mod == 1) + 4 * (mod == 2);
}

/* The call that ends with these 8 bytes, the last of which is before va; its target, if it is direct. */
UNWIND_INLINE enum unwind_call unwind_call_ends(__u64 bytes, __u64 va, __u64 *target)
{
	if ((unwind_bytes(bytes, 3) & 0xff) == 0xe8) {
		*target = va + (__u64)(__s64)(__s32)unwind_bytes(bytes, 4);
		return UNWIND_CALL_DIRECT;
	}
	for (__u32 len = 2; len <= 7; len++)
		if ((unwind_bytes(bytes, 8 - len) & 0xff) == 0xff &&
		    unwind_pointer_call_len(unwind_bytes(bytes, 8 - len) >> 8 & 0xff) == len)
			return UNWIND_CALL_POINTER;
	return UNWIND_CALL_NONE;
}

/* push %rbp; mov %rsp, %rbp, in both encodings */
UNWIND_INLINE int unwind_is_prologue(__u32 bytes)
{
	return bytes == 0xe5894855 || bytes == 0xec8b4855;
}

/* Whether the return address is on top of the stack, or one word above: bytes before and from pc on. 0: neither. */
UNWIND_INLINE __s32 unwind_leaf_at_edge(__u64 before, __u64 code)
{
	const __u32 endbr = 0xfa1e0ff3;
	__u32 first = unwind_bytes(code, 0), last = unwind_bytes(before, 7);

	if (first == endbr)
		first = unwind_bytes(code, 4);
	if (unwind_is_prologue(first) || (first & 0xff) == 0xc3 || (first & 0xff) == 0xc2 ||
	    (first & 0xffff) == 0xc3f3 || (first & 0xffff) == 0xc3f2)
		return 8;
	return unwind_is_prologue(first << 8 | (last & 0xff)) ? 16 : 0;
}

/* All ones if x is 0, which is of 32 bits. Without a branch. */
UNWIND_INLINE __u64 unwind_zero_mask(__u64 x)
{
	x -= 1;
	unwind_opaque(x);
	return (__u64)((__s64)x >> 63);
}

UNWIND_INLINE void unwind_leaf_begin(struct unwind_leaf *l)
{
	l->prologue = l->last_bytes = 0;
	l->room = l->pushes = l->begins = l->far = 0;
}

/* One byte more of the code that is looked through, at an address. */
UNWIND_INLINE void unwind_leaf_look(struct unwind_leaf *l, __u64 va, __u8 byte)
{
	__u64 w = l->last_bytes >> 8 | (__u64)byte << 56, four = w >> 32, m, begins;
	__u32 sub = (__u32)four & 0xffffff;

	l->last_bytes = w;
	/* mov %rsp, %rbp, in both encodings; compilers put other instructions between it and push %rbp */
	m = unwind_zero_mask(four >> 8 ^ 0xe58948) | unwind_zero_mask(four >> 8 ^ 0xec8b48);
	l->prologue = (l->prologue & ~m) | ((va - 2) & m);
	l->room &= ~m;
	l->pushes &= ~m;
	/* some compilers fill the gap before a function with int3 */
	begins = unwind_zero_mask((w >> 40 & 0xffff) ^ 0xcccc) & unwind_zero_mask(va & 15);
	l->begins = (__u32)((l->begins & ~m) | (begins & 1));
	/* push REG, $imm8, $imm32 */
	m = unwind_zero_mask((byte & 0xf8) ^ 0x50) | unwind_zero_mask((byte & 0xfd) ^ 0x68);
	l->pushes += m & unwind_zero_mask(l->room) & 1;
	/* sub $imm8, %rsp; add $-128, %rsp; sub $imm32, %rsp */
	m = unwind_zero_mask(l->room);
	l->room |= byte & unwind_zero_mask(sub ^ 0xec8348) & m;
	l->room |= 128 & unwind_zero_mask(four ^ 0x80c48348) & m;
	l->room |= four & unwind_zero_mask((w >> 8 & 0xffffff) ^ 0xec8148) & m;
	m = unwind_zero_mask(sub ^ 0xec8348);
	l->far = (__u32)((l->far & ~m) | (byte & m));
	m = unwind_zero_mask(four ^ 0x80c48348);
	l->far = (__u32)((l->far & ~m) | (128 & m));
	m = unwind_zero_mask((w >> 8 & 0xffffff) ^ 0xec8148);
	l->far = (__u32)((l->far & ~m) | (four & m));
}

/* Looks through code. Not 0: it cannot be read. */
UNWIND_INLINE int unwind_op_leaf_code(struct unwind_env *env, __u64 from, __u64 to);
/* Whether there is a frame record at an address, above a frame that ends at cfa. */
UNWIND_INLINE int unwind_op_leaf_record(struct unwind_env *env, __u64 at, __u64 cfa);
/* Looks at a word of the stack. Not 0: that was all; unwind_leaf.caller is the return address, or 0. */
UNWIND_INLINE int unwind_op_leaf_word(struct unwind_env *env, __u32 i);
UNWIND_INLINE struct unwind_leaf *unwind_op_leaf_of(struct unwind_env *env);
/* Whether that may be code: false for what is known not to be. */
UNWIND_INLINE int unwind_op_is_code(struct unwind_env *env, __u64 va);

/* The call that a word of the stack leads behind. */
UNWIND_INLINE enum unwind_call unwind_call_before(struct unwind_env *env, __u64 va, __u64 *target)
{
	__u64 bytes = 0;

	*target = 0;
	if (va >> 47 || va < 4096 || unwind_op_code(env, va - 8, &bytes))
		return UNWIND_CALL_NONE;
	return unwind_call_ends(bytes, va, target);
}

UNWIND_INLINE int unwind_leaf_is_record(struct unwind_env *env, __u64 at, __u64 cfa)
{
	__u64 ra = 0, target;

	if (at < cfa || at - cfa >= UNWIND_GUESS_MAX || at & 7 || unwind_op_read(env, at + 8, &ra))
		return 0;
	return unwind_call_before(env, ra, &target) != UNWIND_CALL_NONE;
}

/* Where a call leads that is to a stub or a function that only jumps: jmp *DISP(%rip), with endbr64 and bnd or without,
 * and jmp. */
UNWIND_INLINE __u64 unwind_leaf_behind_jump(struct unwind_env *env, __u64 va)
{
	__u64 code = 0, slot, to = va;
	__u64 at = va;

	if (unwind_op_code(env, at, &code))
		return va;
	if (unwind_bytes(code, 0) == 0xfa1e0ff3) {
		at += 4;
		if (unwind_op_code(env, at, &code))
			return va;
	}
	if ((code & 0xff) == 0xf2) {
		at += 1;
		code >>= 8;
	}
	if ((code & 0xff) == 0xe9)
		return at + 5 + (__u64)(__s64)(__s32)unwind_bytes(code, 1);
	slot = at + 6 + (__u64)(__s64)(__s32)unwind_bytes(code, 2);
	if ((code & 0xffff) == 0x25ff && !unwind_op_code(env, slot, &to))
		return to;
	return va;
}

/*
 * A word behind a direct call: whether that is the call of this frame's function, and what that then is.
 * UNWIND_LEAF_UNSURE: it calls another one, which may jump to this one; or the function makes its record on the way,
 * or another one begins between.
 */
UNWIND_INLINE enum unwind_leaf_is
unwind_leaf_by_call(struct unwind_env *env, const struct unwind_frame *f, __u32 i, __u64 *callee)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);

	if (f->pc - *callee >= UNWIND_LEAF_REACH)
		*callee = unwind_leaf_behind_jump(env, *callee);
	if (f->pc - *callee >= UNWIND_LEAF_REACH || unwind_op_leaf_code(env, *callee, f->pc))
		return UNWIND_LEAF_UNSURE;
	if (l->prologue)
		return l->prologue - *callee <= 16 ? UNWIND_LEAF_OF_RECORD : UNWIND_LEAF_UNSURE;
	return i * 8 >= l->room && i * 8 - l->room <= UNWIND_LEAF_SAVED ? UNWIND_LEAF_BARE
									: UNWIND_LEAF_UNSURE;
}

/* Looks at a word of the stack. Below it lies what the function has pushed and reserved. True: that was all, and
 * unwind_leaf.caller is the return address, or 0 if the function has a record. */
UNWIND_INLINE int unwind_leaf_try_word(struct unwind_env *env, __u32 i)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	const struct unwind_frame *f = &l->at;
	int may_doubt = !l->doubt_at && (i - l->from) * 8 <= UNWIND_LEAF_SAVED;
	enum unwind_leaf_is is = UNWIND_LEAF_UNSURE;
	__u64 word = 0, callee;
	enum unwind_call call;

	if (unwind_op_read(env, f->sp + i * 8, &word))
		return 1;
	/* a direct call is within 2 GB of what it calls */
	if ((word - f->pc + (1u << 31)) >> 32 && !may_doubt)
		return 0;
	call = unwind_call_before(env, word, &callee);
	if (call == UNWIND_CALL_DIRECT)
		is = unwind_leaf_by_call(env, f, i, &callee);
	l->caller.cfa = f->sp + i * 8 + 8;
	if (is == UNWIND_LEAF_BARE) {
		l->caller.ra = word;
		return 1;
	}
	/* of the function that begins there, which need not be this one */
	if (is == UNWIND_LEAF_OF_RECORD)
		return !l->doubt_at && l->caller.cfa == f->bp + 16;
	if (call != UNWIND_CALL_NONE && may_doubt && unwind_op_is_code(env, word - 1)) {
		l->doubt_at = i + 1;
		l->doubt_ra = word;
		l->doubt_callee = callee; /* 0: not known */
	}
	return 0;
}

/* Whether a direct call is to the function with that prologue, which may run some instructions before it. */
UNWIND_INLINE int unwind_leaf_calls(__u64 callee, __u64 prologue)
{
	return callee && prologue - callee < 64;
}

/* Whether an address may be in a function that begins there. */
UNWIND_INLINE int unwind_leaf_may_hold(__u64 callee, __u64 va)
{
	return callee && va - callee < UNWIND_LEAF_LONG;
}

/* What the code before pc says of the record at rbp. */
enum unwind_leaf_own {
	UNWIND_OWN_NOT,	    /* the word of doubt lies where no earlier call can have left it */
	UNWIND_OWN_UNKNOWN, /* there is no prologue nearby */
	UNWIND_OWN_MAYBE,
	UNWIND_OWN_FITS, /* its size is that of the last prologue's frame */
	UNWIND_OWN,	 /* it returns behind a call of the function with that prologue */
};

UNWIND_INLINE enum unwind_leaf_own unwind_leaf_own(struct unwind_env *env,
						   const struct unwind_frame *f, __u64 callee)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	__u64 frame = f->bp - f->sp, pushed;

	if (unwind_op_leaf_code(env, f->pc - UNWIND_LEAF_REACH, f->pc))
		return UNWIND_OWN_UNKNOWN;
	if (!l->prologue)
		return l->begins ? UNWIND_OWN_NOT : UNWIND_OWN_UNKNOWN;
	pushed = l->pushes * 8;
	if (l->doubt_at * 8 > l->room || frame < l->room || frame - l->room > pushed ||
	    (l->doubt_ra >= l->prologue && l->doubt_ra < f->pc &&
	     !unwind_leaf_calls(l->doubt_callee, l->prologue)))
		return UNWIND_OWN_NOT;
	if (unwind_leaf_calls(callee, l->prologue))
		return UNWIND_OWN;
	if (l->begins)
		return UNWIND_OWN_NOT;
	return frame == l->room + pushed ? UNWIND_OWN_FITS : UNWIND_OWN_MAYBE;
}

/*
 * A word is behind a call, and it is not known whether the call is this function's. Whose record is at rbp? It is this
 * function's if that was called by its name. It is the caller's if that was, and the word is in it.
 */
UNWIND_INLINE enum unwind_leaf_is unwind_leaf_in_doubt(struct unwind_env *env,
						       const struct unwind_frame *f)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	__u64 above = f->bp - (f->sp + l->doubt_at * 8), ra = 0, callee = 0;
	enum unwind_leaf_own own;
	int is_here, is_there, is_bare;

	if (above >= UNWIND_GUESS_MAX || f->bp & 7)
		return UNWIND_LEAF_OF_RECORD; /* no record at all: the walk ends there, and says so */
	if (!unwind_op_read(env, f->bp + 8, &ra) &&
	    unwind_call_before(env, ra, &callee) == UNWIND_CALL_DIRECT)
		callee = unwind_leaf_behind_jump(env, callee);
	own = unwind_leaf_own(env, f, callee);
	if (own == UNWIND_OWN || (callee && callee == l->doubt_callee))
		return UNWIND_LEAF_OF_RECORD;
	if (unwind_op_leaf_code(env, l->doubt_ra - UNWIND_LEAF_REACH, l->doubt_ra))
		l->prologue = 0;
	l->caller.ra = l->doubt_ra;
	l->caller.cfa = f->sp + l->doubt_at * 8;
	if (l->prologue && unwind_leaf_calls(callee, l->prologue))
		return own == UNWIND_OWN_FITS ? UNWIND_LEAF_UNSURE : UNWIND_LEAF_BARE;
	if (own == UNWIND_OWN_FITS)
		return UNWIND_LEAF_OF_RECORD;
	is_here = own != UNWIND_OWN_NOT && unwind_leaf_may_hold(callee, f->pc);
	is_there = unwind_leaf_may_hold(callee, l->doubt_ra);
	if (is_here && !is_there)
		return UNWIND_LEAF_OF_RECORD;
	is_bare = own == UNWIND_OWN_NOT ? is_there || l->prologue : is_there && !is_here;
	return is_bare ? UNWIND_LEAF_BARE : UNWIND_LEAF_UNSURE;
}

/* The caller's rbp: what is in rbp, or the first word below the return address, if those lead to frame records. */
UNWIND_INLINE void unwind_leaf_find_bp(struct unwind_env *env, const struct unwind_frame *f)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	__u64 saved = 0;

	l->caller.bp = f->bp;
	if (unwind_op_leaf_record(env, f->bp, l->caller.cfa))
		return;
	for (__u64 at = 16; at <= UNWIND_LEAF_SAVED + 8; at += 8) {
		if (l->caller.cfa - at < f->sp || unwind_op_read(env, l->caller.cfa - at, &saved))
			return;
		if (!unwind_op_leaf_record(env, saved, l->caller.cfa))
			continue;
		l->caller.bp = saved;
		return;
	}
}

/* Looks at so many words of the stack. True: the return address is found. */
UNWIND_INLINE int unwind_leaf_try_words(struct unwind_env *env, __u32 from, __u32 n)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);

	l->caller.ra = l->doubt_at = 0;
	l->from = from;
	for (__u32 i = 0; i < n; i++)
		if (unwind_op_leaf_word(env, from + i))
			break;
	return l->caller.ra != 0;
}

/*
 * Behind the room that the code before pc reserves, if that is much. A call by pointer is believed there alone: below it
 * are the function's variables.
 */
UNWIND_INLINE enum unwind_leaf_is unwind_leaf_far(struct unwind_env *env,
						  const struct unwind_frame *f)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	__u64 ra = l->doubt_ra, callee = l->doubt_callee, word = 0;
	enum unwind_leaf_is is, near;
	struct unwind_caller caller;
	__u32 at = l->doubt_at, far;

	if (!at && l->caller.cfa == f->bp + 16)
		return UNWIND_LEAF_OF_RECORD; /* its caller has called it by its name */
	if (unwind_op_leaf_code(env, f->pc - UNWIND_LEAF_REACH, f->pc))
		return UNWIND_LEAF_UNSEEN;
	far = l->far & ~7u;
	/* that of another function, if rbp's record lies in it */
	if (far <= UNWIND_LEAF_SAVED || f->bp - f->sp < far)
		return UNWIND_LEAF_UNSEEN;
	if (unwind_leaf_try_words(env, far / 8, UNWIND_LEAF_SAVED / 8 + 2))
		return UNWIND_LEAF_BARE;
	if (l->doubt_at && f->sp + l->doubt_at * 8 == f->bp + 16)
		return UNWIND_LEAF_OF_RECORD;
	is = l->doubt_at ? unwind_leaf_in_doubt(env, f) : UNWIND_LEAF_UNSEEN;
	if (is != UNWIND_LEAF_UNSEEN && (!at || at == l->doubt_at))
		return is;
	caller = l->caller;
	l->doubt_at = at;
	l->doubt_ra = ra;
	l->doubt_callee = callee;
	if (is != UNWIND_LEAF_UNSEEN) {
		near = unwind_leaf_in_doubt(env, f);
		if (near == is)
			return is == UNWIND_LEAF_BARE ? UNWIND_LEAF_UNSURE : is;
		if (is == UNWIND_LEAF_BARE)
			l->caller = caller;
		return is == UNWIND_LEAF_BARE || near == UNWIND_LEAF_BARE ? UNWIND_LEAF_BARE
									  : UNWIND_LEAF_UNSURE;
	}
	/* too far away to be read */
	if (unwind_op_read(env, f->sp + far, &word) && f->bp - f->sp - far > UNWIND_LEAF_SAVED)
		return UNWIND_LEAF_UNSURE;
	return UNWIND_LEAF_UNSEEN;
}

UNWIND_INLINE enum unwind_leaf_is unwind_leaf_first(struct unwind_env *env,
						    const struct unwind_frame *f)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	__u64 before = 0, code = 0, word = 0, callee;
	enum unwind_leaf_is is;
	__s32 edge;

	if (unwind_op_code(env, f->pc, &code))
		return UNWIND_LEAF_OF_RECORD;
	unwind_op_code(env, f->pc - 8, &before);
	edge = unwind_leaf_at_edge(before, code);
	l->caller.cfa = f->sp + (__u64)edge;
	l->caller.bp = f->bp;
	if (edge == 16 && unwind_op_read(env, f->sp, &l->caller.bp))
		return UNWIND_LEAF_OF_RECORD;
	if (edge)
		return unwind_op_read(env, l->caller.cfa - 8, &l->caller.ra) ? UNWIND_LEAF_OF_RECORD
									     : UNWIND_LEAF_BARE;
	/* between push %rbp and mov %rsp, %rbp */
	if (!unwind_op_read(env, f->sp, &word) && word == f->bp &&
	    !unwind_op_leaf_code(env, f->pc, f->pc + 16) && l->prologue &&
	    !unwind_op_read(env, f->sp + 8, &word) &&
	    unwind_call_before(env, word, &callee) != UNWIND_CALL_NONE) {
		l->caller.ra = word;
		l->caller.cfa = f->sp + 16;
		return UNWIND_LEAF_BARE;
	}
	is = unwind_leaf_try_words(env, 0, UNWIND_LEAF_WORDS) ? UNWIND_LEAF_BARE
							      : unwind_leaf_far(env, f);
	if (is == UNWIND_LEAF_UNSEEN)
		is = l->doubt_at ? unwind_leaf_in_doubt(env, f) : UNWIND_LEAF_OF_RECORD;
	if (is == UNWIND_LEAF_BARE)
		unwind_leaf_find_bp(env, f);
	return is;
}

/*
 * Whether the caller that was found is bare, too, so that rbp's record is that of a function further out: a word below
 * the record is behind a call of the caller by its name, which makes no record on the way.
 */
UNWIND_INLINE int unwind_leaf_caller_is_bare(struct unwind_env *env)
{
	struct unwind_leaf *l = unwind_op_leaf_of(env);
	struct unwind_caller caller = l->caller;
	__u64 words = (caller.bp - caller.cfa) / 8;
	int is_bare;

	if (caller.bp - caller.cfa >= UNWIND_GUESS_MAX)
		return 0;
	l->at.pc = caller.ra;
	l->at.sp = caller.cfa;
	l->at.bp = caller.bp;
	l->caller.ra = 0;
	l->doubt_at = 1; /* none is looked for */
	for (__u32 i = 0; i < UNWIND_LEAF_WORDS; i++)
		if (i >= words || unwind_op_leaf_word(env, i))
			break;
	is_bare = l->caller.ra != 0;
	l->caller = caller;
	return is_bare;
}

/* What the function of an exact frame is, in code that nothing describes. */
UNWIND_INLINE enum unwind_leaf_is unwind_leaf_is(struct unwind_env *env,
						 const struct unwind_frame *f)
{
	enum unwind_leaf_is is;

	unwind_op_leaf_of(env)->at = *f;
	is = unwind_leaf_first(env, f);
	if (is == UNWIND_LEAF_BARE && unwind_leaf_caller_is_bare(env))
		return UNWIND_LEAF_BOTH_BARE;
	return is;
}

#endif
