// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind tables from jitdumps: which code has which rule, what was replaced, and dumps that lie. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/unwind/unwind_blob.h"
#include "symbolizer/unwind/unwind_jit.h"
#include "tests/lib/jitdump_write.h"

#define START	 0x7f0000001000ull
#define CODE_LEN 20

static void *table;
static struct unwind_head head;

/* Compiles what was written. */
static int compile(struct buf *b)
{
	struct jitdump *j;
	size_t len = 0;
	int err;

	free(table);
	table = NULL;
	assert_int_equal(b->err, 0);
	assert_int_equal(jitdump_parse(&j, b->data, b->len), 0);
	err = unwind_jit_build(&table, &len, j);
	if (!err) {
		assert_int_equal(unwind_blob_check(table, len), 0);
		memcpy(&head, table, sizeof(head));
		assert_int_equal(head.jit_written, b->len);
	}
	jitdump_free(j);
	return err;
}

static void begin(struct buf *b)
{
	buf_clear(b);
	jit_header(b, 0);
}

static int teardown(void **state)
{
	(void)state;
	free(table);
	table = NULL;
	return 0;
}

static void assert_cfa(uint64_t va, int32_t off)
{
	struct unwind_rule r = unwind_table_rule(table, va);

	if (r.cfa != UNWIND_CFA_RSP || r.cfa_off != off)
		fail_msg("%#llx: %s %d, expected rsp %d", (unsigned long long)va,
			 unwind_cfa_name(r.cfa), r.cfa_off, off);
}

static void assert_none(uint64_t va)
{
	assert_int_equal(unwind_table_rule(table, va).cfa, UNWIND_CFA_NONE);
}

/* A function of CODE_LEN bytes with a frame of this size. */
static void assert_function(uint64_t start, int32_t frame)
{
	assert_none(start - 1);
	assert_cfa(start, 8);
	assert_cfa(start + 3, 8);
	assert_cfa(start + 4, 8 + frame);
	assert_cfa(start + CODE_LEN - 2, 8 + frame);
	assert_cfa(start + CODE_LEN - 1, 8);
	assert_none(start + CODE_LEN);
}

/* Code of length 20 tells multiples of 8 and of 16 apart. */
static void test_rules(void **state)
{
	struct buf b = {0};

	(void)state;
	for (uint32_t align = 8; align <= 16; align += 8) {
		begin(&b);
		jit_frames(&b, 100, CODE_LEN, align, 24);
		jit_load(&b, 101, START + 0x500, CODE_LEN, 1, "later");
		jit_load(&b, 102, START + 0x100, 0x40, 2, "silent");
		jit_frames(&b, 103, CODE_LEN, align, 8);
		jit_load(&b, 104, START, CODE_LEN, 3, "first");
		assert_int_equal(compile(&b), 0);
		assert_int_equal(head.jit_refused, 0);
		assert_function(START, 8);
		assert_function(START + 0x500, 24);
		assert_none(START + 0x100);
	}
	buf_release(&b);
}

/* What was loaded last counts, also where it says nothing; what was half overwritten is cut. */
static void test_replaced(void **state)
{
	struct buf b = {0};

	(void)state;
	begin(&b);
	jit_frames(&b, 100, CODE_LEN, 8, 8);
	jit_load(&b, 100, START, CODE_LEN, 1, "old");
	jit_frames(&b, 200, CODE_LEN, 8, 40);
	jit_load(&b, 200, START, CODE_LEN, 2, "new");
	jit_frames(&b, 300, CODE_LEN, 8, 8);
	jit_load(&b, 300, START + 0x200, CODE_LEN, 3, "replaced by a silent one");
	jit_load(&b, 400, START + 0x200, 0x40, 4, "silent");
	jit_frames(&b, 500, CODE_LEN, 8, 8);
	jit_load(&b, 500, START + 0x300, CODE_LEN, 5, "cut");
	jit_load(&b, 600, START + 0x308, 0x40, 6, "what cuts it");
	jit_frames(&b, 400, CODE_LEN, 8, 8);
	jit_load(&b, 400, START + 0x310, CODE_LEN, 7, "older than that");
	assert_int_equal(compile(&b), 0);
	assert_function(START, 40);
	assert_none(START + 0x204);
	assert_cfa(START + 0x307, 16);
	assert_none(START + 0x308);
	assert_none(START + 0x314);
	buf_release(&b);
}

