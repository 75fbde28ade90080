// SPDX-License-Identifier: GPL-2.0-or-later
/* Listening sockets. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/http/http.h"

#define BACKLOG 128

static int say(struct why *why, int err, const char *what, const char *detail)
{
	snprintf(why->text, sizeof(why->text), "cannot listen on %s: %s", what, detail);
	return err;
}

/* Splits "HOST:PORT"; brackets around HOST go. */
static bool split(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	len = strlen(text);
	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		*host = text + 1;
	}
	return **port != '\0';
}

static int open_one(const struct addrinfo *ai)
{
	int one = 1, err, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Connections inherit it: the next of several answers does not wait for the client to acknowledge. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int http_listen_tcp(int *fd, const char *address, struct why *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
	_cleanup_free_ char *text = strdup(address);
	char *host, *port;
	int err;

	if (!text)
		return say(why, -ENOMEM, address, "out of memory");
	if (!split(text, &host, &port))
		return say(why, -EINVAL, address, "it is not HOST:PORT");
	err = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
	if (err)
		return say(why, -EINVAL, address, gai_strerror(err));
	*fd = open_one(list);
	freeaddrinfo(list);
	if (*fd >= 0)
		return 0;
	err = *fd;
	*fd = -1;
	return say(why, err, address,
		   err == -EADDRINUSE ? "another program does; set http.listen to another port"
				      : strerror(-err));
}

/* Whether somebody accepts connections there. */
static bool is_alive(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd >= 0 && (!connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ||
				 errno == EAGAIN); /* too many wait for it */

	if (fd >= 0)
		close(fd);
	return alive;
}

static void remove_dead(const struct sockaddr_un *sa)
{
	struct stat st;

	if (!lstat(sa->sun_path, &st) && S_ISSOCK(st.st_mode) && !is_alive(sa))
		unlink(sa->sun_path);
}

void http_remove_unix(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(sa.sun_path))
		return;
	strcpy(sa.sun_path, path);
	remove_dead(&sa);
}

static int bind_unix(int fd, const struct sockaddr_un *sa, gid_t gid)
{
	remove_dead(sa);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		return -errno;
	if (chmod(sa->sun_path, 0660) ||
	    (gid != (gid_t)-1 && chown(sa->sun_path, (uid_t)-1, gid) && errno != EPERM))
		return -errno;
	return listen(fd, BACKLOG) ? -errno : 0;
}

int http_listen_unix(int *fd, const char *path, gid_t gid, struct why *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t old;
	int err, s;

	if (strlen(path) >= sizeof(sa.sun_path))
		return say(why, -ENAMETOOLONG, path, "the path is longer than 107 bytes");
	strcpy(sa.sun_path, path);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return say(why, -errno, path, strerror(errno));
	old = umask(0117);
	err = bind_unix(s, &sa, gid);
	umask(old);
	if (err) {
		close(s);
		return say(why, err, path, strerror(-err));
	}
	*fd = s;
	return 0;
}
