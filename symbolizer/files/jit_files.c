// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/files/jit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "symbolizer/files/rooted.h"

int jit_file_check(int fd, uint32_t owner_uid)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_UID, &st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	return st.stx_uid != owner_uid && st.stx_uid != 0 ? -EPERM : 0;
}

/*
 * Resolves a path below /proc/TGID/root inside that root. Otherwise a symbolic link in the
 * process's /tmp could lead to files of the host.
 */
static int open_map(const char *path)
{
	_cleanup_close_ int root = -1;
	const char *rest;
	char dir[64];

	if (!text_has_prefix(path, "/proc/") || !(rest = strstr(path, "/root/")) ||
	    strchr(path + 6, '/') != rest || (size_t)(rest - path) + 6 > sizeof(dir))
		return io_open_regular(AT_FDCWD, path);
	snprintf(dir, sizeof(dir), "%.*s/root", (int)(rest - path), path);
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : rooted_open(root, rest + 5);
}

int jit_map_open(const char *path, uint32_t owner_uid)
{
	_cleanup_close_ int fd = open_map(path);
	int err = fd < 0 ? fd : jit_file_check(fd, owner_uid);

	return err ?: steal_fd(&fd);
}
