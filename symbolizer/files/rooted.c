// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/files/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"

int rooted_open(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int fd = -1;
	char proc[32];

	if (root_fd < 0)
		return io_open_regular(AT_FDCWD, path);
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return io_open_regular(AT_FDCWD, proc);
}
