/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The broker opens ELF files for a reader, which may open nothing. It does not trust the reader: it
 * hands out regular files that start like ELF files and are no core dumps, for reading only. An
 * open may hang as long as a file server does. So threads of the broker open files, and a thread
 * that hangs is left behind.
 */
#ifndef KILN_SYMBOLIZER_WORKER_BROKER_H
#define KILN_SYMBOLIZER_WORKER_BROKER_H

struct broker;

int broker_new(struct broker **out);
/* Does not wait for threads that hang. */
void broker_free(struct broker *b);

/*
 * Opens an absolute path below root_fd (-1: the host's root), see rooted_open(). Returns a
 * descriptor or -errno: -ETIMEDOUT if it hangs, -EBUSY if too many opens hang.
 */
int broker_open(struct broker *b, int root_fd, const char *path);

#endif
