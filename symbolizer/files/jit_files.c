// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/files/jit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"

bool jit_file_is_believed(uint32_t file_uid, bool others_read, uint32_t owner_uid)
{
	return file_uid == owner_uid || (!file_uid && others_read);
}

int jit_file_check(int fd, uint32_t owner_uid)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MODE | STATX_UID,
		  &st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	return jit_file_is_believed(st.stx_uid, st.stx_mode & S_IROTH, owner_uid) ? 0 : -EPERM;
}

int jit_map_handle(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = root_fd < 0 ? 0 : RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root_fd < 0 ? AT_FDCWD : root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int jit_map_open(const char *root, const char *path, uint32_t owner_uid)
{
	_cleanup_close_ int root_fd = -1, handle = -1, fd = -1;
	int err;

	if (root) {
		root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root_fd < 0)
			return -errno;
	}
	handle = jit_map_handle(root_fd, path);
	if (handle < 0)
		return handle;
	fd = io_reopen_regular(handle);
	err = fd < 0 ? fd : jit_file_check(fd, owner_uid);
	return err ?: steal_fd(&fd);
}
