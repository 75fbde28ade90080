// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/window_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/formats/export.h"
#include "profiler/formats/pprof_read.h"
#include "profiler/profile/profile.h"
#include "symbolizer/sandbox/message.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int pack(const struct buf *b)
{
	_cleanup_close_ int fd = memfd_create("kiln-window", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	err = io_pwrite(fd, b->data, b->len, 0);
	if (err)
		return err;
	return fcntl(fd, F_ADD_SEALS, SEALS) ? -errno : steal_fd(&fd);
}

int window_pack(const struct profile *p, uint64_t *bytes)
{
	struct buf b = {0};
	int fd = export_pprof(&b, p) ?: b.err;

	if (!fd && b.len > WINDOW_BYTES_MAX)
		fd = -EFBIG;
	*bytes = b.len;
	fd = fd ?: pack(&b);
	buf_release(&b);
	return fd;
}

int window_send(int sock, const struct window_head *h, int fd)
{
	return wire_send(sock, h, sizeof(*h), fd);
}

static int read_profile(struct arrived_window *w, int fd)
{
	_cleanup_free_ char *data = NULL;
	uint64_t len = w->head.bytes;
	const char *why;
	struct stat st;
	ssize_t n;

	if (!len || len > WINDOW_BYTES_MAX || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != len)
		return -EBADMSG;
	data = malloc(len);
	if (!data)
		return -ENOMEM;
	n = io_pread(fd, data, len, 0);
	if (n < 0 || (uint64_t)n != len)
		return n < 0 ? (int)n : -EBADMSG;
	return pprof_read(&w->profile, data, len, &why) ?: quality_load(&w->quality, w->profile);
}

/* A fixed number of bytes with an optional descriptor. */
static int recv_fixed(int sock, void *out, size_t len, int *fd)
{
	ssize_t n = wire_recv_short(sock, out, len, fd);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -ECONNRESET;
	if ((size_t)n != len) {
		if (fd)
			cleanup_close_fd(fd);
		return -EBADMSG;
	}
	return 1;
}

int window_recv(int sock, struct arrived_window *out)
{
	struct arrived_window w = {{0}};
	_cleanup_close_ int fd = -1;
	int got, r = recv_fixed(sock, &w.head, sizeof(w.head), &got), err;

	*out = w;
	if (r <= 0)
		return r;
	fd = got;
	if (w.head.again > 1 || w.head.begin_unix_ns < 0 || w.head.duration_ns > INT64_MAX ||
	    fd < 0)
		return -EBADMSG;
	err = read_profile(&w, fd);
	if (err) {
		window_release(&w);
		return err == -ENODATA ? -EBADMSG : err;
	}
	*out = w;
	return 1;
}

void window_release(struct arrived_window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
	w->profile = NULL;
}

int window_ack_send(int sock, const struct window_ack *a)
{
	return wire_send(sock, a, sizeof(*a), -1);
}

int window_ack_recv(int sock, struct window_ack *a)
{
	return recv_fixed(sock, a, sizeof(*a), NULL);
}
