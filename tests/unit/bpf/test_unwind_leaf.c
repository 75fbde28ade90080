// SPDX-License-Identifier: GPL-2.0-or-later
/* What code that nothing describes says of its leaves: outer() calls mid(), which calls leaf(). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "bpf/unwind_leaf.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define STACK 0x700000ull
#define WORDS 128
#define CODE  0x400000ull
#define OUTER (CODE + 0x1000)
#define MID   (CODE + 0x2000)
#define LEAF  (CODE + 0x3000)
#define OTHER (CODE + 0x600) /* what has run before */
#define STUB  (CODE + 0x5000)
#define BYTES 0x8000

#define IN_OUTER (OUTER + 0x40) /* behind its call of mid() */
#define IN_MID	 (MID + 0x40)	/* behind its call of leaf() */
#define IN_OTHER (OTHER + 0x40)

struct unwind_env {
	uint64_t stack[WORDS];
	uint8_t code[BYTES];
	struct unwind_leaf leaf;
};

static struct unwind_env env;

UNWIND_INLINE const void *unwind_op_table(struct unwind_env *e, __u32 slot)
{
	(void)e, (void)slot;
	return NULL;
}

UNWIND_INLINE const void *unwind_op_page(const void *table, __u32 page)
{
	(void)page;
	return table;
}

UNWIND_INLINE enum unwind_in unwind_op_place(struct unwind_env *e, __u64 va,
					     struct unwind_place *place)
{
	(void)e, (void)place;
	return va - CODE < BYTES ? UNWIND_IN_JIT : UNWIND_IN_NOTHING;
}

UNWIND_INLINE int unwind_op_read(struct unwind_env *e, __u64 addr, __u64 *value)
{
	if (addr - STACK >= sizeof(e->stack))
		return -1;
	*value = e->stack[(addr - STACK) / 8];
	return 0;
}

UNWIND_INLINE int unwind_op_read_near(struct unwind_env *e, __u64 addr, __u64 *value)
{
	return unwind_op_read(e, addr, value);
}

UNWIND_INLINE int unwind_op_code(struct unwind_env *e, __u64 va, __u64 *value)
{
	if (va - CODE > BYTES - 8)
		return -1;
	memcpy(value, e->code + (va - CODE), 8);
	return 0;
}

UNWIND_INLINE __u64 unwind_op_reg(struct unwind_env *e, __u32 reg)
{
	(void)e, (void)reg;
	return 0;
}

UNWIND_INLINE __u32 unwind_op_word(const struct unwind_env *e)
{
	(void)e;
	return 8;
}

UNWIND_INLINE int unwind_op_step_rule(struct unwind_env *e, struct unwind_frame *f,
				      struct unwind_rule rule)
{
	return unwind_step_rule(e, f, rule);
}

UNWIND_INLINE enum unwind_leaf_is unwind_op_leaf(struct unwind_env *e, const struct unwind_frame *f,
						 struct unwind_caller *caller)
{
	(void)e, (void)f, (void)caller;
	return UNWIND_LEAF_UNSEEN;
}

UNWIND_INLINE struct unwind_leaf *unwind_op_leaf_of(struct unwind_env *e)
{
	return &e->leaf;
}

UNWIND_INLINE int unwind_op_leaf_code(struct unwind_env *e, __u64 from, __u64 to)
{
	unwind_leaf_begin(&e->leaf);
	for (uint64_t va = from; va < to; va++) {
		if (va - CODE >= BYTES)
			return -1;
		unwind_leaf_look(&e->leaf, va, e->code[va - CODE]);
	}
	return 0;
}

UNWIND_INLINE int unwind_op_leaf_record(struct unwind_env *e, __u64 at, __u64 cfa)
{
	return unwind_leaf_is_record(e, at, cfa);
}

UNWIND_INLINE int unwind_op_leaf_word(struct unwind_env *e, __u32 i)
{
	return unwind_leaf_try_word(e, i);
}

UNWIND_INLINE int unwind_op_is_code(struct unwind_env *e, __u64 va)
{
	return unwind_op_place(e, va, NULL) != UNWIND_IN_NOTHING;
}

/* --- the made-up process --------------------------------------------------------------------------- */

