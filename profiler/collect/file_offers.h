/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offers the files that samples were taken in to another process, which gives them to stores of debug information.
 * Each build id is offered once a day, one file at a time, and again while a store is away. The opener hands the
 * descriptors over: nobody opens a file here. A thread of its own waits for all of that, so windows wait for nothing.
 *
 * A file may claim any build id, and a store keeps the first that it gets. So only files are offered that nobody but
 * root can have written; with `others`, those of other users after ten minutes, if root has none of that build id.
 */
#ifndef KILN_COLLECT_FILE_OFFERS_H
#define KILN_COLLECT_FILE_OFFERS_H

#include <stdbool.h>
#include <stdint.h>

struct aggregate;
struct file_offers;
struct files;

/* Build ids of a day; files to be looked at. */
#define FILE_OFFERS_MAX	      4096
#define FILE_OFFERS_QUEUE_MAX 4096

/* Files that were not offered. X(name, "value of the label reason"). foreign: of users, where only root's are wanted;
 * unreadable: not for everybody to read, or on a server that hangs; closed: not open then, so the next window that has
 * it shows it again; stripped: without DWARF, a symbol table and a debug file; full: there were so many. */
#define FILE_OFFERS_SKIPPED(X)                                                                     \
	X(foreign, "not_root")                                                                     \
	X(unreadable, "unreadable")                                                                \
	X(closed, "not_open")                                                                      \
	X(stripped, "stripped")                                                                    \
	X(full, "full")

struct file_offers_stats {
#define X(name, ...) uint64_t name;
	FILE_OFFERS_SKIPPED(X)
#undef X
	uint64_t offered;
};

/* Borrows files, which must have an opener. 0 or -errno. */
int file_offers_new(struct file_offers **out, struct files *files);
/* NULL is fine. Waits for the thread, which may take a second. */
void file_offers_free(struct file_offers *o);
/* To whom files are offered from now on (file_offer.h): takes the socket; -1: to nobody. A new one knows nothing, so
 * it is offered all again. */
void file_offers_connect(struct file_offers *o, int sock, bool others);
/* Looks at the aggregate's frames that came since the last call. `fresh`: it is a new aggregate. */
void file_offers_look(struct file_offers *o, const struct aggregate *a, bool fresh);
void file_offers_stats(struct file_offers *o, struct file_offers_stats *out);

#endif
