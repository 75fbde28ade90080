// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/sandbox/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

int wire_send2(int sock, const void *a, size_t a_len, const void *b, size_t b_len, int fd)
{
	struct iovec iov[] = {{(void *)a, a_len}, {(void *)b, b_len}};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = b_len ? 2 : 1};
	ssize_t n;

	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.bytes);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int wire_send(int sock, const void *msg, size_t len, int fd)
{
	return wire_send2(sock, msg, len, NULL, 0, fd);
}

static int received_fd(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Without a buffer for control data the kernel closes unexpected descriptors. */
ssize_t wire_recv_short(int sock, void *msg, size_t size, int *fd)
{
	struct iovec iov = {msg, size};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	bool several;
	ssize_t n;

	if (fd) {
		m.msg_control = &control;
		m.msg_controllen =
			CMSG_LEN(sizeof(int)); /* with its padding there is room for two */
		*fd = -1;
	}
	do {
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (fd)
		*fd = received_fd(&m);
	/* Also where no more files may be open: then none of them came, and that is for the caller to see. */
	several = fd && *fd >= 0 && (m.msg_flags & MSG_CTRUNC);
	if (several || (m.msg_flags & MSG_TRUNC)) {
		if (fd && *fd >= 0)
			close(steal_fd(fd));
		return -EBADMSG;
	}
	return n;
}

ssize_t wire_recv(int sock, void *msg, int *fd)
{
	return wire_recv_short(sock, msg, WIRE_BYTES_MAX, fd);
}