#define PUT(va, ...)                                                                               \
	put((va), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define PROLOGUE 0x55, 0x48, 0x89, 0xe5

static void put(uint64_t va, const uint8_t *bytes, size_t n)
{
	memcpy(env.code + (va - CODE), bytes, n);
}

/* A call that returns there. */
static void call(uint64_t returns, uint64_t callee)
{
	uint32_t off = (uint32_t)(callee - returns);

	PUT(returns - 5, 0xe8, off, off >> 8, off >> 16, off >> 24);
}

static void jump(uint64_t va, uint64_t to)
{
	uint32_t off = (uint32_t)(to - (va + 5));

	PUT(va, 0xe9, off, off >> 8, off >> 16, off >> 24);
}

static void call_pointer(uint64_t returns)
{
	PUT(returns - 5, 0x90, 0x90, 0x90, 0xff, 0xd0); /* nop; nop; nop; call *%rax */
}

static uint64_t at(int word)
{
	return STACK + 8 * (uint64_t)word;
}

/* All code does nothing, but for the calls and the records of outer() and mid(). */
static int setup(void **state)
{
	(void)state;
	memset(&env, 0, sizeof(env));
	memset(env.code, 0x90, sizeof(env.code));
	PUT(OUTER, PROLOGUE);
	PUT(MID, PROLOGUE);
	PUT(OTHER, PROLOGUE);
	call(IN_OUTER, MID);
	call(IN_MID, LEAF);
	return 0;
}

/* mid()'s record is at word 40, and leaf() was called with the stack full up to word `top`. */
static struct unwind_frame stopped(uint64_t pc, int sp, int top)
{
	env.stack[40] = at(60);
	env.stack[41] = IN_OUTER;
	env.stack[60] = at(80);
	env.stack[61] = IN_OUTER;
	env.stack[top] = IN_MID;
	return (struct unwind_frame){.pc = pc, .sp = at(sp), .bp = at(40), .exact = 1};
}

static void assert_bare(struct unwind_frame f, int top, int bp)
{
	assert_int_equal(unwind_leaf_is(&env, &f), UNWIND_LEAF_BARE);
	assert_int_equal(env.leaf.caller.ra, IN_MID);
	assert_int_equal(env.leaf.caller.cfa, at(top + 1));
	assert_int_equal(env.leaf.caller.bp, at(bp));
}

static void assert_is(struct unwind_frame f, enum unwind_leaf_is is)
{
	assert_int_equal(unwind_leaf_is(&env, &f), is);
}

/* --- bare leaves ------------------------------------------------------------------------------------ */

TEST(test_a_leaf_that_was_called_by_its_name)
{
	assert_bare(stopped(LEAF, 20, 20), 20, 40);
	assert_bare(stopped(LEAF + 0x20, 20, 20), 20, 40);
	assert_bare(stopped(LEAF + UNWIND_LEAF_REACH - 1, 20, 20), 20, 40);
	/* of code that cannot be read nobody knows more than the record */
	assert_is(stopped(CODE + BYTES, 20, 20), UNWIND_LEAF_OF_RECORD);
}

TEST(test_a_leaf_that_has_pushed_registers)
{
	struct unwind_frame f = stopped(LEAF + 0x20, 18, 20);

	env.stack[18] = 7, env.stack[19] = OTHER; /* not behind a call */
	assert_bare(f, 20, 40);
	/* one of them rbp, which it uses otherwise */
	env.stack[19] = at(40);
	f.bp = 1234;
	assert_bare(f, 20, 40);
	/* more than six are none */
	f.sp = at(13);
	f.bp = at(40);
	assert_is(f, UNWIND_LEAF_OF_RECORD);
	f.sp = at(14);
	assert_bare(f, 20, 40);
}

/* Where a leaf has reserved room, return addresses of earlier calls may lie. */
TEST(test_a_leaf_that_has_reserved_room)
{
	static const struct {
		uint8_t code[7];
		int words;
	} rooms[] = {{{0x48, 0x83, 0xec, 0x18, 0x90, 0x90, 0x90}, 3},
		     {{0x48, 0x83, 0xc4, 0x80, 0x90, 0x90, 0x90}, 16},
		     {{0x48, 0x81, 0xec, 0x90, 0, 0, 0}, 18}};

	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		int sp = 30 - rooms[i].words;
		struct unwind_frame f;

		setup(NULL);
		put(LEAF + 4, rooms[i].code, 7);
		call(IN_OTHER, LEAF);
		f = stopped(LEAF + 0x20, sp, 30);
		env.stack[sp + 1] = IN_OTHER;
		assert_bare(f, 30, 40);
		f = stopped(LEAF + 0x20, sp, 32); /* and has pushed two registers before */
		env.stack[30] = env.stack[31] = 5;
		assert_bare(f, 32, 40);
		f = stopped(LEAF + 2, 30, 30); /* not yet reserved */
		assert_bare(f, 30, 40);
	}
}

