// SPDX-License-Identifier: GPL-2.0-or-later
/* Samples as perf writes them: registers by number, the stack with what of its room is used, and cut records. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/rootless/sample_record.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void put(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

/* The registers have the values 100, 101, ... in perf's order, which begins with ax, bx, cx, dx, si, di, bp, sp, ip. */
static void put_sample(struct buf *b, uint64_t abi, uint64_t room, uint64_t used)
{
	put(b, 10101010);
	put(b, abi);
	for (uint64_t i = 0; abi && i < UNWIND_REGS; i++)
		put(b, 100 + i);
	put(b, room);
	for (uint64_t i = 0; i < room / 8; i++)
		put(b, i);
	if (room)
		put(b, used);
}

static int parse(struct sample_record *r, const struct buf *b, size_t len)
{
	return sample_record_parse(r, bytes_of(b->data, len));
}

TEST(test_registers_and_stack)
{
	struct sample_record r;
	struct buf b = {0};

	put_sample(&b, PERF_SAMPLE_REGS_ABI_64, 64, 40);
	assert_int_equal(parse(&r, &b, b.len), 0);
	assert_int_equal(r.period_ns, 10101010);
	assert_true(r.has_regs && !r.is_compat);
	assert_int_equal(r.regs[UNWIND_RAX], 100);
	assert_int_equal(r.regs[UNWIND_RBX], 101);
	assert_int_equal(r.regs[UNWIND_RCX], 102);
	assert_int_equal(r.regs[UNWIND_RDX], 103);
	assert_int_equal(r.regs[UNWIND_RSI], 104);
	assert_int_equal(r.regs[UNWIND_RDI], 105);
	assert_int_equal(r.regs[UNWIND_RBP], 106);
	assert_int_equal(r.regs[UNWIND_RSP], 107);
	assert_int_equal(r.regs[UNWIND_RIP], 108);
	for (uint64_t i = UNWIND_R8; i <= UNWIND_R15; i++)
		assert_int_equal(r.regs[i], 109 + i - UNWIND_R8);
	assert_int_equal(r.stack_len, 40);
	assert_int_equal(r.stack[8], 1);
	buf_release(&b);
}

TEST(test_32_bit_code_and_no_registers)
{
	struct sample_record r;
	struct buf b = {0};

	put_sample(&b, PERF_SAMPLE_REGS_ABI_32, 8, 8);
	assert_int_equal(parse(&r, &b, b.len), 0);
	assert_true(r.has_regs && r.is_compat);
	buf_clear(&b);
	put_sample(&b, PERF_SAMPLE_REGS_ABI_NONE, 0, 0);
	assert_int_equal(parse(&r, &b, b.len), 0);
	assert_false(r.has_regs);
	assert_int_equal(r.stack_len, 0);
	buf_release(&b);
}

/* No byte behind the record counts, and more stack than there is room for is none. */
TEST(test_cut_records)
{
	struct sample_record r;
	struct buf b = {0};

	put_sample(&b, PERF_SAMPLE_REGS_ABI_64, 64, 1000);
	assert_int_equal(parse(&r, &b, b.len), 0);
	assert_int_equal(r.stack_len, 64);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(parse(&r, &b, len), -EBADMSG);
	buf_release(&b);
}

TEST(test_every_register_is_asked_for)
{
	assert_int_equal(__builtin_popcountll(sample_record_regs()), UNWIND_REGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_and_stack),
		cmocka_unit_test(test_32_bit_code_and_no_registers),
		cmocka_unit_test(test_cut_records),
		cmocka_unit_test(test_every_register_is_asked_for),
	};

	return cmocka_run_group_tests_name("sample_record", tests, NULL, NULL);
}
