/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens files as a process with another root directory would. */
#ifndef KILN_SYMBOLIZER_FILES_ROOTED_H
#define KILN_SYMBOLIZER_FILES_ROOTED_H

/*
 * Opens a regular file for reading below root_fd, see io_open_in_root(). Never blocks on a FIFO or
 * a device. root_fd -1: this process's own root, with symbolic links followed as usual. Returns the
 * descriptor or -errno.
 */
int rooted_open(int root_fd, const char *path);

#endif
