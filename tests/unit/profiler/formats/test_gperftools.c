// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/base/buf.h"
#include "profiler/formats/export.h"
#include "tests/lib/profiles.h"

static void put_slots(struct buf *b, const uint64_t *slots, size_t n, size_t size, bool big_endian)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < size; k++)
			buf_char(b, (char)(slots[i] >> 8 * (big_endian ? size - 1 - k : k)));
}

#define PUT(b, size, big, ...)                                                                     \
	put_slots(b, (uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8, size, big)

static const char maps[] = "00400000-00500000 r-xp 00000000 08:01 42    /bin/app  \n"
			   "00600000-00700000 rw-p 00100000 08:01 42    /bin/app\n"
			   "nonsense\n"
			   "7f000000-7f001000 r-xp 00002000 08:01 43    /lib/lib x.so\n";

static char *imported_text(const struct buf *b)
{
	struct profile *p = NULL;
	const char *why = "";
	char *text;

	if (import_pprof(&p, b->data, b->len, &why))
		fail_msg("%s", why);
	text = print_profile(p);
	profile_free(p);
	return text;
}

static void every_word_size_and_order_is_read(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < 4; variant++) {
		size_t size = variant & 1 ? 4 : 8;
		bool big = variant & 2;
		struct buf b = {0};
		char *text;

		PUT(&b, size, big, 0, 3, 0, 10000, 0);
		PUT(&b, size, big, 2, 2, 0x400010, 0x7f000008);
		PUT(&b, size, big, 3, 1, 0x12);
		PUT(&b, size, big, 1, 2, 0x400010, 0x7f000008); /* the first again */
		PUT(&b, size, big, 0, 1, 0);
		buf_str(&b, maps);
		text = imported_text(&b);
		assert_string_equal(
			text,
			"samples/count cpu/nanoseconds [cpu] cpu/nanoseconds 10000000 0 0   \n"
			" @12{  0-ffffffffffffffff 0 0000} 3 30000000\n"
			" @400010{/bin/app  400000-500000 0 0000}"
			" @7f000007{/lib/lib x.so  7f000000-7f001000 2000 0000} 3 30000000\n");
		free(text);
		buf_release(&b);
	}
}

static void the_handlers_own_frames_are_dropped(void **state)
{
	struct buf b = {0};
	char *text;

	(void)state;
	PUT(&b, 8, false, 0, 3, 0, 1000, 0);
	for (uint64_t i = 0; i < 10; i++) /* leaf, handler, its caller, leaf again, caller */
		PUT(&b, 8, false, 1, 5, 0x400010 + i, 0x501, 0x601, 0x400010 + i, 0x400100);
	text = imported_text(&b); /* no trailer, no maps */
	for (uint64_t i = 0; i < 10; i++) {
		char want[128];

		snprintf(want, sizeof(want),
			 " @%" PRIx64 "{  0-ffffffffffffffff 0 0000}"
			 " @4000ff{  0-ffffffffffffffff 0 0000} 1 1000000\n",
			 0x400010 + i);
		assert_non_null(strstr(text, want));
	}
	assert_null(strstr(text, "@500"));
	free(text);
	buf_release(&b);
}

static void damage_is_told(void **state)
{
	struct buf b = {0};
	struct profile *p = NULL;
	const char *why = "";

	(void)state;
	PUT(&b, 8, false, 0, 3, 0, 1000, 0);
	PUT(&b, 8, false, 1, 3, 1, 2);
	assert_int_equal(import_pprof(&p, b.data, b.len, &why), -EBADMSG);
	assert_string_equal(why, "truncated gperftools profile");
	for (size_t len = 41; len < b.len; len++)
		assert_int_equal(import_pprof(&p, b.data, len, &why), -EBADMSG);
	buf_clear(&b);
	PUT(&b, 8, false, 0, 3, 0, 1000, 0);
	PUT(&b, 8, false, UINT64_MAX, 0);
	assert_int_equal(import_pprof(&p, b.data, b.len, &why), -EBADMSG);
	assert_string_equal(why, "malformed gperftools profile");
	buf_clear(&b);
	PUT(&b, 8, false, 0, 3, 0, UINT64_MAX / 2, 0); /* no such period: not this format */
	assert_int_equal(import_pprof(&p, b.data, b.len, &why), -EBADMSG);
	assert_string_equal(why, "not a pprof profile: its bytes are no protobuf message");
	assert_null(p);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_size_and_order_is_read),
		cmocka_unit_test(the_handlers_own_frames_are_dropped),
		cmocka_unit_test(damage_is_told),
	};

	return cmocka_run_group_tests_name("gperftools", tests, NULL, NULL);
}
