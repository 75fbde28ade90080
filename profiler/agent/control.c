// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/control.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/sandbox/message.h"

int control_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ? -errno
											   : 0;
}

int control_send(int sock, const struct control_msg *m, int fd)
{
	return wire_send(sock, m, sizeof(*m), fd);
}

static bool is_sound(const struct control_msg *m, ssize_t n, int fd)
{
	return n == sizeof(*m) && m->kind && m->kind < CONTROL_KINDS &&
	       (fd >= 0) == (bool)control_has_fd(m->kind);
}

int control_recv(int sock, struct control_msg *m, int *fd)
{
	_cleanup_close_ int got = -1;
	ssize_t n = wire_recv_short(sock, m, sizeof(*m), fd ? &got : NULL);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -ECONNRESET;
	if (!is_sound(m, n, got))
		return -EBADMSG;
	if (fd)
		*fd = steal_fd(&got);
	return 1;
}
