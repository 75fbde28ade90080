// SPDX-License-Identifier: GPL-2.0-or-later
/* Cleaning of foreign text: what is clean by the rules of text.h, wherever it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Cleaning looks at eight bytes at a time: each byte in each place of them, among others. */
static void every_byte_everywhere(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < 19; at++) {
			char text[19], want[32] = "";
			struct buf b = {0};

			memset(text, '~', sizeof(text));
			memset(text, ' ', at);
			text[at] = (char)byte;
			memcpy(want, text, at);
			if (byte >= 0x20 && byte < 0x7f)
				want[at] = (char)byte;
			else
				strcpy(want + at, REPLACEMENT);
			memset(want + strlen(want), '~', sizeof(text) - at - 1);
			text_add_clean(&b, text, sizeof(text));
			assert_string_equal(buf_cstr(&b), want);
			assert_int_equal(text_is_clean(text, sizeof(text)),
					 byte >= 0x20 && byte < 0x7f);
			buf_release(&b);
		}
	}
}

static void sequences_across_words(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"1234567\xc3\xa4"
		 "12345678",
		 "1234567\xc3\xa4"
		 "12345678"},
		{"1234567\xe2\x80\xae"
		 "1",
		 "1234567" REPLACEMENT "1"},
		{"12345678\xc2\x85", "12345678" REPLACEMENT},
		{"foo\u200b", "foo\\u200b"},
		{"12345678\u200d", "12345678\\u200d"},
		{"fo\u00ado\u2060", "fo\\u00ado\\u2060"},
		{"\U000e0041 \u3164", "\\U000e0041 \\u3164"},
		{"\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
		 "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"},
		{"\u2764\ufe0f \ufe0f", "\u2764\ufe0f \\ufe0f"},
		{"\u202e\u200d", REPLACEMENT "\\u200d"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = {0};

		text_add_clean(&b, cases[i].in, strlen(cases[i].in));
		assert_string_equal(buf_cstr(&b), cases[i].want);
		buf_release(&b);
	}
}

static void blank_texts(void **state)
{
	(void)state;
	assert_true(text_is_blank(""));
	assert_true(text_is_blank(" "));
	assert_true(text_is_blank(" \u00a0\u3000"));
	assert_false(text_is_blank(" x"));
	assert_false(text_is_blank("\u3001"));
	assert_false(text_is_blank("\xe3\x80"));
}

/* Into what room there is, and where there is too little, by one byte too. */
static void printing_grows(void **state)
{
	(void)state;
	for (int n = 0; n < 70; n++) {
		char want[160];
		struct buf b = {0};

		buf_printf(&b, "%*d", n, 1);
		buf_printf(&b, "<%*d>", n, 2);
		snprintf(want, sizeof(want), "%*d<%*d>", n, 1, n, 2);
		assert_string_equal(buf_cstr(&b), want);
		assert_int_equal(b.len, strlen(want));
		buf_release(&b);
	}
}

static void numbers_as_printf_has_them(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64 * 3; i++) {
		uint64_t v = (1ull << i % 64) + i / 64 - 1;
		char want[80];
		struct buf b = {0};

		buf_dec(&b, v);
		buf_char(&b, ' ');
		buf_hex(&b, v, 0);
		buf_char(&b, ' ');
		buf_hex(&b, v, 16);
		buf_char(&b, ' ');
		buf_hex(&b, v, 3);
		snprintf(want, sizeof(want), "%" PRIu64 " %" PRIx64 " %016" PRIx64 " %03" PRIx64, v,
			 v, v, v);
		assert_string_equal(buf_cstr(&b), want);
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(sequences_across_words),
		cmocka_unit_test(blank_texts),
		cmocka_unit_test(printing_grows),
		cmocka_unit_test(numbers_as_printf_has_them),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
