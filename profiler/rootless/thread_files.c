// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/thread_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/hash.h"

/* Of the descriptors that this process may have. */
#define SHARE_OF_DESCRIPTORS 8

static int open_file(pid_t tgid, pid_t tid, enum thread_file which)
{
	static const char *const names[] = {
		[THREAD_STAT] = "stat",
		[THREAD_SCHEDSTAT] = "schedstat",
		[THREAD_CHILDREN] = "children",
		[THREAD_STATUS] = "status",
	};
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)tgid, (int)tid, names[which]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESRCH : -errno;
}

static int read_file(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

static size_t max_kept(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	return MIN(MAX(limit.rlim_cur / SHARE_OF_DESCRIPTORS, 1), THREAD_FILES_MAX);
}

static struct thread_file_kept *slot_of(struct thread_files *files, pid_t tid,
					enum thread_file which)
{
	files->max = files->max ?: max_kept();
	return &files->kept[hash_u64((uint64_t)tid << 2 | which) % files->max];
}

static void drop(struct thread_file_kept *kept)
{
	if (kept->tid)
		close(kept->fd);
	kept->tid = 0;
}

/* Whoever has a thread's number now is read by a file of his own: that of a dead thread fails. */
static int read_kept(struct thread_file_kept *kept, pid_t tgid, pid_t tid, enum thread_file which,
		     char *text, size_t size)
{
	if (kept->tid != tid || kept->tgid != tgid || kept->which != which)
		return -ENOENT;
	return read_file(kept->fd, text, size);
}

int thread_files_read(struct thread_files *files, pid_t tgid, pid_t tid, enum thread_file which,
		      char *text, size_t size)
{
	struct thread_file_kept *kept = files ? slot_of(files, tid, which) : NULL;
	int fd, err;

	if (kept && !read_kept(kept, tgid, tid, which, text, size))
		return 0;
	fd = open_file(tgid, tid, which);
	if (fd < 0)
		return fd;
	err = read_file(fd, text, size);
	if (err || !kept) {
		close(fd);
		return err;
	}
	drop(kept);
	*kept = (struct thread_file_kept){tgid, tid, which, fd};
	return 0;
}

void thread_files_release(struct thread_files *files)
{
	for (size_t i = 0; i < THREAD_FILES_MAX; i++)
		drop(&files->kept[i]);
}
