// SPDX-License-Identifier: GPL-2.0-or-later
/* That such programs load and run is what every recording tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <linux/bpf.h>

#include "bpf/abi.h"
#include "profiler/sampler/kernel_calls.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define CALL                                                                                       \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .imm = KILN_CALL_RDONLY_CAST                           \
	}
#define N(a) (sizeof(a) / sizeof(*(a)))

TEST(test_calls_are_replaced)
{
	struct bpf_insn insns[] = {CALL, {.code = BPF_JMP | BPF_EXIT}, CALL};

	assert_int_equal(kernel_calls_patch(insns, N(insns), 0), 2);
	assert_int_equal(insns[0].imm, KILN_CALL_RDONLY_CAST);
	assert_int_equal(kernel_calls_patch(insns, N(insns), 4711), 2);
	assert_int_equal(insns[0].src_reg, BPF_PSEUDO_KFUNC_CALL);
	assert_int_equal(insns[0].imm, 4711);
	assert_int_equal(insns[2].imm, 4711);
	assert_int_equal(insns[1].code, BPF_JMP | BPF_EXIT);
	assert_int_equal(kernel_calls_patch(insns, N(insns), 0), 0);
}

/* Other helpers, calls of other kinds, and the number as data. */
TEST(test_nothing_else_is)
{
	struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_stack},
		{.code = BPF_JMP | BPF_CALL,
		 .src_reg = BPF_PSEUDO_CALL,
		 .imm = KILN_CALL_RDONLY_CAST},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = KILN_CALL_RDONLY_CAST},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .imm = KILN_CALL_RDONLY_CAST},
		CALL, /* the second half of a constant */
	};
	struct bpf_insn before[N(insns)];

	memcpy(before, insns, sizeof(insns));
	assert_int_equal(kernel_calls_patch(insns, N(insns), 4711), 0);
	assert_memory_equal(before, insns, sizeof(insns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_are_replaced),
		cmocka_unit_test(test_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
