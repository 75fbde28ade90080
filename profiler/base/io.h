/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads foreign files within caps, and writes own files so that no reader sees half a file. */
#ifndef KILN_BASE_IO_H
#define KILN_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads up to len bytes at off. Retries EINTR and short reads. Returns the number of bytes
 * (fewer only at the end of the file) or -errno. */
ssize_t io_pread(int fd, void *buf, size_t len, uint64_t off);

/* Writes all bytes. 0 or -errno. */
int io_write(int fd, const void *data, size_t len);
/* Does the same at an offset. */
int io_pwrite(int fd, const void *data, size_t len, uint64_t off);

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

/*
 * An output file that appears whole or not at all. Bytes go to a temporary name in the same
 * directory (mode 0600; as root under sudo, owned by SUDO_UID:SUDO_GID). outfile_commit() calls
 * fsync() and renames it. A path that exists and is no regular file (/dev/null, a FIFO) is written
 * in place.
 */
struct outfile;

int outfile_open(struct outfile **out, const char *path);
int outfile_write(struct outfile *f, const void *data, size_t len);
/* 0, or the first -errno of any write. Frees f in both cases. After an error no file is left. */
int outfile_commit(struct outfile *f);
/* Removes the temporary file and frees f. NULL is fine. */
void outfile_abort(struct outfile *f);

#endif
