// SPDX-License-Identifier: GPL-2.0-or-later
/* Which connections are ended for what others hold. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <microhttpd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/http/watch.h"
#include "profiler/metrics/metrics.h"

#define N 5

static struct watch *watch;
static struct metrics *metrics;
static int ours[N], theirs[N];
static union MHD_ConnectionInfo infos[N];

/* Numbers stand for the connections of the library. */
static struct MHD_Connection *connection(size_t i)
{
	return (struct MHD_Connection *)(i + 1);
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *c,
							enum MHD_ConnectionInfoType type, ...)
{
	assert_int_equal(type, MHD_CONNECTION_INFO_CONNECTION_FD);
	return &infos[(size_t)c - 1];
}

static int begin(void **state)
{
	(void)state;
	metrics = metrics_new();
	watch = watch_new(metrics);
	for (size_t i = 0; i < N; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			return -1;
		ours[i] = infos[i].connect_fd = pair[0];
		theirs[i] = pair[1];
		watch_add(watch, connection(i), NULL, 30);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	watch_free(watch);
	metrics_free(metrics);
	for (size_t i = 0; i < N; i++) {
		close(ours[i]);
		close(theirs[i]);
	}
	return 0;
}

static bool is_ended(size_t i)
{
	char c;

	return recv(theirs[i], &c, 1, MSG_DONTWAIT) == 0;
}

static void expect_ended(const bool ended[N])
{
	size_t n = 0;

	for (size_t i = 0; i < N; i++) {
		assert_int_equal(is_ended(i), ended[i]);
		n += ended[i];
	}
	assert_int_equal(metrics_get(metrics, METRIC_http_slow), n);
}

/* 0 waits for a request, 1 has time left, 2 has the least; then the answer of 4 is too much. */
static void test_answers_that_nobody_takes(void **state)
{
	(void)state;
	watch_answer(watch, connection(1), WATCH_BYTES / 2, 100);
	watch_answer(watch, connection(2), WATCH_BYTES / 4, 50);
	watch_answer(watch, connection(3), WATCH_BYTES / 4, 120);
	expect_ended((bool[N]){false});
	watch_answer(watch, connection(4), WATCH_BYTES / 4, 10);
	expect_ended((bool[N]){false, false, true});
	/* It was counted once. */
	watch_remove(watch, connection(2));
	watch_answer(watch, connection(0), 1, 1);
	expect_ended((bool[N]){false, false, true, false, true});
}

/* What was taken does not count any more. */
static void test_answers_that_are_taken(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		watch_answer(watch, connection(0), WATCH_BYTES, 100);
		watch_extend(watch, connection(0), 30);
	}
	watch_answer(watch, connection(1), WATCH_BYTES, 100);
	expect_ended((bool[N]){false});
}

/* One alone is as large as it is. */
static void test_a_large_answer(void **state)
{
	(void)state;
	watch_answer(watch, connection(1), 1, 100);
	watch_answer(watch, connection(0), 2ull * WATCH_BYTES, 1);
	expect_ended((bool[N]){false, true});
	watch_answer(watch, connection(0), 3ull * WATCH_BYTES, 1);
	expect_ended((bool[N]){false, true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers_that_nobody_takes, begin, end),
		cmocka_unit_test_setup_teardown(test_answers_that_are_taken, begin, end),
		cmocka_unit_test_setup_teardown(test_a_large_answer, begin, end),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