TEST(test_prologues)
{
	struct unwind_frame f = stopped(LEAF, 20, 20);

	/* so only the bytes at pc tell */
	call_pointer(IN_MID);
	call_pointer(IN_OUTER);
	PUT(LEAF, 0xf3, 0x0f, 0x1e, 0xfa, PROLOGUE);
	assert_bare(f, 20, 40);
	f.pc = LEAF + 4;
	assert_bare(f, 20, 40);
	PUT(LEAF + 4, 0x55, 0x48, 0x8b, 0xec);
	assert_bare(f, 20, 40);
	f = stopped(LEAF + 5, 19, 20);
	env.stack[19] = at(40);
	f.bp = 99; /* whatever it is */
	assert_bare(f, 20, 40);
}

TEST(test_returns)
{
	struct unwind_frame f = stopped(LEAF + 0x30, 20, 20);

	call_pointer(IN_MID);
	call_pointer(IN_OUTER);
	assert_is(f, UNWIND_LEAF_UNSURE);
	PUT(LEAF + 0x30, 0xc3);
	assert_bare(f, 20, 40);
	PUT(LEAF + 0x30, 0xc2, 8, 0);
	assert_bare(f, 20, 40);
	PUT(LEAF + 0x30, 0xf3, 0xc3);
	assert_bare(f, 20, 40);
}

/* push %rbp; mov %rdi, %rax; mov %rsp, %rbp */
TEST(test_a_prologue_with_something_between)
{
	struct unwind_frame f = stopped(LEAF + 1, 19, 20);

	call_pointer(IN_MID);
	env.stack[19] = at(40);
	PUT(LEAF, 0x55, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xe5);
	assert_bare(f, 20, 40);
	f.pc = LEAF + 4;
	assert_bare(f, 20, 40);
}

TEST(test_a_leaf_that_is_called_through_a_stub)
{
	const uint32_t off = (uint32_t)(STUB + 0x100 - (STUB + 4 + 6));
	const uint64_t leaf = LEAF;

	call(IN_MID, STUB);
	PUT(STUB, 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, off, off >> 8, off >> 16, off >> 24);
	memcpy(env.code + (STUB + 0x100 - CODE), &leaf, 8);
	call_pointer(IN_OUTER); /* so nothing else tells */
	assert_bare(stopped(LEAF + 0x20, 20, 20), 20, 40);
}

TEST(test_a_leaf_that_is_called_through_a_jump)
{
	call(IN_MID, STUB);
	jump(STUB, LEAF);
	call_pointer(IN_OUTER);
	assert_bare(stopped(LEAF + 0x20, 20, 20), 20, 40);
}

/* The word is in mid(), and so is the record at rbp. */
TEST(test_a_leaf_that_was_called_by_pointer)
{
	call_pointer(IN_MID);
	assert_bare(stopped(LEAF + 0x20, 20, 20), 20, 40);
	/* mid() jumps to leaf(), and its caller has called mid(), or what is far away */
	call(IN_MID, OTHER);
	assert_bare(stopped(LEAF + 0x20, 20, 20), 20, 40);
}

/* sub $640, %rsp: mid()'s record is at word 100, and leaf() has called nothing. */
static struct unwind_frame roomy(void)
{
	PUT(LEAF + 4, 0x48, 0x81, 0xec, 0x80, 0x02, 0, 0);
	env.stack[90] = IN_MID;
	env.stack[100] = at(120);
	env.stack[101] = IN_OUTER;
	env.stack[120] = at(126);
	env.stack[121] = IN_OUTER;
	return (struct unwind_frame){.pc = LEAF + 0x20, .sp = at(10), .bp = at(100), .exact = 1};
}

