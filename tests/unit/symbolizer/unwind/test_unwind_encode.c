// SPDX-License-Identifier: GPL-2.0-or-later
/* The encoder against a plain array of rules by address, and the checks of what it wrote. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "symbolizer/unwind/unwind_encode.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"

#define BASE 0x401000ull

struct text {
	struct unwind_rule rule[16384]; /* by address - BASE */
	size_t len;
};

static struct text text;
static uint64_t seed;

static uint64_t rnd(uint64_t below)
{
	seed = hash_mix(seed, 1);
	return seed % below;
}

static struct unwind_rule rsp(int off)
{
	return (struct unwind_rule){.cfa = UNWIND_CFA_RSP, .cfa_off = off};
}

static void *encode(struct unwind_stats *stats, size_t *len)
{
	struct unwind_rule last = {.cfa = UNWIND_CFA_NONE};
	struct unwind_encoder *e;
	void *blob;

	*stats = (struct unwind_stats){0};
	assert_int_equal(unwind_encoder_new(&e, BASE, BASE + text.len), 0);
	for (size_t i = 0; i < text.len; i++) {
		if (memcmp(&last, &text.rule[i], sizeof(last)) != 0)
			assert_int_equal(unwind_encoder_row(e, BASE + i, text.rule[i]), 0);
		last = text.rule[i];
	}
	assert_int_equal(unwind_encoder_finish(e, &blob, len, stats), 0);
	unwind_encoder_free(e);
	assert_int_equal(unwind_blob_check(blob, *len), 0);
	assert_int_equal(*len % UNWIND_PAGE, 0);
	return blob;
}

static void assert_rule(const void *blob, uint64_t va, struct unwind_rule want)
{
	struct unwind_rule got = unwind_table_rule(blob, va);

	if (memcmp(&got, &want, sizeof(got)) != 0)
		fail_msg("%#lx: %s %d, expected %s %d", va, unwind_cfa_name(got.cfa), got.cfa_off,
			 unwind_cfa_name(want.cfa), want.cfa_off);
}

/* Encodes `text` and looks every address of it up. */
static struct unwind_stats round_trip(void)
{
	struct unwind_stats stats;
	size_t len;
	void *blob = encode(&stats, &len);

	for (size_t i = 0; i < text.len; i++)
		assert_rule(blob, BASE + i, text.rule[i]);
	assert_int_equal(unwind_table_rule(blob, BASE - 1).cfa, UNWIND_CFA_NONE);
	assert_int_equal(unwind_table_rule(blob, BASE + stats.buckets * UNWIND_BUCKET).cfa,
			 UNWIND_CFA_NONE);
	assert_int_equal(unwind_table_rule(blob, 0).cfa, UNWIND_CFA_NONE);
	assert_int_equal(unwind_table_rule(blob, UINT64_MAX).cfa, UNWIND_CFA_NONE);
	free(blob);
	return stats;
}

static void fill(size_t from, size_t to, struct unwind_rule rule)
{
	for (size_t i = from; i < to; i++)
		text.rule[i] = rule;
	if (text.len < to)
		text.len = to;
}

static void test_pushes_are_one_row(void **state)
{
	struct unwind_stats stats;

	(void)state;
	text.len = 0;
	/* push r15; push r14; push rbx; then a long body; pop; pop; pop */
	fill(0, 2, rsp(8));
	fill(2, 4, rsp(16));
	fill(4, 5, rsp(24));
	fill(5, 100, rsp(32));
	fill(100, 101, rsp(24));
	fill(101, 103, rsp(16));
	fill(103, 256, rsp(8));
	stats = round_trip();
	assert_int_equal(stats.rows, 7);
	/* +8..+32 is one row; pops need a row of their own to start from: the body's end */
	assert_int_equal(stats.rows_merged, 2);
	/* Too far apart for one mask. */
	fill(5, 20, rsp(24));
	stats = round_trip();
	assert_true(stats.rows_merged > 2);
}

