// SPDX-License-Identifier: GPL-2.0-or-later
/* One step of the table walk, rule by rule, over a few words of stack: where it ends, and what it then knows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "bpf/unwind_core.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define STACK	0x700000ull
#define WORDS	64
#define CODE	0x400000ull /* with a table, of which all has the rule of the test */
#define JIT	0x500000ull
#define NOTHING 0x600000ull /* from here on */

struct unwind_env {
	uint64_t stack[WORDS];
	uint64_t regs[UNWIND_REGS];
	uint64_t asked_va; /* for what it is */
	uint64_t code;	   /* wherever it is read; 0: it cannot be */
	enum unwind_leaf_is leaf_is;
	struct unwind_caller caller;
	union {
		uint8_t bytes[UNWIND_PAGE];
		struct unwind_head head;
	} page;
};

UNWIND_INLINE const void *unwind_op_table(struct unwind_env *env, __u32 slot)
{
	return slot ? NULL : &env->page;
}

UNWIND_INLINE const void *unwind_op_page(const void *table, __u32 page)
{
	return page ? NULL : table;
}

UNWIND_INLINE enum unwind_in unwind_op_place(struct unwind_env *env, __u64 va,
					     struct unwind_place *place)
{
	env->asked_va = va;
	place->elf_va = va;
	if (va < CODE || va >= NOTHING)
		return UNWIND_IN_NOTHING;
	return va < JIT ? UNWIND_IN_TABLE : UNWIND_IN_JIT;
}

UNWIND_INLINE int unwind_op_read(struct unwind_env *env, __u64 addr, __u64 *value)
{
	if (addr < STACK || addr >= STACK + sizeof(env->stack))
		return -1;
	*value = env->stack[(addr - STACK) / 8];
	return 0;
}

UNWIND_INLINE int unwind_op_code(struct unwind_env *env, __u64 va, __u64 *value)
{
	env->asked_va = va;
	*value = env->code;
	return env->code ? 0 : -1;
}

UNWIND_INLINE enum unwind_leaf_is
unwind_op_leaf(struct unwind_env *env, const struct unwind_frame *f, struct unwind_caller *caller)
{
	(void)f;
	*caller = env->caller;
	return env->leaf_is;
}

UNWIND_INLINE int unwind_op_read_near(struct unwind_env *env, __u64 addr, __u64 *value)
{
	return unwind_op_read(env, addr, value);
}

UNWIND_INLINE __u64 unwind_op_reg(struct unwind_env *env, __u32 reg)
{
	return env->regs[reg];
}

UNWIND_INLINE __u32 unwind_op_word(const struct unwind_env *env)
{
	return sizeof(env->stack[0]);
}

UNWIND_INLINE int unwind_op_step_rule(struct unwind_env *env, struct unwind_frame *f,
				      struct unwind_rule rule)
{
	return unwind_step_rule(env, f, rule);
}

static struct unwind_env env;

/* Everything in the code has this rule. */
static void set_rule(struct unwind_rule rule)
{
	env.page.head = (struct unwind_head){
		.text_va = CODE, .n_buckets = 1, .n_rules = 1, .index_off = 128, .rows_off = 192};
	memcpy(env.page.bytes + sizeof(struct unwind_head), &rule, sizeof(rule));
}

/* The stack holds return addresses everywhere. */
static int setup(void **state)
{
	(void)state;
	memset(&env, 0, sizeof(env));
	for (int i = 0; i < WORDS; i++)
		env.stack[i] = CODE + 0x10;
	return 0;
}

static struct unwind_frame frame_at(uint64_t pc)
{
	return (struct unwind_frame){.pc = pc, .sp = STACK + 64, .bp = STACK + 128, .exact = 1};
}

static struct unwind_rule rsp(int off)
{
	return (struct unwind_rule){.cfa = UNWIND_CFA_RSP, .cfa_off = off};
}

/* --- what does not move up ------------------------------------------------------------------------ */

