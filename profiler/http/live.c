// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/live.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Beyond the time of recording: start, naming, and what else the machine has to do. */
#define PATIENCE_S 60

static int take_fd(struct msghdr *h)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int receive(int fd, void *data, size_t len, int *passed)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {data, len};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   /* With its padding there is room for two. */
			   .msg_controllen = CMSG_LEN(sizeof(int))};
	ssize_t n;

	do
		n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*passed = take_fd(&h);
	if (!n)
		return -EPIPE;
	if ((size_t)n == len && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	if (*passed >= 0)
		close(*passed);
	*passed = -1;
	return -EBADMSG;
}

int live_ask(int fd, int client, const struct live_request *req, struct live_reply *reply,
	     int *memfd)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = client, .events = POLLRDHUP}};
	int err;

	*memfd = -1;
	if (send(fd, req, sizeof(*req), MSG_NOSIGNAL) != sizeof(*req))
		return -errno;
	if (poll(p, 2, (int)(req->seconds + PATIENCE_S) * 1000) <= 0)
		return -ETIMEDOUT;
	if (!p[0].revents)
		return -ECANCELED;
	err = receive(fd, reply, sizeof(*reply), memfd);
	if (err)
		return err;
	reply->text[sizeof(reply->text) - 1] = '\0';
	if (!reply->err && *memfd < 0)
		return -EBADMSG;
	return reply->err;
}

int live_take(int fd, struct live_request *req)
{
	int passed, err = receive(fd, req, sizeof(*req), &passed);

	if (passed >= 0)
		close(passed);
	if (err)
		return err;
	req->name[sizeof(req->name) - 1] = '\0';
	if (req->seconds < 1 || req->seconds > LIVE_MAX_SECONDS || req->scope >= LIVE_SCOPES)
		return -EBADMSG;
	return 0;
}

int live_answer(int fd, const struct live_reply *reply, int memfd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)reply, sizeof(*reply)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (memfd >= 0) {
		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(memfd));
		memcpy(CMSG_DATA(&control.align), &memfd, sizeof(memfd));
	}
	return sendmsg(fd, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
