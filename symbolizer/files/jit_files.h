/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens files that JIT compilers wrote, and decides whether to believe them. Does not read them. */
#ifndef KILN_SYMBOLIZER_FILES_JIT_FILES_H
#define KILN_SYMBOLIZER_FILES_JIT_FILES_H

#include <stdint.h>

/* Checks that fd is a regular file that belongs to owner_uid or root. Only such a file is
 * believed. 0, -EINVAL, -EPERM or another -errno. Does not ask a file server. */
int jit_file_check(int fd, uint32_t owner_uid);

/*
 * Opens a perf map and checks it. A path /proc/TGID/root/tmp/perf-NSPID.map is resolved below that
 * root; any other path is opened as it is. Returns a descriptor or -errno.
 */
int jit_map_open(const char *path, uint32_t owner_uid);

#endif