static void test_moved(void **state)
{
	struct buf b = {0};

	(void)state;
	begin(&b);
	jit_frames(&b, 100, CODE_LEN, 8, 16);
	jit_load(&b, 100, START, CODE_LEN, 1, "moves");
	jit_move(&b, 200, START, START + 0x1000, CODE_LEN, 1);
	assert_int_equal(compile(&b), 0);
	assert_function(START + 0x1000, 16);
	buf_release(&b);
}

/* A record counts for the function behind it alone. */
static void test_nothing_described(void **state)
{
	struct buf b = {0};

	(void)state;
	begin(&b);
	assert_int_equal(compile(&b), -EAGAIN);
	jit_load(&b, 100, START, CODE_LEN, 1, "silent");
	assert_int_equal(compile(&b), -ENODATA);
	jit_frames(&b, 200, CODE_LEN, 8, 16);
	assert_int_equal(compile(&b), -ENODATA);
	jit_load(&b, 300, START + 0x100, CODE_LEN, 2, "described");
	jit_load(&b, 400, START + 0x200, CODE_LEN, 3, "silent, too");
	assert_int_equal(compile(&b), 0);
	assert_function(START + 0x100, 16);
	assert_none(START + 0x204);
	buf_release(&b);
}

/* The record's length, its parts' lengths, and where the code is said to be. */
static void test_lies(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		size_t len;
	} lies[] = {
		{16, UINT64_MAX, 8}, /* unwind_data_size */
		{16, 61, 8},	     /* more than there is */
		{24, 61, 8},	     /* eh_frame_hdr_size */
		{40, UINT32_MAX, 4}, /* of the CIE */
		{40 + 32, 0, 4},     /* of the code, relative to here */
		{40 + 32, 1u << 31, 4},
		{40 + 36, CODE_LEN + 1, 4}, /* its length */
		{40 + 36, UINT32_MAX, 4},
	};
	struct buf b = {0};
	size_t record;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin(&b);
		jit_frames(&b, 100, CODE_LEN, 8, 16);
		jit_load(&b, 100, START, CODE_LEN, 1, "honest");
		record = b.len;
		jit_frames(&b, 100, CODE_LEN, 8, 16);
		memcpy(b.data + record + lies[i].at, &lies[i].value, lies[i].len);
		jit_load(&b, 100, START + 0x100, CODE_LEN, 2, "liar");
		assert_int_equal(compile(&b), 0);
		assert_function(START, 16);
		if (head.jit_refused != 1)
			fail_msg("lie %zu: %u refused", i, head.jit_refused);
		assert_none(START + 0x104);
	}
	buf_release(&b);
}

/* Code that is far away, or nowhere. */
static void test_far_code(void **state)
{
	static const uint64_t far[] = {START + (256u << 20), START + (1ull << 40), 1ull << 57,
				       UINT64_MAX - 2 * CODE_LEN};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		begin(&b);
		jit_frames(&b, 100, CODE_LEN, 8, 16);
		jit_load(&b, 100, far[i], CODE_LEN, 2, "far");
		jit_frames(&b, 100, CODE_LEN, 8, 16);
		jit_load(&b, 100, START, CODE_LEN, 1, "near");
		assert_int_equal(compile(&b), 0);
		assert_function(START, 16);
		assert_int_equal(head.jit_refused, 1);
		assert_true(head.n_buckets <= (256u << 20) / UNWIND_BUCKET + 1);
	}
	buf_release(&b);
}

/* Of another processor: its registers have other numbers. */
static void test_other_machine(void **state)
{
	struct buf b = {0};

	(void)state;
	begin(&b);
	b.data[12] = 40;
	jit_frames(&b, 100, CODE_LEN, 8, 16);
	jit_load(&b, 100, START, CODE_LEN, 1, "of arm");
	assert_int_equal(compile(&b), -ENODATA);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),	      cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_moved),	      cmocka_unit_test(test_nothing_described),
		cmocka_unit_test(test_lies),	      cmocka_unit_test(test_far_code),
		cmocka_unit_test(test_other_machine),
	};

	return cmocka_run_group_tests_name("unwind_jit", tests, NULL, teardown);
}
