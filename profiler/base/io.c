// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
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

struct outfile {
	int fd, err;
	char *path, *tmp_path;
};

/* Under sudo the file belongs to the invoking user, not to root. */
static void give_to_invoking_user(int fd)
{
	const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
	uint64_t uid, gid;

	if (geteuid() || !uid_text || !gid_text)
		return;
	if (text_parse_u64(uid_text, UINT32_MAX - 1, &uid) ||
	    text_parse_u64(gid_text, UINT32_MAX - 1, &gid))
		return;
	if (fchown(fd, (uid_t)uid, (gid_t)gid))
		return; /* the file stays root's; it can be read with sudo */
}

/* An existing path that is no regular file (/dev/null, a FIFO) is written in place. A rename
 * would replace it by a file. */
static int open_in_place(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || S_ISREG(st.st_mode))
		return -ENOENT;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int outfile_open(struct outfile **out, const char *path)
{
	struct outfile *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->fd = open_in_place(path);
	if (f->fd != -ENOENT) {
		err = f->fd < 0 ? f->fd : 0;
		if (err)
			outfile_abort(f);
		else
			*out = f;
		return err;
	}
	f->path = strdup(path);
	if (!f->path || asprintf(&f->tmp_path, "%s.XXXXXX", path) < 0) {
		f->tmp_path = NULL;
		outfile_abort(f);
		return -ENOMEM;
	}
	f->fd = mkostemp(f->tmp_path, O_CLOEXEC);
	if (f->fd < 0) {
		err = -errno;
		free(f->tmp_path);
		f->tmp_path = NULL;
		outfile_abort(f);
		return err;
	}
	give_to_invoking_user(f->fd);
	*out = f;
	return 0;
}

int outfile_write(struct outfile *f, const void *data, size_t len)
{
	if (!f->err)
		f->err = io_write(f->fd, data, len);
	return f->err;
}

int outfile_commit(struct outfile *f)
{
	int err = f->err;

	if (!err && f->tmp_path && fsync(f->fd) && errno != EINVAL && errno != EROFS)
		err = -errno;
	if (!err && f->tmp_path && rename(f->tmp_path, f->path))
		err = -errno;
	if (!err) {
		free(f->tmp_path);
		f->tmp_path = NULL;
	}
	outfile_abort(f);
	return err;
}

void outfile_abort(struct outfile *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->tmp_path)
		unlink(f->tmp_path);
	free(f->tmp_path);
	free(f->path);
	free(f);
}