/* A run that begins before a bucket ends on its border goes on as a plain rule in the next one. */
static void test_push_run_over_bucket_border(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 12; shift++) {
		text.len = 0;
		fill(0, 246 + shift, rsp(8));
		fill(246 + shift, 248 + shift, rsp(16));
		fill(248 + shift, 250 + shift, rsp(24));
		fill(250 + shift, 1024, rsp(32));
		round_trip();
	}
}

static void test_single_rule_buckets_have_no_rows(void **state)
{
	struct unwind_stats stats;

	(void)state;
	text.len = 0;
	fill(0, 10, rsp(8));
	fill(10, 256 * 40, rsp(160));
	stats = round_trip();
	assert_int_equal(stats.buckets, 40);
	assert_int_equal(stats.buckets_single, 39);
}

static void test_equal_runs_are_shared(void **state)
{
	struct unwind_stats stats;

	(void)state;
	text.len = 0;
	for (size_t b = 0; b < 32; b++) {
		fill(b * 256, b * 256 + 100, rsp(8));
		fill(b * 256 + 100, b * 256 + 256, rsp(4096));
	}
	stats = round_trip();
	assert_int_equal(stats.buckets_shared, 31);
}

/* More rules than a byte can number make some rows wide; the rarest get the high numbers. */
static void test_wide_rows(void **state)
{
	struct unwind_stats stats;

	(void)state;
	text.len = 0;
	for (size_t i = 0; i < 700; i++)
		fill(i * 20, i * 20 + 20, rsp((int)(i * 1024)));
	stats = round_trip();
	assert_int_equal(stats.rules, 701); /* and the slow one */
	assert_true(stats.buckets_wide > 0);
	assert_true(stats.buckets_wide < stats.buckets);
}

/* A row at every byte cannot be searched: such a bucket is left to user space, the next is not. */
static void test_dense_bucket_is_slow(void **state)
{
	struct unwind_stats stats;
	size_t len;
	void *blob;

	(void)state;
	text.len = 0;
	for (size_t i = 0; i < 256; i++)
		fill(i, i + 1, rsp(i % 2 ? 1000 : 5000));
	fill(256, 512, rsp(8));
	blob = encode(&stats, &len);
	assert_int_equal(stats.buckets_dense, 1);
	assert_int_equal(unwind_table_rule(blob, BASE + 17).cfa, UNWIND_CFA_SLOW);
	assert_rule(blob, BASE + 256, rsp(8));
	free(blob);
	/* 127 rows are within the search. */
	text.len = 0;
	for (size_t i = 0; i < 127; i++)
		fill(i * 2, i * 2 + 2, rsp(i % 2 ? 1000 : 5000));
	fill(254, 256, rsp(5000));
	stats = round_trip();
	assert_int_equal(stats.buckets_dense, 0);
}

static struct unwind_rule random_rule(void)
{
	struct unwind_rule r = {
		.cfa = (uint8_t)(UNWIND_CFA_RSP + rnd(2)),
		.bp = (uint8_t)rnd(2),
		.cfa_off = (int32_t)rnd(6) * 8,
	};

	if (!rnd(20))
		r = (struct unwind_rule){.cfa = (uint8_t)rnd(UNWIND_CFA_RSP)};
	if (!rnd(20))
		r.cfa_off = (int32_t)rnd(1u << 31) - (1 << 30);
	return r;
}

static void test_random_texts(void **state)
{
	(void)state;
	for (seed = 1; seed < 4000; seed = (seed & 0xfff) + 7) {
		uint64_t s = seed;
		size_t at = 0, max_run = 4 + rnd(60);

		text.len = 0;
		while (at < 4096) {
			size_t n = 3 + rnd(max_run);

			fill(at, at + n, random_rule());
			at += n;
		}
		text.len = at;
		round_trip();
		seed = s;
	}
}

