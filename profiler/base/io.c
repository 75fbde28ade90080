// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"

ssize_t io_pread(int fd, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	if (off > INT64_MAX - len)
		return -EINVAL;
	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int io_write(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

/* Earlier signals may be the rest of a ^C that came as several. */
#define READER_WAIT_NS NS_PER_S

int io_write_to_reader(int fd, const void *data, size_t len)
{
	struct stat st;

	if (fstat(fd, &st) || S_ISREG(st.st_mode))
		return io_write(fd, data, len);
	for (size_t done = 0; done < len;) {
		uint64_t begin_ns = monotonic_ns();
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0 && monotonic_ns() - begin_ns > READER_WAIT_NS)
			return -ECANCELED;
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

int io_pwrite(int fd, const void *data, size_t len, uint64_t off)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)data + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

bool io_can_write(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}

int io_read_fd(int fd, size_t cap, char **data, size_t *len)
{
	size_t have = 0, size = 4096;
	_cleanup_free_ char *p = malloc(size + 1);

	while (p) {
		ssize_t n = read(fd, p + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
		if (have > cap)
			return -EFBIG;
		if (n == 0) {
			p[have] = '\0';
			*len = have;
			*data = steal_ptr(p);
			return 0;
		}
		if (have == size) {
			char *bigger = realloc(p, size * 2 + 1);

			if (!bigger)
				return -ENOMEM;
			p = bigger;
			size *= 2;
		}
	}
	return -ENOMEM;
}

int io_read_file(const char *path, size_t cap, char **data, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : io_read_fd(fd, cap, data, len);
}

int io_make_parents(const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, mode) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

int io_read_line(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = io_pread(fd, buf, size - 1, 0);
	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int io_reopen_regular(int handle)
{
	char self[64];
	struct stat st;
	int fd;

	if (fstat(handle, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int io_open_regular(int dirfd, const char *path)
{
	_cleanup_close_ int handle = openat(dirfd, path, O_PATH | O_CLOEXEC);

	return handle < 0 ? -errno : io_reopen_regular(handle);
}

int io_open_in_root(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}