TEST(test_a_frame_at_an_equal_sp_is_a_loop)
{
	static const struct {
		int off, end;
	} cases[] = {{8, UNWIND_ON}, {0, UNWIND_END_LOOP}, {-8, UNWIND_END_LOOP}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct unwind_frame usual = frame_at(CODE), other = usual;

		set_rule(rsp(cases[i].off));
		assert_int_equal(unwind_step(&env, &usual), cases[i].end);
		assert_int_equal(unwind_step_rule(&env, &other, rsp(cases[i].off)), cases[i].end);
	}
}

/* vfork() has popped its return address; one that goes down is a loop nevertheless. */
TEST(test_a_return_address_in_a_register_may_leave_sp_where_it_is)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_RSP, .bp = UNWIND_RDI << 4};
	struct unwind_frame f = frame_at(CODE);

	env.regs[UNWIND_RDI] = CODE + 0x20;
	assert_int_equal(unwind_step_rule(&env, &f, rule), UNWIND_ON);
	assert_int_equal(f.pc, CODE + 0x20);
	assert_int_equal(f.sp, STACK + 64);
	f = frame_at(CODE);
	rule.cfa_off = -8;
	assert_int_equal(unwind_step_rule(&env, &f, rule), UNWIND_END_LOOP);
}

TEST(test_so_many_jumps_are_taken_on_trust)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_FP};
	struct unwind_frame f = frame_at(CODE);

	/* a record that leads back to itself */
	env.stack[0] = f.bp = STACK;
	for (int i = 0; i < UNWIND_JUMPS_MAX; i++)
		assert_int_equal(unwind_step_rule(&env, &f, rule), UNWIND_ON);
	assert_int_equal(unwind_step_rule(&env, &f, rule), UNWIND_END_LOOP);
}

/* --- frame records -------------------------------------------------------------------------------- */

TEST(test_records_of_generated_code)
{
	struct unwind_frame f = frame_at(JIT);

	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(f.sp, STACK + 128 + 16);
	assert_true(f.by_fp);
	/* one may be on top of the stack; below rsp is none */
	f = frame_at(JIT);
	f.bp = f.sp;
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(f.sp, STACK + 64 + 16);
	f = frame_at(JIT);
	f.bp = f.sp - 8;
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_LOOP);
	f = frame_at(JIT);
	f.bp = 0;
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_CHAIN);
}

/* Where nothing describes the code. */
TEST(test_a_record_is_believed_if_it_lies_close_and_returns_into_code)
{
	struct unwind_frame f = frame_at(CODE), before = f;

	set_rule((struct unwind_rule){.cfa = UNWIND_CFA_NONE});
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	/* the call is the last instruction of what is mapped; or it is in what is not */
	f = before;
	env.stack[17] = NOTHING;
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	f = before;
	env.stack[17] = NOTHING + 1;
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_NO_RULE);
	assert_memory_equal(&f, &before, sizeof(f));
	env.stack[17] = CODE + 0x10;
	f.bp += 4;
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_NO_RULE);
	f.bp -= 4;
	f.sp = f.bp - UNWIND_GUESS_MAX;
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_NO_RULE);
	f.sp += 8;
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
}

/* --- what is known of a frame ---------------------------------------------------------------------- */

/* Only the call tells where a caller is; registers are those of the leaf. */
TEST(test_callers_are_not_exact)
{
	struct unwind_rule by_reg = {.cfa = UNWIND_CFA_REG, .cfa_off = UNWIND_PACK(0, 3)};
	struct unwind_frame f = frame_at(CODE), caller;

	env.regs[UNWIND_RBX] = STACK + 256;
	set_rule(rsp(8));
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(env.asked_va, CODE);
	assert_int_equal(f.pc, CODE + 0x10);
	caller = f;
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(env.asked_va, CODE + 0xf);
	assert_int_equal(unwind_step_rule(&env, &caller, by_reg), UNWIND_END_SLOW);
	f = frame_at(CODE);
	assert_int_equal(unwind_step_rule(&env, &f, by_reg), UNWIND_ON);
	assert_int_equal(f.sp, STACK + 256);
}