static void test_pages_are_not_straddled(void **state)
{
	const struct unwind_head *head;
	struct unwind_stats stats;
	uint32_t entry, at, n;
	size_t len, runs = 0;
	void *blob;

	(void)state;
	text.len = 0;
	seed = 42;
	for (size_t i = 0; i < 16384; i += 4)
		fill(i, i + 4, rsp((int)rnd(400) * 1000));
	blob = encode(&stats, &len);
	head = blob;
	for (uint32_t i = 0; i < head->n_buckets; i++) {
		memcpy(&entry, (char *)blob + head->index_off + 4 * i, 4);
		n = UNWIND_RUN_ROWS(entry) * (UNWIND_RUN_WIDE(entry) ? 4 : 2);
		at = head->rows_off + 2 * UNWIND_RUN_START(entry);
		runs += n > 0;
		if (n)
			assert_int_equal(at / UNWIND_PAGE, (at + n - 1) / UNWIND_PAGE);
	}
	assert_true(runs > 60);
	assert_true(len > 3 * UNWIND_PAGE);
	free(blob);
}

/* ---- unwind_blob_check() ---------------------------------------------------------------------- */

static void *sample(size_t *len)
{
	struct unwind_stats stats;

	text.len = 0;
	for (size_t i = 0; i < 400; i++)
		fill(i * 10, i * 10 + 10, rsp((int)(i * 64)));
	return encode(&stats, len);
}

static void test_every_flipped_byte_is_seen(void **state)
{
	size_t len;
	uint8_t *blob = sample(&len);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		blob[i] ^= 0x40;
		assert_true(unwind_blob_check(blob, len) < 0);
		blob[i] ^= 0x40;
	}
	assert_int_equal(unwind_blob_check(blob, len), 0);
	free(blob);
}

static void test_truncated(void **state)
{
	size_t len;
	uint8_t *blob = sample(&len);

	(void)state;
	for (size_t n = 0; n < len; n += 61)
		assert_int_equal(unwind_blob_check(blob, n), -EBADMSG);
	free(blob);
}

static void test_other_version(void **state)
{
	size_t len;
	uint8_t *blob = sample(&len);

	(void)state;
	((struct unwind_head *)blob)->version++;
	assert_int_equal(unwind_blob_check(blob, len), -EPROTO);
	free(blob);
}

static void sign(uint8_t *blob, size_t len)
{
	((struct unwind_head *)blob)->check = unwind_blob_hash(blob, len);
}

/* A blob with a right hash but wrong contents: nobody writes it by accident. */
static void test_forged(void **state)
{
	size_t len;
	uint8_t *blob = sample(&len), *copy = malloc(len);
	struct unwind_head *head = (void *)copy;
	const uint32_t entries[] = {
		0xffffff,			   /* no such rule */
		0x80000000,			   /* wide, without rows */
		(uint32_t)(127u << 24) | 0xfffff0, /* outside */
		(uint32_t)(2u << 24) | 0x7ff,	   /* may cross a page, or be garbage */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		memcpy(copy, blob, len);
		memcpy(copy + head->index_off, &entries[i], 4);
		sign(copy, len);
		assert_int_equal(unwind_blob_check(copy, len), -EBADMSG);
	}
	memcpy(copy, blob, len);
	copy[sizeof(*head)] = UNWIND_CFA_COUNT;
	sign(copy, len);
	assert_int_equal(unwind_blob_check(copy, len), -EBADMSG);
	memcpy(copy, blob, len);
	copy[head->rows_off] = 7; /* the first row of a run is at 0 */
	sign(copy, len);
	assert_int_equal(unwind_blob_check(copy, len), -EBADMSG);
	memcpy(copy, blob, len);
	head->n_buckets = UINT32_MAX;
	sign(copy, len);
	assert_int_equal(unwind_blob_check(copy, len), -EBADMSG);
	free(copy);
	free(blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pushes_are_one_row),
		cmocka_unit_test(test_push_run_over_bucket_border),
		cmocka_unit_test(test_single_rule_buckets_have_no_rows),
		cmocka_unit_test(test_equal_runs_are_shared),
		cmocka_unit_test(test_wide_rows),
		cmocka_unit_test(test_dense_bucket_is_slow),
		cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_pages_are_not_straddled),
		cmocka_unit_test(test_every_flipped_byte_is_seen),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests_name("unwind_encode", tests, NULL, NULL);
}