TEST(test_a_leaf_with_much_room)
{
	struct unwind_frame f = roomy();

	assert_bare(f, 90, 100);
	call_pointer(IN_MID);
	assert_bare(f, 90, 100);
	/* it has pushed two registers before */
	f.sp = at(8);
	assert_bare(f, 90, 100);
	/* in its room lies what an earlier call has left */
	f = roomy();
	call_pointer(IN_OTHER);
	env.stack[11] = IN_OTHER;
	assert_bare(f, 90, 100);
	/* whoever called the function of rbp's record */
	call_pointer(IN_OUTER);
	assert_is(f, UNWIND_LEAF_UNSURE);
	/* it is called with little room in 100 bytes, too */
	setup(NULL);
	f = stopped(LEAF + 0x20, 20, 32);
	PUT(LEAF + 4, 0x48, 0x83, 0xec, 0x60);
	call_pointer(IN_MID);
	assert_bare(f, 32, 40);
}

TEST(test_a_function_with_much_room_and_a_record)
{
	struct unwind_frame f = roomy();

	PUT(LEAF, PROLOGUE);
	call_pointer(IN_MID);
	env.stack[89] = at(100);
	f.bp = at(89);
	f.sp = at(9);
	assert_is(f, UNWIND_LEAF_OF_RECORD);
	/* the room is of a function before it */
	f = stopped(LEAF + 0x20, 20, 20);
	assert_bare(f, 20, 40);
}

/* Of a stack that was copied, not all is there. */
TEST(test_room_that_ends_nowhere)
{
	struct unwind_frame f = roomy();

	PUT(LEAF + 4, 0x48, 0x81, 0xec, 0, 0, 1, 0);
	f.bp = at(0) + 0x10100;
	assert_is(f, UNWIND_LEAF_UNSURE);
}

/* mid() has no record either: rbp's is outer()'s, or that of who has called it. */
TEST(test_callers_without_records)
{
	struct unwind_frame f = stopped(LEAF + 0x20, 20, 20);

	PUT(MID, 0x90, 0x90, 0x90, 0x90);
	env.stack[40] = at(60), env.stack[41] = IN_OTHER;
	assert_bare(f, 20, 40);
	env.stack[21] = IN_OUTER;
	assert_is(f, UNWIND_LEAF_BOTH_BARE);
	assert_int_equal(env.leaf.caller.ra, IN_MID);
	/* nor is it claimed where mid() has pushed registers and reserved room */
	PUT(MID, 0x53, 0x48, 0x83, 0xec, 0x28);
	assert_bare(f, 20, 40);
	env.stack[21] = 0, env.stack[27] = IN_OUTER;
	assert_is(f, UNWIND_LEAF_BOTH_BARE);
	/* the record is its own */
	PUT(MID, PROLOGUE);
	assert_bare(f, 20, 40);
}

/* --- records ---------------------------------------------------------------------------------------- */

/* leaf() has a record at word 30, and called other() before, whose return address is still there. */
static struct unwind_frame framed(uint64_t pc)
{
	PUT(LEAF, PROLOGUE, 0x53, 0x48, 0x83, 0xec, 0x18); /* push %rbx; sub $24, %rsp */
	stopped(pc, 26, 31);
	env.stack[30] = at(40);
	env.stack[27] = IN_OTHER;
	return (struct unwind_frame){.pc = pc, .sp = at(26), .bp = at(30), .exact = 1};
}

TEST(test_a_function_that_was_called_by_its_name_has_its_record)
{
	call(IN_OTHER, OTHER + 0x800);
	assert_is(framed(LEAF + 0x20), UNWIND_LEAF_OF_RECORD);
	call_pointer(IN_OTHER);
	assert_is(framed(LEAF + 0x20), UNWIND_LEAF_OF_RECORD);
	/* it is too long to see where it begins */
	assert_is(framed(LEAF + 0x900), UNWIND_LEAF_OF_RECORD);
	/* it calls itself */
	call(IN_OTHER, LEAF);
	assert_is(framed(LEAF + 0x20), UNWIND_LEAF_OF_RECORD);
}

TEST(test_a_record_that_fits_its_function)
{
	struct unwind_frame f;

	call_pointer(IN_OTHER);
	call_pointer(IN_MID);
	assert_is(framed(LEAF + 0x20), UNWIND_LEAF_OF_RECORD);
	/* the word is where nothing is reserved, so no earlier call has left it */
	f = framed(LEAF + 0x20);
	PUT(LEAF, PROLOGUE, 0x53, 0x48, 0x83, 0xec, 0x08);
	assert_is(f, UNWIND_LEAF_BARE);
}

