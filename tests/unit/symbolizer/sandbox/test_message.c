// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages with descriptors, from a process that was taken over. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/sandbox/message.h"

static size_t count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void send_descriptors(int sock, size_t n)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {"x", 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};

	m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &(int){STDIN_FILENO},
		       sizeof(int));
	assert_int_equal(sendmsg(sock, &m, 0), 1);
}

/* One is taken. Of several none, and none stays open. */
static void test_several_descriptors(void **state)
{
	char msg[WIRE_BYTES_MAX];
	size_t before;
	int pair[2], fd = -1;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = count_descriptors();
	send_descriptors(pair[0], 1);
	assert_int_equal(wire_recv(pair[1], msg, &fd), 1);
	assert_true(fd >= 0);
	close(fd);
	for (size_t n = 2; n <= 4; n++) {
		send_descriptors(pair[0], n);
		assert_int_equal(wire_recv(pair[1], msg, &fd), -EBADMSG);
		assert_int_equal(fd, -1);
		send_descriptors(pair[0], n);
		assert_int_equal(wire_recv(pair[1], msg, NULL), 1);
	}
	assert_int_equal(count_descriptors(), before);
	close(pair[0]);
	close(pair[1]);
}

/* A message that is longer than the receiver's room is none. */
static void test_short_messages(void **state)
{
	char msg[3];
	int pair[2], fd = -1;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(wire_send(pair[0], "abc", 3, STDIN_FILENO), 0);
	assert_int_equal(wire_recv_short(pair[1], msg, 3, &fd), 3);
	assert_memory_equal(msg, "abc", 3);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(wire_send(pair[0], "abcd", 4, STDIN_FILENO), 0);
	assert_int_equal(wire_recv_short(pair[1], msg, 3, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
	assert_int_equal(wire_recv_short(pair[1], msg, 3, &fd), -EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

/* Where no more may be open, the message is there all the same. */
static void test_no_room_for_a_descriptor(void **state)
{
	struct rlimit old, none;
	char msg[WIRE_BYTES_MAX];
	int pair[2], fd = -2;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	send_descriptors(pair[0], 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){3, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(wire_recv(pair[1], msg, &fd), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(fd, -1);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several_descriptors),
		cmocka_unit_test(test_short_messages),
		cmocka_unit_test(test_no_room_for_a_descriptor),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
