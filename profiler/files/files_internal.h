/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of the file table, which files.c (the table) and files_opener.c (descriptors, roots,
 * opener threads) share. Functions are called with the lock held, unless they say otherwise. */
#ifndef KILN_FILES_FILES_INTERNAL_H
#define KILN_FILES_FILES_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "symbolizer/opener/opener.h"

/* Opens that wait. A scan of 10,000 processes finds some thousand files. Past the limit a file
 * is tried again when it is next seen. */
#define MAX_QUEUE 16384
/* Roots to keep open. Each keeps a mount namespace's root file system in use, so there are few. */
#define MAX_ROOTS 64

enum file_state { FILE_WAITING, FILE_QUEUED, FILE_OPEN, FILE_CLOSED, FILE_FAILED };

/*
 * A slot of the table. A file id has the slot in its lower bits and the slot's life in the upper
 * ones, so an id of an earlier life finds nothing. A life lasts at least ten minutes (keep_ns), and
 * slots are used in turn. So an id comes back after 227 days at the earliest. Holders of ids drop
 * forgotten ones after each sweep (files_sweeps()).
 */
#define SLOT_BITS 16
#define MAX_LIVES (1u << 15) /* so ids stay below FILE_VDSO */

struct file {
	uint32_t life, next_free;
	char *path;	   /* NULL: free slot */
	char *clean_path;  /* NULL: path is clean */
	char *opened_path; /* NULL: opened by `path` */
	struct build_id key_id, build_id;
	uint32_t major, minor;
	uint64_t inode, generation; /* generation 0: unknown so far */
	uint64_t born;		    /* the newest file has the highest number */
	enum file_state state;
	int fd, err; /* fd: -1 unless open here */
	struct held_file held;
	bool was_open, was_gone; /* opened before; could then not be opened again (counted) */
	uint32_t borrowed;
	uint32_t root, root_generation; /* index in roots[]; generation 0: none */
	struct root *held_root;		/* kept open while the file is borrowed */
	uint32_t attempts;
	pid_t last_tgid;
	uint64_t used_ns;
	bool deleted;
};

struct root {
	struct root_key key;
	bool is_open;	 /* false: free slot */
	int fd;		 /* -1 unless open here */
	uint64_t number; /* that the opener holds; 0: none */
	uint32_t borrowed, generation;
	uint64_t used_ns;
};

struct job {
	uint32_t slot;
	pid_t tgid, parent_tgid;
	uint64_t va_start, va_end;
	char *path;
};

struct worker {
	struct files *f;
	uint64_t busy_since_ns; /* 0: idle */
	bool superseded;
};

struct files {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct files_opts opts;
	uint32_t refs; /* the owner, and each opener thread */
	uint32_t n_workers, n_busy;
	bool stopping;
	struct worker *current;
	struct htab index; /* of slots */
	VEC(struct file) all;
	uint32_t free_first, free_last; /* list of free slots, next one first; HTAB_NONE: none */
	VEC(uint32_t) open;		/* slots with a descriptor */
	size_t path_bytes;		/* bytes of all paths, including the queue's */
	uint64_t swept_ns, n_born, n_sweeps;
	uint64_t n_new,
		n_new_before; /* files opened for the first time; so many before the window */
	uint64_t begun_born,
		named_born; /* files born before this window; before the last one that was named */
	struct root roots[MAX_ROOTS];
	struct job *queue; /* ring buffer of opts.max_queue entries */
	uint32_t q_head, q_len;
	struct files_stats stats;
};

/* Waits for a condition, until a deadline of monotonic_ns(). */
void files_wait(struct files *f, pthread_cond_t *cond, uint64_t deadline_ns);

/* Starts a new current opener thread. Needs no lock before f is shared. 0 or -errno. */
int files_start_worker(struct files *f);
/* If the current opener hangs, leaves it behind and starts another. True: there is no working
 * opener. */
bool files_replace_stuck_worker(struct files *f);
/* Queues a file to be opened. Copies `path` into the job. False: the queue is full. */
bool files_enqueue(struct files *f, uint32_t slot, struct job job, const char *path, bool first);

/* The root under which a file was found, or NULL. */
struct root *files_root_of(struct files *f, const struct file *file);
/* Bytes that a path counts in path_bytes. */
static inline size_t files_path_bytes(const char *path)
{
	return path ? strlen(path) + 1 : 0;
}

/* Closes a file, if it is open. */
void files_close(struct files *f, uint32_t slot);
/* Closes all that the opener has lost. */
void files_notice_loss(struct files *f, const struct file *file);

/* Without the lock. The last reference, of the owner or a thread, frees everything. */
void files_unref(struct files *f);

#endif
