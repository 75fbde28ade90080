// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets by their numbers, and which of them are ended. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/net/net_sockets.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

struct pair {
	int ours, theirs;
	int port; /* ours */
};

static struct pair connected(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct pair p = {.ours = socket(AF_INET, SOCK_STREAM, 0)};

	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(connect(p.ours, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(p.ours, (struct sockaddr *)&a, &len), 0);
	p.port = ntohs(a.sin_port);
	p.theirs = accept(listener, NULL, NULL);
	assert_true(p.theirs >= 0);
	close(listener);
	return p;
}

/* False: it has been ended. */
static bool pass_some(const struct pair *p)
{
	static char data[64 << 10];
	size_t got = 0;

	if (send(p->theirs, data, sizeof(data), MSG_NOSIGNAL) != sizeof(data))
		return false;
	while (got < sizeof(data)) {
		ssize_t n = recv(p->ours, data, sizeof(data) - got, 0);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

TEST(one_that_is_read_without_a_sign_is_ended)
{
	struct net_sockets *s = net_sockets_new();
	struct pair p = connected(), quiet = connected();
	uint64_t end_ns = monotonic_ns() + 60 * NS_PER_S, number, other, bytes = 0;

	number = net_sockets_add(s, p.ours);
	other = net_sockets_add(s, quiet.ours);
	net_sockets_turn(s, true);
	while (pass_some(&p) && monotonic_ns() < end_ns)
		;
	assert_true(net_sockets_is_shut(s, number));
	assert_false(net_sockets_is_shut(s, other));
	assert_true(net_sockets_received(s, number, &bytes) && bytes >= 2 << 20);
	net_sockets_turn(s, false);
	net_sockets_free(s);
	close(p.ours);
	close(p.theirs);
	close(quiet.ours);
	close(quiet.theirs);
}

/* As much and as long: half of it with signs, half of it in turns. */
TEST(signs_and_returns_keep_it)
{
	struct net_sockets *s = net_sockets_new();
	struct pair p = connected();
	uint64_t number = net_sockets_add(s, p.ours), begin = monotonic_ns(), bytes = 0;

	net_sockets_turn(s, true);
	while (bytes < 4 << 20 || monotonic_ns() < begin + 3 * NS_PER_S / 2) {
		assert_true(pass_some(&p));
		if (bytes < 2 << 20) {
			net_sockets_sign(s);
		} else {
			net_sockets_turn(s, false);
			net_sockets_turn(s, true);
		}
		assert_true(net_sockets_received(s, number, &bytes));
	}
	assert_false(net_sockets_is_shut(s, number));
	net_sockets_free(s);
	close(p.ours);
	close(p.theirs);
}

TEST(numbers_are_not_used_again)
{
	struct net_sockets *s = net_sockets_new();
	struct pair p = connected();
	uint64_t number = net_sockets_add(s, p.ours), bytes;
	int fd;

	assert_true(number > 0);
	assert_int_equal(net_sockets_find(s, p.port), number);
	assert_int_equal(net_sockets_find(s, 1), 0);
	assert_true(net_sockets_received(s, number, &bytes));
	assert_false(net_sockets_received(s, 0, &bytes));
	net_sockets_close(s, p.ours);
	assert_int_equal(fcntl(p.ours, F_GETFD), -1);
	assert_int_equal(net_sockets_find(s, p.port), 0);
	assert_false(net_sockets_received(s, number, &bytes));
	close(p.theirs);

	p = connected();
	assert_int_equal(net_sockets_add(s, p.ours), number + 1);
	assert_false(net_sockets_received(s, number, &bytes));
	/* So many that the first ones are forgotten. */
	for (int i = 0; i < 200; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		net_sockets_add(s, fd);
		net_sockets_close(s, fd);
	}
	assert_false(net_sockets_received(s, number + 1, &bytes));
	assert_int_equal(net_sockets_find(s, p.port), 0);
	net_sockets_free(s);
	close(p.ours);
	close(p.theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_read_without_a_sign_is_ended),
		cmocka_unit_test(signs_and_returns_keep_it),
		cmocka_unit_test(numbers_are_not_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