/* Nobody knows where its function begins, nor whom the caller of rbp's record has called. */
TEST(test_where_nothing_tells)
{
	struct unwind_frame f = stopped(LEAF + 0x20, 20, 20);

	call_pointer(IN_MID);
	call_pointer(IN_OUTER);
	assert_is(f, UNWIND_LEAF_UNSURE);
	/* nor is more of the stack to be had */
	f.sp = at(100), f.bp = at(110);
	env.stack[100] = IN_MID, env.stack[110] = at(120), env.stack[111] = IN_OUTER;
	assert_is(f, UNWIND_LEAF_UNSURE);
	f = stopped(LEAF + 0x20, 20, 20);
	/* int3 before a function tells that it begins there */
	PUT(LEAF - 2, 0xcc, 0xcc);
	assert_bare(f, 20, 40);
	/* what is no code is no return address */
	PUT(LEAF - 2, 0x90, 0x90);
	env.stack[20] = STACK;
	assert_is(f, UNWIND_LEAF_OF_RECORD);
	/* without a record at rbp the walk ends */
	f = stopped(LEAF + 0x20, 20, 20);
	f.bp = at(10);
	assert_is(f, UNWIND_LEAF_OF_RECORD);
}

/* --- calls ------------------------------------------------------------------------------------------ */

TEST(test_instructions_that_call)
{
	static const struct {
		uint8_t bytes[8];
		enum unwind_call call;
	} cases[] = {
		{{0, 0, 0, 0xe8, 1, 0, 0, 0}, UNWIND_CALL_DIRECT},
		{{0, 0, 0, 0, 0, 0, 0xff, 0xd0}, UNWIND_CALL_POINTER},	  /* *%rax */
		{{0, 0, 0, 0, 0, 0x41, 0xff, 0xd4}, UNWIND_CALL_POINTER}, /* *%r12 */
		{{0, 0, 0, 0, 0, 0, 0xff, 0x10}, UNWIND_CALL_POINTER},	  /* *(%rax) */
		{{0, 0, 0, 0, 0, 0xff, 0x50, 8}, UNWIND_CALL_POINTER},	  /* *8(%rax) */
		{{0, 0, 0, 0, 0, 0xff, 0x14, 0xc8}, UNWIND_CALL_POINTER}, /* *(%rax,%rcx,8) */
		{{0, 0, 0, 0, 0xff, 0x54, 0x24, 8}, UNWIND_CALL_POINTER}, /* *8(%rsp) */
		{{0, 0, 0xff, 0x15, 1, 2, 3, 4}, UNWIND_CALL_POINTER},	  /* *DISP(%rip) */
		{{0, 0, 0xff, 0x90, 1, 2, 3, 4}, UNWIND_CALL_POINTER},	  /* *DISP(%rax) */
		{{0, 0xff, 0x94, 0x24, 1, 2, 3, 4}, UNWIND_CALL_POINTER}, /* *DISP(%rsp) */
		{{0, 0, 0, 0, 0, 0, 0xff, 0xe0}, UNWIND_CALL_NONE},	  /* jmp *%rax */
		{{0, 0, 0, 0, 0, 0, 0xff, 0x50}, UNWIND_CALL_NONE},	  /* cut */
		{{0, 0, 0, 0, 0, 0, 0xff, 0x15}, UNWIND_CALL_NONE},
		{{0}, UNWIND_CALL_NONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t bytes, target = 0;

		memcpy(&bytes, cases[i].bytes, 8);
		assert_int_equal(unwind_call_ends(bytes, CODE, (__u64 *)&target), cases[i].call);
		assert_int_equal(target, cases[i].call == UNWIND_CALL_DIRECT ? CODE + 1 : 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(test_a_leaf_that_was_called_by_its_name),
		T(test_a_leaf_that_has_pushed_registers),
		T(test_a_leaf_that_has_reserved_room),
		T(test_prologues),
		T(test_returns),
		T(test_a_prologue_with_something_between),
		T(test_a_leaf_that_is_called_through_a_stub),
		T(test_a_leaf_that_is_called_through_a_jump),
		T(test_a_leaf_that_was_called_by_pointer),
		T(test_callers_without_records),
		T(test_a_leaf_with_much_room),
		T(test_a_function_with_much_room_and_a_record),
		T(test_room_that_ends_nowhere),
		T(test_a_function_that_was_called_by_its_name_has_its_record),
		T(test_a_record_that_fits_its_function),
		T(test_where_nothing_tells),
		T(test_instructions_that_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
