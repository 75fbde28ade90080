// SPDX-License-Identifier: GPL-2.0-or-later
/* The vectors of RFC 4648, 10, and what is no base64. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/base/base64.h"

static void assert_decodes(const char *text, const char *wanted, size_t len)
{
	struct buf b = {0};

	buf_str(&b, "before");
	assert_int_equal(base64_decode(&b, text, strlen(text)), 0);
	assert_int_equal(b.len, 6 + len);
	assert_memory_equal(b.data + 6, wanted, len);
	buf_release(&b);
}

static void there_and_back(void **state)
{
	static const char *const texts[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", "+/+/", "////"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct buf bytes = {0}, text = {0};

		assert_int_equal(base64_decode(&bytes, texts[i], strlen(texts[i])), 0);
		base64_encode(&text, bytes.data, bytes.len);
		assert_string_equal(buf_cstr(&text), texts[i]);
		buf_release(&bytes);
		buf_release(&text);
	}
}

static void published_vectors(void **state)
{
	(void)state;
	assert_decodes("", "", 0);
	assert_decodes("Zg==", "f", 1);
	assert_decodes("Zm8=", "fo", 2);
	assert_decodes("Zm9v", "foo", 3);
	assert_decodes("Zm9vYg==", "foob", 4);
	assert_decodes("Zm9vYmE=", "fooba", 5);
	assert_decodes("Zm9vYmFy", "foobar", 6);
}

static void padding_may_be_left_out(void **state)
{
	(void)state;
	assert_decodes("Zg", "f", 1);
	assert_decodes("Zm9vYmE", "fooba", 5);
}

static void all_digits(void **state)
{
	(void)state;
	assert_decodes("+/+/", "\xfb\xff\xbf", 3);
	assert_decodes("AAAA", "\0\0\0", 3);
	assert_decodes("////", "\xff\xff\xff", 3);
}

static void what_is_none(void **state)
{
	static const char *const texts[] = {"Z",    "Zm9vY", "=",    "==",   "====",  "Z===",
					    "Zg=a", "Zm 9",  "Zm-_", "Zg\n", "Zm9v=", "Zg==Zg=="};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct buf b = {0};

		assert_int_equal(base64_decode(&b, texts[i], strlen(texts[i])), -EBADMSG);
		assert_int_equal(b.len, 0);
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(padding_may_be_left_out),
		cmocka_unit_test(all_digits),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
