// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames of gRPC, and the names of its statuses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "proto/grpc.h"

static void frames_are_as_the_protocol_says(void **state)
{
	static const uint8_t want[] = {0, 0, 0, 0, 2, 'h', 'i', 1, 0, 0, 1, 0};
	char body[256] = {0};
	struct buf b = {0};

	(void)state;
	grpc_frame(&b, "hi", 2, false);
	grpc_frame(&b, body, sizeof(body), true);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.len, 7 + 5 + sizeof(body));
	assert_memory_equal(b.data, want, sizeof(want));
	buf_release(&b);
}

static void messages_come_back_in_order(void **state)
{
	struct bytes in, m;
	struct buf b = {0};

	(void)state;
	grpc_frame(&b, "one", 3, false);
	grpc_frame(&b, NULL, 0, false);
	grpc_frame(&b, "three", 5, false);
	in = bytes_of(b.data, b.len);
	assert_true(grpc_unframe(&in, &m));
	assert_int_equal(bytes_left(&m), 3);
	assert_memory_equal(m.p, "one", 3);
	assert_true(grpc_unframe(&in, &m));
	assert_int_equal(bytes_left(&m), 0);
	assert_true(grpc_unframe(&in, &m));
	assert_memory_equal(m.p, "three", 5);
	assert_false(grpc_unframe(&in, &m));
	assert_false(in.bad);
	buf_release(&b);
}

/* Each copy is as long as it says, so that a sanitizer sees a read behind it. */
static void assert_refused(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ?: 1);
	struct bytes in, m;

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = data[i];
	in = bytes_of(copy, len);
	assert_false(grpc_unframe(&in, &m));
	assert_true(in.bad);
	free(copy);
}

static void what_is_cut_off_or_compressed_is_refused(void **state)
{
	static const uint8_t whole[] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};
	static const uint8_t huge[] = {0, 0xff, 0xff, 0xff, 0xff, 'a'};
	static const uint8_t packed[] = {1, 0, 0, 0, 1, 'a'};
	static const uint8_t trailer[] = {0x80, 0, 0, 0, 1, 'a'}; /* gRPC-Web's */
	struct bytes in = bytes_of(whole, sizeof(whole)), m;

	(void)state;
	assert_true(grpc_unframe(&in, &m));
	for (size_t len = 1; len < sizeof(whole); len++)
		assert_refused(whole, len);
	assert_refused(huge, sizeof(huge));
	assert_refused(packed, sizeof(packed));
	assert_refused(trailer, sizeof(trailer));
}

static void statuses_have_names(void **state)
{
	(void)state;
	for (int i = 0; i <= 16; i++) {
		assert_non_null(grpc_status_name(i));
		assert_int_equal(grpc_status_of(grpc_status_name(i)), i);
	}
	assert_string_equal(grpc_status_name(3), "INVALID_ARGUMENT");
	assert_string_equal(grpc_status_name(16), "UNAUTHENTICATED");
	assert_null(grpc_status_name(17));
	assert_null(grpc_status_name(-1));
	assert_int_equal(grpc_status_of("resource_exhausted"), 8);
	assert_int_equal(grpc_status_of("canceled"), 1);
	assert_int_equal(grpc_status_of(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_as_the_protocol_says),
		cmocka_unit_test(messages_come_back_in_order),
		cmocka_unit_test(what_is_cut_off_or_compressed_is_refused),
		cmocka_unit_test(statuses_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