/* sigcontext of x86-64: rbp, rsp and rip are its words 10, 15 and 16; rbx is 11. */
TEST(test_behind_a_signal_frame_all_registers_are_known)
{
	struct unwind_rule by_reg = {.cfa = UNWIND_CFA_REG, .cfa_off = UNWIND_PACK(0, 3)};
	struct unwind_rule signal = {.cfa = UNWIND_CFA_SIGNAL, .cfa_off = 16};
	struct unwind_frame f = frame_at(CODE);
	uint64_t *context = &env.stack[(64 + 16) / 8];

	context[10] = STACK + 8;
	context[15] = STACK; /* below: the handler ran on another stack */
	context[16] = CODE + 0x40;
	context[11] = STACK + 400;
	assert_int_equal(unwind_step_rule(&env, &f, signal), UNWIND_ON);
	assert_int_equal(f.pc, CODE + 0x40);
	assert_int_equal(f.sp, STACK);
	assert_int_equal(f.bp, STACK + 8);
	assert_true(f.exact && f.at_start);
	assert_int_equal(unwind_call_va(&f), CODE + 0x40);
	assert_int_equal(unwind_step_rule(&env, &f, by_reg), UNWIND_ON);
	assert_int_equal(f.sp, STACK + 400);
	assert_false(f.exact || f.at_start);
}

TEST(test_a_return_address_of_zero_is_no_root)
{
	struct unwind_frame f = frame_at(CODE);

	env.stack[8] = 0;
	set_rule(rsp(8));
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_ZERO);
	f = frame_at(CODE);
	set_rule((struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_ROOT);
	assert_false(f.at_start);
	set_rule((struct unwind_rule){.cfa = UNWIND_CFA_ROOT, .cfa_off = 1});
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_ROOT);
	assert_true(f.at_start);
	set_rule((struct unwind_rule){.cfa = UNWIND_CFA_SLOW}); /* this one may begin anywhere */
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_SLOW);
	assert_false(f.at_start);
	set_rule((struct unwind_rule){.cfa = UNWIND_CFA_STOP});
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_CHAIN);
}

/* --- rules ---------------------------------------------------------------------------------------- */

/* A stub of the PLT pushes at a fixed offset: before it the frame has one word less. */
TEST(test_stubs_of_the_plt)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_PLT, .cfa_off = UNWIND_PACK(8, 11)};

	for (uint64_t at = 0; at < 16; at++) {
		struct unwind_frame f = frame_at(CODE + 0x20 + at);

		assert_int_equal(unwind_step_rule(&env, &f, rule), UNWIND_ON);
		assert_int_equal(f.sp, STACK + 64 + (at >= 11 ? 16 : 8));
	}
}

/* The caller's rbp is below the frame, at rbp or rsp, in another register, or still in its own. */
TEST(test_places_of_the_callers_rbp)
{
	static const struct {
		uint8_t kind;
		int16_t off;
		uint64_t want; /* a word of the stack, or a register's value */
	} cases[] = {{UNWIND_BP_SAME, 0, STACK + 128},
		     {UNWIND_BP_AT_CFA, -16, 1000 + 64 / 8},
		     {UNWIND_BP_AT_BP, 8, 1000 + 136 / 8},
		     {UNWIND_BP_AT_SP, 24, 1000 + 88 / 8},
		     {UNWIND_BP_IN_REG, 12, 500}};

	for (uint64_t i = 0; i < WORDS; i++)
		env.stack[i] = 1000 + i;
	env.regs[12] = 500;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct unwind_frame f = frame_at(CODE);

		set_rule((struct unwind_rule){.cfa = UNWIND_CFA_RSP,
					      .cfa_off = 16,
					      .bp = cases[i].kind,
					      .bp_off = cases[i].off});
		assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
		assert_int_equal(f.bp, cases[i].want);
		assert_int_equal(f.pc, 1000 + 72 / 8);
	}
}

