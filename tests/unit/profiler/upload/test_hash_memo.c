// SPDX-License-Identifier: GPL-2.0-or-later
/* What was added is found, nothing else is, and there is never more than the cap. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/upload/hash_memo.h"

static struct hash_memo_key key_of(struct hash_memo *m, uint32_t i)
{
	return hash_memo_key(m, &i, sizeof(i), "b", 1);
}

static void what_was_added_is_found(void **state)
{
	struct hash_memo m = {0};
	struct hash_memo_key key;
	uint64_t value;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		key = key_of(&m, i);
		assert_false(hash_memo_find(&m, &key, &value));
		hash_memo_add(&m, &key, i * 3);
	}
	assert_int_equal(m.len, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		key = key_of(&m, i);
		assert_true(hash_memo_find(&m, &key, &value));
		assert_int_equal(value, i * 3);
	}
	hash_memo_release(&m);
}

/* "a" and "bc" are not "ab" and "c". */
static void pieces_are_told_apart(void **state)
{
	struct hash_memo m = {0};
	struct hash_memo_key one = hash_memo_key(&m, "a", 1, "bc", 2), other;
	uint64_t value;

	(void)state;
	hash_memo_add(&m, &one, 1);
	other = hash_memo_key(&m, "ab", 2, "c", 1);
	assert_false(hash_memo_find(&m, &other, &value));
	other = hash_memo_key(&m, "bc", 2, "a", 1);
	assert_false(hash_memo_find(&m, &other, &value));
	hash_memo_release(&m);
}

static void it_is_bounded(void **state)
{
	struct hash_memo m = {0};
	struct hash_memo_key key;
	uint64_t value;

	(void)state;
	for (uint32_t i = 0; i < HASH_MEMO_MAX + 10; i++) {
		key = key_of(&m, i);
		hash_memo_add(&m, &key, i);
		assert_true(m.len <= HASH_MEMO_MAX);
		assert_true(hash_memo_find(&m, &key, &value));
		assert_int_equal(value, i);
	}
	assert_int_equal(m.forgotten, HASH_MEMO_MAX);
	assert_int_equal(m.len, 10);
	hash_memo_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found),
		cmocka_unit_test(pieces_are_told_apart),
		cmocka_unit_test(it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
