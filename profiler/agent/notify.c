// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"

/* A path, or "@name" in the abstract name space. */
static int socket_address(const char *path, struct sockaddr_un *addr, socklen_t *len)
{
	size_t n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || !path[1] || n >= sizeof(addr->sun_path))
		return -EINVAL;
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(addr->sun_path, path, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (path[0] == '@')
		addr->sun_path[0] = '\0';
	else
		*len += 1;
	return 0;
}

/* The watchdog is meant for us, unless it names another process. */
static uint64_t watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us, who;

	if (!usec || text_parse_u64(usec, UINT64_MAX / 1000, &us))
		return 0;
	if (pid && (text_parse_u64(pid, INT32_MAX, &who) || (pid_t)who != getpid()))
		return 0;
	return us * 1000;
}

int notify_open(struct notifier *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_close_ int fd = -1;
	struct sockaddr_un addr;
	socklen_t len;
	int err;

	*n = (struct notifier){.fd = -1};
	if (!path || !*path)
		return 0;
	err = socket_address(path, &addr, &len);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, len))
		return -errno;
	n->fd = steal_fd(&fd);
	n->watchdog_ns = watchdog_ns();
	return 0;
}

void notify_close(struct notifier *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void notify_send(struct notifier *n, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	send(n->fd, buf_cstr(&b), b.len, MSG_NOSIGNAL);
	buf_release(&b);
}

void notify_watchdog(struct notifier *n, uint64_t now_ns)
{
	/* Some are late, and one may be lost. */
	if (!n->watchdog_ns || now_ns - n->told_ns < n->watchdog_ns / 4)
		return;
	n->told_ns = now_ns;
	notify_send(n, "WATCHDOG=1");
}