/* The frame's address is a word of the stack, at rsp or rbp or by an index, and more. */
TEST(test_frame_addresses_in_memory)
{
	static const struct {
		uint8_t cfa;
		int32_t off;
		uint64_t sp;
	} cases[] = {{UNWIND_CFA_DEREF_RSP, UNWIND_PACK(8, 16), STACK + 200 + 16},
		     {UNWIND_CFA_DEREF_RBP, UNWIND_PACK(-8, 32), STACK + 240 + 32},
		     {UNWIND_CFA_DEREF_IDX, UNWIND_PACK(16, 3), STACK + 280 + 8}};

	env.stack[(64 + 8) / 8] = STACK + 200;
	env.stack[(128 - 8) / 8] = STACK + 240;
	env.stack[(64 + 16) / 8 + 6] = STACK + 280;
	env.regs[UNWIND_RBX] = 6;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct unwind_rule rule = {.cfa = cases[i].cfa, .cfa_off = cases[i].off};
		struct unwind_frame f = frame_at(CODE);

		assert_int_equal(unwind_step_rule(&env, &f, rule), UNWIND_ON);
		assert_int_equal(f.sp, cases[i].sp);
	}
}

/* A row of pushes: those before the address count, and beyond its reach all of them. */
TEST(test_rows_of_pushes_and_pops)
{
	for (uint32_t into = 0; into < UNWIND_BUCKET; into++) {
		struct unwind_rule push = {.cfa = UNWIND_CFA_RSP_PUSH,
					   .cfa_off = UNWIND_PACK(16, 0x8b)};
		struct unwind_rule pop = {.cfa = UNWIND_CFA_RSP_POP,
					  .cfa_off = UNWIND_PACK(64, 0x8b)};
		int words = (into > 0) + (into > 1) + (into > 3) + (into > 7);

		unwind_split_rule(&push, into);
		unwind_split_rule(&pop, into);
		assert_int_equal(push.cfa, UNWIND_CFA_RSP);
		assert_int_equal(push.cfa_off, 16 + 8 * words);
		assert_int_equal(pop.cfa_off, 64 - 8 * words);
	}
}

/* The kernel makes these calls at their first instruction, in the leaf alone. */
TEST(test_the_page_of_old_system_calls)
{
	struct unwind_frame f = frame_at(UNWIND_VSYSCALL + UNWIND_VSYSCALL_STEP);

	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(f.sp, STACK + 64 + 8);
	f = frame_at(UNWIND_VSYSCALL + UNWIND_VSYSCALL_STEP + 1);
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_NO_MAPPING);
	f = frame_at(UNWIND_VSYSCALL);
	f.exact = 0;
	assert_int_equal(unwind_step(&env, &f), UNWIND_END_NO_MAPPING);
}

/* --- code made at run time ------------------------------------------------------------------------- */

