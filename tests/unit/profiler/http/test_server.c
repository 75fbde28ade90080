// SPDX-License-Identifier: GPL-2.0-or-later
/* Turns to read the store. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/http/server.h"

static struct server server;

static int begin(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	pthread_mutex_init(&server.lock, NULL);
	pthread_cond_init(&server.turn, NULL);
	return 0;
}

static void *take_turn(void *end)
{
	struct answer a = {0};
	bool mine = server_begin_query(&server, &a);

	if (mine && end)
		server_end_query(&server);
	buf_release(&a.body);
	return mine ? &server : NULL;
}

/* In a thread of its own, as every request is answered. */
static bool query(bool ends)
{
	pthread_t t;
	void *mine;

	assert_int_equal(pthread_create(&t, NULL, take_turn, ends ? &server : NULL), 0);
	assert_int_equal(pthread_join(t, &mine), 0);
	return mine != NULL;
}

static void test_turns_come_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * HTTP_QUERIES; i++)
		assert_true(query(true));
	assert_false(server_is_stuck(&server, UINT64_MAX));
}

/* The clock of conditions is another one here, so that nobody waits for the turn that does not come. */
static void test_queries_that_do_not_end(void **state)
{
	uint64_t now_ns = monotonic_ns();

	(void)state;
	for (int i = 0; i < HTTP_QUERIES; i++)
		assert_true(query(false));
	assert_false(query(true));
	assert_false(server_is_stuck(&server, now_ns + (HTTP_STUCK_S - 1) * NS_PER_S));
	assert_true(server_is_stuck(&server, monotonic_ns() + (HTTP_STUCK_S + 1) * NS_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_turns_come_back, begin),
		cmocka_unit_test_setup(test_queries_that_do_not_end, begin),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
