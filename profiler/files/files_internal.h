/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the file table, shared by files.c (the table) and files_opener.c (descriptors, roots
 * and the opener's threads). Everything is under the lock unless said otherwise. */
#ifndef KILN_FILES_FILES_INTERNAL_H
#define KILN_FILES_FILES_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "profiler/files/opener.h"

/* Opens waiting. A scan of 10,000 processes finds some thousand files; past it they are tried again
 * when they are next seen. */
#define MAX_QUEUE 16384
/* Roots kept open. Each holds a mount namespace's root file system in use, so they are few. */
#define MAX_ROOTS 64

enum file_state { FILE_WAITING, FILE_QUEUED, FILE_OPEN, FILE_CLOSED, FILE_FAILED };

/*
 * A slot of the table. Its id has the number of its lives in the upper bits, so that the id of a
 * file that was forgotten is not mistaken for its successor's. A life lasts ten minutes at least
 * (keep_ns) and slots are used in turn: an id comes back after 227 days at the earliest, and whoever
 * keeps ids drops those that are gone after each sweep (files_sweeps()).
 */
#define SLOT_BITS 16
#define MAX_LIVES (1u << 15) /* ids stay below FILE_VDSO */

struct file {
	uint32_t life, next_free;
	char *path;	   /* NULL: free slot */
	char *clean_path;  /* NULL if path is clean */
	char *opened_path; /* NULL if it is path */
	struct build_id key_id, build_id;
	uint32_t major, minor;
	uint64_t inode, generation; /* generation 0: not known yet */
	uint64_t born;		    /* counts up: the newest has the highest */
	enum file_state state;
	int fd, err;
	uint32_t borrowed;
	uint32_t root, root_generation; /* slot of roots[]; generation 0: none */
	struct root *held_root;		/* kept open while the file is borrowed */
	uint32_t attempts;
	pid_t last_tgid;
	uint64_t used_ns;
	bool deleted;
};

struct root {
	struct root_key key;
	int fd; /* -1: free slot */
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
	uint32_t refs; /* the owner and each worker */
	uint32_t n_workers, n_busy;
	bool stopping;
	struct worker *current;
	struct htab index; /* of slots */
	VEC(struct file) all;
	uint32_t free_first, free_last; /* a list of slots, the next one first; HTAB_NONE: none */
	VEC(uint32_t) open;		/* slots with a descriptor */
	size_t path_bytes;		/* of all paths, also in the queue */
	uint64_t swept_ns, n_born, n_sweeps;
	struct root roots[MAX_ROOTS];
	struct job *queue; /* ring of opts.max_queue */
	uint32_t q_head, q_len;
	struct files_stats stats;
};

/* Waits for a condition until a time of that clock. */
void files_wait(struct files *f, pthread_cond_t *cond, uint64_t deadline_ns);

/* Makes a new current worker. Also before anybody else knows f. 0 or -errno. */
int files_start_worker(struct files *f);
/* If the current worker hangs, leaves it to its fate and starts another. True: nobody works. */
bool files_replace_stuck_worker(struct files *f);
/* Has a file opened; the job's path is copied from `path`. False: the queue is full. */
bool files_enqueue(struct files *f, uint32_t slot, struct job job, const char *path, bool first);

/* The root a file was found under, or NULL. */
struct root *files_root_of(struct files *f, const struct file *file);
/* What a path counts in path_bytes. */
static inline size_t files_path_bytes(const char *path)
{
	return path ? strlen(path) + 1 : 0;
}

/* Closes the descriptor of a file, if it has one. */
void files_close(struct files *f, uint32_t slot);

/* Unlocked. Frees all once the owner and all workers have let go. */
void files_unref(struct files *f);

#endif
