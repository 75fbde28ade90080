/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening what a JIT compiler wrote, and whether to believe it. Nothing is read here. */
#ifndef KILN_SYMBOLIZER_FILES_JIT_FILES_H
#define KILN_SYMBOLIZER_FILES_JIT_FILES_H

#include <stdint.h>

/* Whether what the file says is believed: it is a regular one that belongs to owner_uid or root. 0,
 * -EINVAL, -EPERM or another -errno. The file's server is not asked. */
int jit_file_check(int fd, uint32_t owner_uid);

/*
 * Opens a perf map, /proc/TGID/root/tmp/perf-NSPID.map (walked below that root) or any path, and
 * checks it. A descriptor, or -errno.
 */
int jit_map_open(const char *path, uint32_t owner_uid);

#endif