/* add $N, %rsp; ret, and what only looks like it. A frame record is at rbp, so all others go up by that. */
TEST(test_code_that_returns_at_once_tells_where_its_caller_is)
{
	static const struct {
		uint64_t code;
		uint64_t up; /* from sp; 0: by the frame record */
	} cases[] = {
		{0xc308c48348, 16}, {0xffffffc308c48348, 16}, {0xc378c48348, 0x80},
		{0xc300c48348, 8},  {0xc380c48348, 0},	      {0xc3f8c48348, 0},
		{0xc30cc48348, 0},  {0x9008c48348, 0},	      {0xc308ec8348, 0},
		{0xc308c48349, 0},  {0xc308c58348, 0},	      {0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct unwind_frame f = frame_at(JIT + 16);

		f.exact = 0;
		env.code = cases[i].code;
		env.stack[16] = STACK + 0x1000; /* at bp */
		assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
		assert_int_equal(f.sp, cases[i].up ? STACK + 64 + cases[i].up : STACK + 128 + 16);
		assert_int_equal(f.bp, cases[i].up ? STACK + 128 : STACK + 0x1000);
		assert_int_equal(f.by_fp, !cases[i].up);
	}
}

/* Where execution is, the frame may not be made yet. */
TEST(test_code_in_its_middle_returns_by_its_frame_record)
{
	struct unwind_frame f = frame_at(JIT + 16);

	env.code = 0xc308c48348;
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_true(f.by_fp);
}

/* --- leaves that nothing describes ------------------------------------------------------------------ */

TEST(test_a_bare_leaf_leads_to_its_caller)
{
	static const uint64_t places[] = {JIT + 16, CODE};

	set_rule((struct unwind_rule){.cfa = UNWIND_CFA_NONE});
	env.leaf_is = UNWIND_LEAF_BARE;
	env.caller = (struct unwind_caller){CODE + 0x30, STACK + 72, STACK + 256};
	for (int i = 0; i < 2; i++) {
		struct unwind_frame f = frame_at(places[i]);

		assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
		assert_int_equal(f.pc, CODE + 0x30);
		assert_int_equal(f.sp, STACK + 72);
		assert_int_equal(f.bp, STACK + 256);
		assert_true(f.by_fp && !f.unsure && !f.exact);
		/* its caller is none */
		assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
		assert_int_equal(f.sp, STACK + 256 + 16);
	}
	env.caller.cfa = STACK + 64;
	assert_int_equal(unwind_step(&env, &(struct unwind_frame){JIT, STACK + 64, 0, .exact = 1}),
			 UNWIND_END_LOOP);
}

TEST(test_a_root_that_is_reached_from_a_leaf_in_doubt_is_no_complete_stack)
{
	struct unwind_frame f = frame_at(JIT + 16);

	env.leaf_is = UNWIND_LEAF_UNSURE;
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(f.sp, STACK + 128 + 16);
	assert_true(f.unsure);
	assert_int_equal(unwind_end_of(&f, UNWIND_ON), UNWIND_ON);
	assert_int_equal(unwind_end_of(&f, UNWIND_END_CHAIN), UNWIND_END_CHAIN);
	assert_int_equal(unwind_end_of(&f, UNWIND_END_ROOT), UNWIND_END_LEAF);
	/* its caller is known, and that one's is not */
	env.leaf_is = UNWIND_LEAF_BOTH_BARE;
	env.caller = (struct unwind_caller){CODE + 0x30, STACK + 72, STACK + 256};
	f = frame_at(JIT + 16);
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_int_equal(f.pc, CODE + 0x30);
	assert_true(f.unsure);
	env.leaf_is = UNWIND_LEAF_OF_RECORD;
	f = frame_at(JIT + 16);
	assert_int_equal(unwind_step(&env, &f), UNWIND_ON);
	assert_false(f.unsure);
	assert_int_equal(unwind_end_of(&f, UNWIND_END_ROOT), UNWIND_END_ROOT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(test_a_frame_at_an_equal_sp_is_a_loop),
		T(test_a_return_address_in_a_register_may_leave_sp_where_it_is),
		T(test_so_many_jumps_are_taken_on_trust),
		T(test_records_of_generated_code),
		T(test_a_record_is_believed_if_it_lies_close_and_returns_into_code),
		T(test_callers_are_not_exact),
		T(test_behind_a_signal_frame_all_registers_are_known),
		T(test_a_return_address_of_zero_is_no_root),
		T(test_stubs_of_the_plt),
		T(test_places_of_the_callers_rbp),
		T(test_frame_addresses_in_memory),
		T(test_rows_of_pushes_and_pops),
		T(test_the_page_of_old_system_calls),
		T(test_code_that_returns_at_once_tells_where_its_caller_is),
		T(test_code_in_its_middle_returns_by_its_frame_record),
		T(test_a_bare_leaf_leads_to_its_caller),
		T(test_a_root_that_is_reached_from_a_leaf_in_doubt_is_no_complete_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
