/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens ELF files for somebody who may open nothing. The asker is not trusted: it gets regular files
 * that start as ELF files do and are no core dumps, for reading. An open may hang for as long as a
 * file server likes: threads of the broker do the opening, and those that hang are left alone.
 */
#ifndef KILN_SYMBOLIZER_WORKER_BROKER_H
#define KILN_SYMBOLIZER_WORKER_BROKER_H

struct broker;

int broker_new(struct broker **out);
/* Does not wait for what hangs. */
void broker_free(struct broker *b);

/*
 * The file at an absolute path below root_fd (-1: the host's root), see rooted_open(). A descriptor,
 * or -errno: -ETIMEDOUT when it hangs, -EBUSY when too many do.
 */
int broker_open(struct broker *b, int root_fd, const char *path);

#endif
