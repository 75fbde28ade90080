// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks byte by byte, read back, and what strangers may send instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clickhouse/ch_native.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* Two rows of a number, a string, and an array. */
static void put_example(struct buf *out)
{
	ch_put_block(out, 3, 2);
	ch_put_column(out, "n", CH_UINT64, false);
	ch_put_u64(out, 1);
	ch_put_u64(out, 0x0102030405060708);
	ch_put_column(out, "s", CH_STRING, false);
	ch_put_string(out, "ab", 2);
	ch_put_string(out, "", 0);
	ch_put_column(out, "a", CH_UINT32, true);
	ch_put_u64(out, 2);
	ch_put_u64(out, 3);
	ch_put_u32(out, 7);
	ch_put_u32(out, 8);
	ch_put_u32(out, 9);
}

#define EXAMPLE                                                                                    \
	"\x03\x02"                                                                                 \
	"\x01n\x06UInt64"                                                                          \
	"\x01\0\0\0\0\0\0\0"                                                                       \
	"\x08\x07\x06\x05\x04\x03\x02\x01"                                                         \
	"\x01s\x06String"                                                                          \
	"\x02"                                                                                     \
	"ab"                                                                                       \
	"\0"                                                                                       \
	"\x01"                                                                                     \
	"a\x0d"                                                                                    \
	"Array(UInt32)"                                                                            \
	"\x02\0\0\0\0\0\0\0"                                                                       \
	"\x03\0\0\0\0\0\0\0"                                                                       \
	"\x07\0\0\0\x08\0\0\0\x09\0\0\0"

TEST(blocks_have_these_bytes)
{
	struct buf b = {0};

	put_example(&b);
	assert_int_equal(b.len, sizeof(EXAMPLE) - 1);
	assert_memory_equal(b.data, EXAMPLE, sizeof(EXAMPLE) - 1);
	buf_release(&b);
}

TEST(long_strings_have_long_lengths)
{
	char text[300];
	struct buf b = {0};

	memset(text, 'x', sizeof(text));
	ch_put_string(&b, text, sizeof(text));
	assert_int_equal(b.len, 302);
	assert_memory_equal(b.data, "\xac\x02x", 3);
	buf_release(&b);
}

static int parse(struct ch_answer *a, const void *data, size_t len, struct why *why)
{
	struct buf body = {0};
	int err;

	buf_add(&body, data, len);
	*a = (struct ch_answer){0};
	err = ch_answer_parse(a, &body, why);
	assert_null(body.data);
	return err;
}

