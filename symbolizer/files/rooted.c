// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/files/rooted.h"

#include <fcntl.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"

int rooted_open(int root_fd, const char *path)
{
	_cleanup_close_ int handle = -1;

	if (root_fd < 0)
		return io_open_regular(AT_FDCWD, path);
	handle = io_open_in_root(root_fd, path);
	return handle < 0 ? handle : io_reopen_regular(handle);
}
