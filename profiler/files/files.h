/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executable files seen in mappings, by identity: build id where the kernel gave one, else (major,
 * minor, inode, generation); a path alone never is one. A generation of 0 is not known (/proc does
 * not tell it, some file systems have none) and matches any: the entry learns it from the first key
 * that has one, or from the file when that has been opened, for inode numbers are used again soon.
 * A key without one means the newest entry of its inode. Files are opened by an own thread soon after
 * they are first seen, because the process, its mount namespace or the file itself may be gone by
 * the time a name is wanted; a file server that hangs stalls that thread only.
 */
#ifndef KILN_FILES_FILES_H
#define KILN_FILES_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/elf/elf_obj.h"

struct files;

/* Ids that are no file of the table. */
#define FILE_NONE UINT32_MAX
#define FILE_VDSO (UINT32_MAX - 1) /* the vDSO's image, which the kernel maps */

struct file_key {
	const char *path; /* as the process saw it; " (deleted)" is stripped and remembered */
	struct build_id build_id;
	uint32_t major, minor;
	uint64_t inode, generation; /* all 0 when only the build id is known; generation 0: any */
};

struct files_opts {
	uint32_t
		max_open; /* descriptors kept; 0 = 256. Past it the least recently used is closed and
			      reopened by path on demand, checked against the identity */
	uint32_t max_files;    /* identities; 0 = 65536, which is the most */
	size_t max_path_bytes; /* of all their paths; 0 = 16 MiB */
	uint32_t max_queue;    /* opens waiting; 0 = 16384 */
	/* Descriptors keep file systems from being unmounted: those not used for so long are closed;
	 * 0 = two minutes. */
	uint64_t idle_ns;
	uint64_t keep_ns; /* how long those nobody maps are kept; 0 = ten minutes */
};

int files_new(struct files **out, const struct files_opts *opts); /* starts the opener thread */
void files_free(struct files *f);

/*
 * Interns a file and, when it is new, queues opening it through process tgid: first
 * /proc/TGID/map_files/START-END, then /proc/TGID/root/PATH, then the parent's root, then the
 * host's path, each checked against the identity. va_start/va_end name the mapping, 0 if unknown.
 * One that could not be opened is tried again through other processes.
 * Returns its id, or FILE_NONE when there is no room in the table or for the path (counted), or the
 * key has no identity.
 */
uint32_t files_intern(struct files *f, const struct file_key *key, pid_t tgid, pid_t parent_tgid,
		      uint64_t va_start, uint64_t va_end);

/*
 * Waits up to timeout_ms for the opener to have dealt with everything queued so far (false: it has
 * not; the rest count as not openable for now).
 */
bool files_settle(struct files *f, int timeout_ms);

/* Whether a file was seen under this path, as files_intern() takes it. Opens nothing. */
bool files_has_path(struct files *f, uint32_t id, const char *path);

/* The path that a file was first seen under, clean, "" if it is not known any more. Opens nothing. */
void files_path(struct files *f, uint32_t id, char *out, size_t size);

struct file_view {
	const char *path;	  /* clean UTF-8 */
	struct build_id build_id; /* from the kernel or, once open, from the file */
	int fd;	      /* borrowed until files_release_fd(); -1 and err when it cannot be */
	int root_fd;  /* root directory of a process that mapped it, or -1; borrowed */
	int err;      /* -errno of opening, 0 when open */
	bool deleted; /* was unlinked or replaced when seen */
};
/* Looks a file up, reopening it if need be. Thread-safe against the opener. All that is borrowed is
 * so until files_release_fd(), which every call needs, also one that had no descriptor to give. */
void files_get(struct files *f, uint32_t id, struct file_view *out);
void files_release_fd(struct files *f, uint32_t id);

/*
 * Long-running agents see more files than the table holds. When it, or the room for paths, is three
 * quarters full, and at most once a minute, files_crowded() says so, and whoever knows what is mapped
 * (procs_expire()) sweeps: files that are neither mapped nor were interned or looked at for keep_ns
 * are forgotten. Their ids are not given out again for months: files_get() knows them no more.
 */
bool files_crowded(struct files *f);
typedef bool (*files_mapped_fn)(void *ctx, uint32_t id);
void files_sweep(struct files *f, files_mapped_fn mapped, void *ctx);

/* How often that was done: whoever keeps ids drops those that files_knows() does not know, then. */
uint64_t files_sweeps(struct files *f);
bool files_knows(struct files *f, uint32_t id);

struct files_stats {
	uint64_t files, open, path_bytes;
	uint64_t open_failed;	/* files that are there and cannot be opened */
	uint64_t queue_dropped; /* opens put off: too many were waiting */
	uint64_t table_full;	/* mappings without a file: no room for it or its path */
};
/* Whether descriptors are being closed to make room for others: a file that was deleted since it was
 * mapped may then not be there any more when a name is wanted. */
bool files_full(struct files *f);
void files_stats(struct files *f, struct files_stats *out);

#endif
