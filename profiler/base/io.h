/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads foreign files within caps. */
#ifndef KILN_BASE_IO_H
#define KILN_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads up to len bytes at off. Retries EINTR and short reads. Returns the number of bytes
 * (fewer only at the end of the file) or -errno. */
ssize_t io_pread(int fd, void *buf, size_t len, uint64_t off);

/* Writes all bytes. 0 or -errno. */
int io_write(int fd, const void *data, size_t len);
/* The same, to where a reader may take nothing for ever: a signal that is caught ends a wait of a second. -ECANCELED
 * then. */
int io_write_to_reader(int fd, const void *data, size_t len);
/* Does the same as io_write() at an offset. */
int io_pwrite(int fd, const void *data, size_t len, uint64_t off);

/* False: nobody reads at the other end (a full pipe, a terminal after ^S), so writing would wait. */
bool io_can_write(int fd);

/*
 * Reads the rest of fd into *data (malloc'd, with a NUL after *len bytes). -EFBIG past cap bytes. 0
 * or -errno.
 */
int io_read_fd(int fd, size_t cap, char **data, size_t *len);

/* Does the same for a path of any kind of file, opened with O_NONBLOCK so that a FIFO cannot
 * hang kiln. */
int io_read_file(const char *path, size_t cap, char **data, size_t *len);

/* Makes the directories above the last component of a path, those that are missing, with this mode and the
 * umask. 0 or -errno. */
int io_make_parents(const char *path, mode_t mode);

/* First line of a small (proc/sysfs) file without its newline, into buf. 0 or -errno. */
int io_read_line(const char *path, char *buf, size_t size);

/*
 * Opens a foreign regular file for reading without ever blocking: opens it with O_PATH, checks its
 * type, then reopens it. Returns a descriptor or -errno (-EINVAL: not a regular file).
 */
int io_open_regular(int dirfd, const char *path);
/* Does the same from an O_PATH handle, which stays the caller's. */
int io_reopen_regular(int handle);
/*
 * Resolves a path as a process with this root directory (an O_PATH handle will do) would. "/x",
 * ".." and absolute symbolic links stay inside; magic links are refused (openat2(2)). Returns an
 * O_PATH handle or -errno.
 */
int io_open_in_root(int root_fd, const char *path);

#endif
