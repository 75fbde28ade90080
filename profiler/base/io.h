/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading foreign files within caps, and writing our own so that nobody sees half of one. */
#ifndef KILN_BASE_IO_H
#define KILN_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads up to len bytes at off, retrying EINTR and short reads. Bytes read (short only at the end
 * of the file), or -errno. */
ssize_t io_pread(int fd, void *buf, size_t len, uint64_t off);

/* Writes all of it. 0 or -errno. */
int io_write(int fd, const void *data, size_t len);
/* The same at an offset. */
int io_pwrite(int fd, const void *data, size_t len, uint64_t off);

/*
 * Reads all that fd still holds into *data (malloc'd, one NUL beyond *len for text users).
 * -EFBIG past cap bytes. 0 or -errno.
 */
int io_read_fd(int fd, size_t cap, char **data, size_t *len);

/* Same for a path, opened O_NONBLOCK so that a FIFO cannot hang us. Any kind of file is read. */
int io_read_file(const char *path, size_t cap, char **data, size_t *len);

/* First line of a small (proc/sysfs) file without its newline, into buf. 0 or -errno. */
int io_read_line(const char *path, char *buf, size_t size);

/*
 * Opens a foreign regular file for reading without ever blocking: O_PATH, fstat says regular, then
 * reopen. The descriptor, or -errno (-EINVAL: not a regular file).
 */
int io_open_regular(int dirfd, const char *path);
/* The same from an O_PATH handle, which stays the caller's. */
int io_reopen_regular(int handle);
/*
 * An O_PATH handle to a path as a process with this root directory (O_PATH will do) sees it: "/x",
 * ".." and absolute symbolic links all stay inside, magic links are refused (openat2(2)). Or -errno.
 */
int io_open_in_root(int root_fd, const char *path);

/*
 * An output file that appears whole or not at all: bytes go to a temporary name in the same
 * directory (mode 0600, owned by SUDO_UID:SUDO_GID where those are set and we are root), and
 * outfile_commit() fsyncs and renames it. A path that is no regular file (/dev/null, a FIFO) is
 * written to in place.
 */
struct outfile;

int outfile_open(struct outfile **out, const char *path);
int outfile_write(struct outfile *f, const void *data, size_t len);
/* 0, or the first -errno of any write; either way f is freed, and on error nothing is left. */
int outfile_commit(struct outfile *f);
/* Drops the temporary file. NULL is fine. */
void outfile_abort(struct outfile *f);

#endif
