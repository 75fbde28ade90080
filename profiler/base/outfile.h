/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An output file that appears whole or not at all. Bytes go to a temporary name in the same directory (mode
 * 0600; as root under sudo, owned by SUDO_UID:SUDO_GID). outfile_commit() calls fsync() and renames it.
 *
 * What is looked at is what is written, also in a directory of somebody else, who may swap files meanwhile. A
 * link to a file is followed, and the file it points to is replaced, if the link belongs to root, to this user,
 * or under sudo to the invoking one. What is no regular file (/dev/null, a FIFO) is written in place, and so is
 * an open file named through /proc (/dev/stdout, /dev/fd/3), from where it ends. A FIFO of another user is
 * refused.
 */
#ifndef KILN_BASE_OUTFILE_H
#define KILN_BASE_OUTFILE_H

#include <stddef.h>

struct outfile;

/* 0 or -errno. -ELOOP: a symbolic link of another user, or too many links. A FIFO that nobody reads: says so, and waits
 * for a reader; -EINTR: until a signal came. */
int outfile_open(struct outfile **out, const char *path);
/* Whether it could be opened, without doing so: a FIFO's reader sees no end. 0 or -errno. */
int outfile_check(const char *path);
int outfile_write(struct outfile *f, const void *data, size_t len);
/* 0, or the first -errno of any write. Frees f in both cases. After an error no file is left. */
int outfile_commit(struct outfile *f);
/* Removes the temporary file and frees f. NULL is fine. */
void outfile_abort(struct outfile *f);

/* The text of an error of these functions, without a full stop. */
const char *outfile_strerror(int err);

#endif
