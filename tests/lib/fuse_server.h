/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file server of one file, straight on /dev/fuse (linux/fuse.h), to hang at will: stop the process
 * with SIGSTOP and whoever opens or reads the file waits until SIGCONT. Or it goes on and never
 * answers one kind of request (fuse_server_hold): not even SIGKILL ends that wait.
 */
#ifndef KILN_TESTS_FUSE_SERVER_H
#define KILN_TESTS_FUSE_SERVER_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FUSE_SERVER_NODE 2
#define FUSE_SERVER_NAME "prog"

/* A file with the word open, read or close: what is not answered from now on. NULL: all is. */
static const char *fuse_server_hold;

static inline int fuse_server_holds(uint32_t opcode)
{
	char word[16] = "";
	int fd = fuse_server_hold ? open(fuse_server_hold, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? -1 : read(fd, word, sizeof(word) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	return (opcode == FUSE_OPEN && !strncmp(word, "open", 4)) ||
	       (opcode == FUSE_READ && !strncmp(word, "read", 4)) ||
	       (opcode == FUSE_FLUSH && !strncmp(word, "close", 5));
}

static inline void fuse_answer(int dev, uint64_t unique, int err, const void *data, size_t len)
{
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + (err ? 0 : len)),
		.error = -err,
		.unique = unique,
	};
	struct iovec iov[] = {{&h, sizeof(h)}, {(void *)data, err ? 0 : len}};

	if (writev(dev, iov, 2) < 0 && errno != ENOENT) /* ENOENT: the asker was killed */
		_exit(1);
}

static inline struct fuse_attr fuse_server_attr(uint64_t node, uint64_t size)
{
	struct fuse_attr a = {.ino = node, .nlink = 1, .blksize = 4096};

	a.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0755;
	a.size = node == FUSE_ROOT_ID ? 0 : size;
	return a;
}

static inline void fuse_server_reply(int dev, int file, uint64_t size,
				     const struct fuse_in_header *in, const void *body)
{
	static char bytes[1 << 20];
	struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
	struct fuse_entry_out entry = {.nodeid = FUSE_SERVER_NODE, .entry_valid = 1};
	struct fuse_attr_out attr = {.attr_valid = 1};
	struct fuse_open_out opened = {.fh = 1, .open_flags = FOPEN_KEEP_CACHE};
	const struct fuse_read_in *r = body;
	ssize_t n;

	if (fuse_server_holds(in->opcode))
		return;
	entry.attr = fuse_server_attr(FUSE_SERVER_NODE, size);
	attr.attr = fuse_server_attr(in->nodeid, size);
	switch (in->opcode) {
	case FUSE_INIT:
		fuse_answer(dev, in->unique, 0, &init, sizeof(init));
		return;
	case FUSE_LOOKUP:
		fuse_answer(dev, in->unique, strcmp(body, FUSE_SERVER_NAME) ? ENOENT : 0, &entry,
			    sizeof(entry));
		return;
	case FUSE_GETATTR:
		fuse_answer(dev, in->unique, 0, &attr, sizeof(attr));
		return;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		fuse_answer(dev, in->unique, 0, &opened, sizeof(opened));
		return;
	case FUSE_READ:
		n = pread(file, bytes, r->size < sizeof(bytes) ? r->size : sizeof(bytes),
			  (off_t)r->offset);
		fuse_answer(dev, in->unique, n < 0 ? EIO : 0, bytes, n < 0 ? 0 : (size_t)n);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return; /* want no answer */
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		fuse_answer(dev, in->unique, 0, NULL, 0);
		return;
	default:
		fuse_answer(dev, in->unique, ENOSYS, NULL, 0);
	}
}

static inline void fuse_server_run(int dev, const char *path)
{
	static char request[1 << 20];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (file < 0 || fstat(file, &st))
		_exit(1);
	for (;;) {
		ssize_t n = read(dev, request, sizeof(request) - 1);

		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			_exit(0); /* unmounted */
		request[n] = '\0';
		fuse_server_reply(dev, file, (uint64_t)st.st_size, (void *)request,
				  request + sizeof(struct fuse_in_header));
	}
}

/* Mounts `path` as dir/prog. The pid of the server, or -1 with errno. */
static inline pid_t fuse_server_start(const char *dir, const char *path)
{
	char options[128];
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (dev < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
	if (mount("kiln-test", dir, "fuse.kiln-test", MS_NODEV, options)) {
		close(dev);
		return -1;
	}
	pid = fork();
	if (!pid) {
		/* Whatever becomes of the test: nobody on this machine hangs longer than it runs. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fuse_server_run(dev, path);
	}
	close(dev);
	return pid;
}

#endif
