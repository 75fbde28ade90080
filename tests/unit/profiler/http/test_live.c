// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests and replies of live profiles, and what is none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/http/live.h"

static int pair[2];

static int begin(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
}

static int end(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

struct answering {
	struct live_request seen;
	struct live_reply reply;
	int memfd, err;
};

static void *answer(void *arg)
{
	struct answering *a = arg;

	a->err = live_take(pair[1], &a->seen);
	if (!a->err)
		a->err = live_answer(pair[1], &a->reply, a->memfd);
	return NULL;
}

static void test_there_and_back(void **state)
{
	struct live_request req = {.seconds = 7, .scope = LIVE_COMM, .name = "redis-*"};
	struct answering a = {.memfd = memfd_create("x", MFD_CLOEXEC)};
	struct live_reply reply;
	char text[8] = "";
	pthread_t t;
	int fd;

	(void)state;
	assert_int_equal(write(a.memfd, "profile", 7), 7);
	assert_int_equal(pthread_create(&t, NULL, answer, &a), 0);
	assert_int_equal(live_ask(pair[0], -1, &req, &reply, &fd), 0);
	pthread_join(t, NULL);
	assert_int_equal(a.err, 0);
	assert_memory_equal(&a.seen, &req, sizeof(req));
	assert_int_equal(pread(fd, text, 7, 0), 7);
	assert_string_equal(text, "profile");
	close(fd);
	close(a.memfd);
}

static void test_errors_come_with_their_sentence(void **state)
{
	struct live_request req = {.seconds = 1};
	struct answering a = {.memfd = -1, .reply = {-ESRCH, "there is no such process"}};
	struct live_reply reply;
	pthread_t t;
	int fd;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, answer, &a), 0);
	assert_int_equal(live_ask(pair[0], -1, &req, &reply, &fd), -ESRCH);
	pthread_join(t, NULL);
	assert_string_equal(reply.text, "there is no such process");
	assert_int_equal(fd, -1);
	/* success without a file is none */
	a.reply.err = 0;
	assert_int_equal(pthread_create(&t, NULL, answer, &a), 0);
	assert_int_equal(live_ask(pair[0], -1, &req, &reply, &fd), -EBADMSG);
	pthread_join(t, NULL);
}

static void test_a_client_that_hangs_up(void **state)
{
	struct live_request req = {.seconds = 300};
	struct live_reply reply;
	int client[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	close(client[1]);
	assert_int_equal(live_ask(pair[0], client[0], &req, &reply, &fd), -ECANCELED);
	assert_int_equal(fd, -1);
	close(client[0]);
}

static void test_hostile_requests(void **state)
{
	struct live_request req = {.seconds = 1}, got;
	char large[2 * sizeof(req)] = "";

	(void)state;
	memset(req.name, 'x', sizeof(req.name));
	assert_int_equal(write(pair[0], &req, sizeof(req)), sizeof(req));
	assert_int_equal(live_take(pair[1], &got), 0);
	assert_int_equal(strlen(got.name), sizeof(got.name) - 1);
	req.seconds = 0;
	assert_int_equal(write(pair[0], &req, sizeof(req)), sizeof(req));
	assert_int_equal(live_take(pair[1], &got), -EBADMSG);
	req.seconds = LIVE_MAX_SECONDS + 1;
	assert_int_equal(write(pair[0], &req, sizeof(req)), sizeof(req));
	assert_int_equal(live_take(pair[1], &got), -EBADMSG);
	req = (struct live_request){.seconds = 1, .scope = LIVE_SCOPES};
	assert_int_equal(write(pair[0], &req, sizeof(req)), sizeof(req));
	assert_int_equal(live_take(pair[1], &got), -EBADMSG);
	assert_int_equal(write(pair[0], &req, sizeof(req) - 1), sizeof(req) - 1);
	assert_int_equal(live_take(pair[1], &got), -EBADMSG);
	assert_int_equal(write(pair[0], large, sizeof(large)), sizeof(large));
	assert_int_equal(live_take(pair[1], &got), -EBADMSG);
	close(pair[0]);
	pair[0] = dup(0);
	assert_int_equal(live_take(pair[1], &got), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, begin, end),
		cmocka_unit_test_setup_teardown(test_errors_come_with_their_sentence, begin, end),
		cmocka_unit_test_setup_teardown(test_a_client_that_hangs_up, begin, end),
		cmocka_unit_test_setup_teardown(test_hostile_requests, begin, end),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
