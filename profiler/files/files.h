/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file table: executable files seen in mappings, by identity. The identity is the build id if
 * the kernel gave one, else (major, minor, inode, generation). A path alone is no identity. Inode
 * numbers are reused soon, so the generation matters. Generation 0 is unknown (/proc does not have
 * it, nor do some file systems) and matches any. An entry learns its generation from the first key
 * that has one, or from the opened file. A key without generation means the newest entry of its
 * inode.
 *
 * A thread has files opened soon after they are first seen, by the opener's processes (opener.h) or
 * in this one. Later the process, its mount namespace or the file itself may be gone. A file server
 * that hangs delays only that thread.
 * Functions may be called by any thread.
 */
#ifndef KILN_FILES_FILES_H
#define KILN_FILES_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/build_id.h"
#include "symbolizer/query/answer.h"

struct files;
struct opener;

/* Ids that are no files of the table. */
#define FILE_NONE UINT32_MAX
#define FILE_VDSO (UINT32_MAX - 1) /* the vDSO's image */

struct file_key {
	const char *path; /* as the process saw it; " (deleted)" is removed and remembered */
	struct build_id build_id;
	uint32_t major, minor;
	uint64_t inode, generation; /* all 0 if only the build id is known; generation 0: unknown */
};

struct files_opts {
	uint32_t
		/* Descriptors to keep; 0 = 1,024, fewer if few files may be open; past it the least recently used one is closed,
		 * of those that windows were named with if there are any. It is reopened by path when needed, with a check of its
		 * identity. */
		max_open;
	uint32_t
		many_new; /* see files_many_new(); 0 = half of max_open, never where that is below 128 */
	uint32_t max_files;    /* files; 0 = 65536, which is the maximum */
	size_t max_path_bytes; /* bytes of all paths; 0 = 16 MiB */
	uint32_t max_queue;    /* opens that may wait; 0 = 16384 */
	/* Descriptors unused for so long are closed, because they keep file systems from being
	 * unmounted; 0 = two minutes. */
	uint64_t idle_ns;
	uint64_t keep_ns; /* how long a file that no process maps is kept; 0 = ten minutes */
	/* Who opens files and holds them, borrowed; NULL: this process does both. */
	struct opener *opener;
};

/* Starts the thread; 0 or -errno. */
int files_new(struct files **out, const struct files_opts *opts);
void files_free(struct files *f);
/* Who opens foreign files; NULL: this process. */
struct opener *files_opener(const struct files *f);

/*
 * Interns a file. A new one is queued to be opened through process tgid: by
 * /proc/TGID/map_files/START-END, /proc/TGID/root/PATH, the parent's root, then the host's path.
 * Each result must match the identity. va_start and va_end are the mapping's; 0: unknown. A file
 * that could not be opened is tried again through other processes. Returns the id. Returns
 * FILE_NONE if the key has no identity, or if the table or the room for paths is full (counted).
 */
uint32_t files_intern(struct files *f, const struct file_key *key, pid_t tgid, pid_t parent_tgid,
		      uint64_t va_start, uint64_t va_end);

/*
 * Waits until the opener has tried everything queued so far, at most timeout_ms. False if it has
 * not; these files count as not openable for now.
 */
bool files_settle(struct files *f, int timeout_ms);

/* True if the file was seen under this path (a path as for files_intern()). Opens nothing. */
bool files_has_path(struct files *f, uint32_t id, const char *path);

/* The path that a file was first seen under, clean, "" if it is not known any more. Opens nothing. */
void files_path(struct files *f, uint32_t id, char *out, size_t size);

struct file_view {
	const char *path;	  /* clean UTF-8 */
	struct build_id build_id; /* from the kernel, else from the opened file */
	/* Borrowed until files_release_fd(). Without an opener fd is -1 if err is set, and root_fd
	 * is the root directory of a process that mapped it, or -1. With one both are -1. */
	int fd, root_fd;
	struct held_file held; /* with an opener, in place of both; borrowed, too */
	int err;	       /* -errno of opening; 0 if open */
	bool deleted;	       /* it was unlinked or replaced when it was seen */
};

/* The file of a view, for questions. Borrows all of it. */
static inline struct sym_file file_view_sym(const struct file_view *v)
{
	return (struct sym_file){
		.fd = v->fd,
		.root_fd = v->root_fd,
		.path = v->path,
		.build_id = v->build_id.len ? &v->build_id : NULL,
		.held = v->held.opener ? &v->held : NULL,
		.uid = v->held.uid,
	};
}

/*
 * Looks a file up, and reopens it if needed. *out is borrowed until files_release_fd(), which must
 * follow every call, also one that gave no descriptor. An unknown id gives an empty path and
 * -ENOENT.
 */
void files_get(struct files *f, uint32_t id, struct file_view *out);
void files_release_fd(struct files *f, uint32_t id);

/*
 * A long recording sees more files than the table holds. files_crowded() is true if the table or
 * the room for paths is three quarters full, at most once a minute. Then procs_expire(), which
 * knows the mappings, calls files_sweep(). The sweep forgets files that are not mapped and were
 * neither interned nor looked up for keep_ns. A forgotten id is not used again for months.
 */
bool files_crowded(struct files *f);
typedef bool (*files_mapped_fn)(void *ctx, uint32_t id);
void files_sweep(struct files *f, files_mapped_fn mapped, void *ctx);

/* Number of sweeps so far. After a sweep, holders of ids drop those that files_knows() does not
 * know. */
uint64_t files_sweeps(struct files *f);
bool files_knows(struct files *f, uint32_t id);

struct files_stats {
	uint64_t files, open, path_bytes;
	uint64_t open_failed;	/* files that exist but cannot be opened */
	uint64_t queue_dropped; /* opens put off because too many waited */
	/* Mappings without a file id: the table or the room for paths was full. */
	uint64_t table_full;
	/* Roots of containers that went, or were not kept, because there are so many. Their files are
	 * found again only while a process lives there. */
	uint64_t roots_full;
	uint64_t gone; /* files that were open, were closed, and could then not be opened again */
};
/* True if descriptors are being closed to make room for others. A deleted file may then be lost
 * before its names are looked up. */
bool files_full(struct files *f);
/* True if many files (files_opts.many_new) were opened for the first time since files_begin_window(). Then the
 * window should end, before files are closed that nobody can open again. */
bool files_many_new(struct files *f);
void files_begin_window(struct files *f);
/* The window before the one that has begun is named: its files may be closed first. */
void files_window_named(struct files *f);
void files_stats(struct files *f, struct files_stats *out);

#endif