static void assert_example(const struct ch_block *b)
{
	const struct ch_column *n = ch_column(b, "n", CH_UINT64, false),
			       *s = ch_column(b, "s", CH_STRING, false),
			       *a = ch_column(b, "a", CH_UINT32, true);
	size_t len, count;

	assert_int_equal(b->n_rows, 2);
	assert_non_null(n);
	assert_non_null(s);
	assert_non_null(a);
	assert_null(ch_column(b, "a", CH_UINT32, false));
	assert_null(ch_column(b, "n", CH_INT64, false));
	assert_null(ch_column(b, "x", CH_UINT64, false));
	assert_int_equal(ch_uint(n, 1), 0x0102030405060708);
	assert_memory_equal(ch_text(s, 0, &len), "ab", 2);
	assert_int_equal(len, 2);
	ch_text(s, 1, &len);
	assert_int_equal(len, 0);
	assert_int_equal(ch_array(a, 0, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(ch_array(a, 1, &count), 2);
	assert_int_equal(count, 1);
	assert_int_equal(ch_uint(a, 2), 9);
}

TEST(answers_are_read)
{
	struct ch_answer a;
	struct why why;

	/* Two blocks, one after the other. */
	assert_int_equal(parse(&a, EXAMPLE EXAMPLE, 2 * sizeof(EXAMPLE) - 2, &why), 0);
	assert_int_equal(a.blocks.len, 2);
	assert_int_equal(a.n_rows, 4);
	assert_example(&a.blocks.data[0]);
	assert_example(&a.blocks.data[1]);
	ch_answer_release(&a);
	assert_int_equal(parse(&a, "", 0, &why), 0);
	assert_int_equal(a.n_rows, 0);
	ch_answer_release(&a);
}

TEST(an_answer_that_is_cut_is_none)
{
	struct ch_answer a;
	struct why why;

	for (size_t len = 1; len < sizeof(EXAMPLE) - 1; len++) {
		assert_int_equal(parse(&a, EXAMPLE, len, &why), -EBADMSG);
		ch_answer_release(&a);
	}
}

static void assert_refused(const void *data, size_t len, const char *part)
{
	struct ch_answer a;
	struct why why = {""};

	assert_int_equal(parse(&a, data, len, &why), -EBADMSG);
	if (!strstr(why.text, part))
		fail_msg("\"%s\" is not in: %s", part, why.text);
	ch_answer_release(&a);
}

#define REFUSED(bytes, part) assert_refused(bytes, sizeof(bytes) - 1, part)

TEST(answers_of_strangers)
{
	REFUSED("<html><body>It works!</body></html>", "cut off");
	REFUSED("\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01n\x06UInt64", "cut off");
	REFUSED("\x01\x02\x01n\x06UInt64\x01\0\0\0\0\0\0\0", "cut off");
	REFUSED("\0\x05", "cut off");
	REFUSED("\x7f\x01", "cut off");
	REFUSED("\x01\x01\x01s\x06String\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "cut off");
	/* Ends that go back, and beyond the end. */
	REFUSED("\x01\x02\x01"
		"a\x0c"
		"Array(UInt8)\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x02",
		"cut off");
	REFUSED("\x01\x01\x01"
		"a\x0c"
		"Array(UInt8)\xff\xff\xff\xff\xff\xff\xff\xff",
		"cut off");
	REFUSED("\x01\x01\x01n\x10Nullable(UInt64)\0\0\0\0\0\0\0\0\0", "type Nullable(UInt64)");
	REFUSED("\x01\x01\x01n\x06Tu\x1ble)\0\0\0", "type Tu\xef\xbf\xbdle)");
}

static void assert_bounded(const char *block, size_t len, size_t n_blocks, bool is_good)
{
	struct buf b = {0};
	struct ch_answer a = {0};
	struct why why = {""};

	for (size_t i = 0; i < n_blocks; i++)
		buf_add(&b, block, len);
	assert_int_equal(ch_answer_parse(&a, &b, &why), is_good ? 0 : -EBADMSG);
	if (!is_good)
		assert_string_equal(why.text, "the answer has too many blocks");
	assert_true(a.blocks.len <= CH_MAX_BLOCKS);
	ch_answer_release(&a);
}

/* Two bytes each, or eight for a column: a few MB of them, which are nothing compressed, would fill the memory. */
TEST(empty_blocks_are_bounded)
{
	static const char no_columns[] = "\0\0", column[] = "\x01\0\x01n\x05UInt8";
	struct buf wide = {0};

	assert_bounded(no_columns, 2, CH_MAX_BLOCKS, true);
	assert_bounded(no_columns, 2, 1 << 20, false);
	assert_bounded(column, sizeof(column) - 1, CH_MAX_BLOCKS, true);
	ch_put_block(&wide, CH_MAX_COLUMNS, 0);
	for (int i = 0; i < CH_MAX_COLUMNS; i++)
		buf_add(&wide, column + 2, sizeof(column) - 3);
	assert_bounded((const char *)wide.data, wide.len, 2000, true);
	assert_bounded((const char *)wide.data, wide.len, 8000, false);
	buf_release(&wide);
}

TEST(zones_do_not_matter)
{
	static const char bytes[] = "\x01\x01\x01t\x19"
				    "DateTime('Europe/Berlin')\x10\x20\x30\x40";
	struct ch_answer a;
	struct why why;

	assert_int_equal(parse(&a, bytes, sizeof(bytes) - 1, &why), 0);
	assert_int_equal(ch_uint(ch_column(&a.blocks.data[0], "t", CH_DATETIME, false), 0),
			 0x40302010);
	ch_answer_release(&a);
}

#define LOW                                                                                        \
	"\x01\x03\x01l\x16LowCardinality(String)"                                                  \
	"\x01\0\0\0\0\0\0\0"                                                                       \
	"\x01\x06\0\0\0\0\0\0"                                                                     \
	"\x02\0\0\0\0\0\0\0"                                                                       \
	"\0\x02xy"                                                                                 \
	"\x03\0\0\0\0\0\0\0"
#define INDICES "\x01\0\0\0\x01\0"

TEST(strings_of_few_values)
{
	struct ch_answer a;
	const struct ch_column *c;
	struct why why;
	size_t len;

	assert_int_equal(parse(&a, LOW INDICES, sizeof(LOW INDICES) - 1, &why), 0);
	c = ch_column(&a.blocks.data[0], "l", CH_STRING, false);
	assert_non_null(c);
	assert_int_equal(c->n, 3);
	assert_memory_equal(ch_text(c, 2, &len), "xy", 2);
	assert_int_equal(len, 2);
	ch_text(c, 1, &len);
	assert_int_equal(len, 0);
	ch_answer_release(&a);
	for (size_t n = 1; n < sizeof(LOW INDICES) - 1; n++) {
		assert_int_equal(parse(&a, LOW INDICES, n, &why), -EBADMSG);
		ch_answer_release(&a);
	}
	/* An index beyond the keys. */
	REFUSED(LOW "\x01\0\x02\0\x01\0", "cut off");
	/* No rows, and no data then. */
	assert_int_equal(parse(&a, "\x01\0\x01l\x16LowCardinality(String)", 27, &why), 0);
	ch_answer_release(&a);
}

TEST(numbers_keep_their_signs)
{
	static const char bytes[] = "\x04\x01\x01"
				    "a\x04"
				    "Int8\xff\x01"
				    "b\x05Int64\xfe\xff\xff\xff\xff\xff\xff\xff\x01"
				    "c\x07"
				    "Float64\0\0\0\0\0\0\xf8\x3f\x01"
				    "d\x07"
				    "Float64\0\0\0\0\0\0\xf0\x7f";
	struct ch_answer a;
	const struct ch_block *b;
	struct why why;

	assert_int_equal(parse(&a, bytes, sizeof(bytes) - 1, &why), 0);
	b = &a.blocks.data[0];
	assert_int_equal(ch_int(ch_column(b, "a", CH_INT8, false), 0), -1);
	assert_int_equal(ch_int(ch_column(b, "b", CH_INT64, false), 0), -2);
	assert_true(ch_double(ch_column(b, "c", CH_FLOAT64, false), 0) == 1.5);
	assert_int_equal(ch_int(ch_column(b, "c", CH_FLOAT64, false), 0), 1);
	assert_int_equal(ch_int(ch_column(b, "d", CH_FLOAT64, false), 0), INT64_MAX);
	ch_answer_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_have_these_bytes),
		cmocka_unit_test(long_strings_have_long_lengths),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(an_answer_that_is_cut_is_none),
		cmocka_unit_test(answers_of_strangers),
		cmocka_unit_test(empty_blocks_are_bounded),
		cmocka_unit_test(zones_do_not_matter),
		cmocka_unit_test(strings_of_few_values),
		cmocka_unit_test(numbers_keep_their_signs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
