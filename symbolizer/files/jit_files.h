/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens files that JIT compilers wrote, and decides whether to believe them. Does not read them.
 *
 * kiln may read more than the program whose names it looks for, and the program chooses what lies
 * at the path. So kiln takes only what the program could have read itself.
 */
#ifndef KILN_SYMBOLIZER_FILES_JIT_FILES_H
#define KILN_SYMBOLIZER_FILES_JIT_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a program of owner_uid is believed a file: its own, or root's that others may read. */
bool jit_file_is_believed(uint32_t file_uid, bool others_read, uint32_t owner_uid);

/* Checks that fd is a regular file that is believed. 0, -EINVAL, -EPERM or another -errno. Does not
 * ask a file server. */
int jit_file_check(int fd, uint32_t owner_uid);

/* An O_PATH handle of a perf map below root_fd (-1: this process's own root), or -errno. The path
 * does not lead out of that root. A symbolic link as its last component is not followed: the handle
 * is the link's, and io_reopen_regular() refuses it. */
int jit_map_handle(int root_fd, const char *path);

/* Opens a perf map below the directory `root` (NULL: this process's own root), see
 * jit_map_handle(), and checks it. Returns a descriptor or -errno. */
int jit_map_open(const char *root, const char *path, uint32_t owner_uid);

#endif
