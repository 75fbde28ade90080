/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the process table: tgids, the timelines of their images, and who goes first when
 * memory is short (table.c). What events mean is procs.c's business, what /proc says scan.c's, which
 * enters by procs_add_scanned(). Internal to profiler/procs.
 */
#ifndef KILN_PROCS_TABLE_H
#define KILN_PROCS_TABLE_H

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/procs/proc_facts.h"
#include "profiler/procs/space.h"

struct image {
	struct proc_image pub;
	struct space space;
	struct image *older, *newer; /* in the queue of the dead */
	bool scanned;		     /* begins with what /proc said, to the clock tick */
	bool discovered;	     /* begins with the first event about it, not with its first */
	bool is_seen;		     /* by a snapshot, the last of which is of seen_ns */
	uint64_t seen_ns;
	uint32_t version; /* of the snapshot that has just this mapped, or 0 */
	bool is_cut;	  /* that told of none */
};

/* All that is known of a tgid: several processes one after the other, if the pid was reused. */
struct proc {
	pid_t tgid;
	bool leader_gone;      /* of the newest image, as is threads */
	struct htab threads;   /* live threads but the leader: the tid is the id */
	struct image **images; /* ascending, without overlaps */
	uint32_t n_images, cap_images;
	/* When /proc was last read, and the stamp its mappings got; 0 if never. */
	uint64_t scan_from_ns, scan_to_ns, scan_stamp_ns;
};

struct procs {
	struct procs_opts opts;
	struct htab index; /* tgid -> all.data[] */
	VEC(struct proc *) all;
	VEC(uint32_t) free_ids;
	struct proc *last; /* that was looked for: events and frames come in runs */
	struct image *dead_oldest, *dead_newest;
	uint64_t next_image_id;
	struct space_total total; /* all bytes, also of images and procs */
	struct procs_stats stats;
};

static inline bool image_is_alive(const struct image *im)
{
	return im->pub.end_ns == UINT64_MAX;
}

static inline uint64_t table_tid_hash(pid_t tid)
{
	return hash_u64((uint32_t)tid);
}

/* For tables whose ids are their own keys. */
bool table_same_id(const void *ctx, uint32_t id);

struct proc *table_find(struct procs *p, pid_t tgid);
void table_add_thread(struct procs *p, struct proc *proc, pid_t tid);
void table_clear_threads(struct procs *p, struct proc *proc);

/* Number of images that begin at or before t. */
uint32_t images_until(const struct proc *proc, uint64_t t_ns);
/* The image that ran then, or NULL. */
struct image *table_image_at(const struct proc *proc, uint64_t t_ns);
bool table_is_newest(const struct proc *proc, const struct image *im);

/* A new image, alive, in the timeline of tgid; its predecessor ends there. NULL: no room. */
struct image *table_begin_image(struct procs *p, uint64_t t_ns, pid_t tgid);
/* Ends an image, which then waits for its expiry. */
void table_bury(struct procs *p, struct image *im, uint64_t end_ns);
/* Forgets an image; the last one of a tgid takes its proc along. */
void table_drop_image(struct procs *p, struct image *im);

/* True if there is room, after evicting the dead if need be. `keep` is not evicted. */
bool table_make_room(struct procs *p, const struct image *keep);
size_t table_bytes(const struct procs *p);

/* --- what procs_scan() read of one process ---------------------------------------------------- */

struct scanned {
	pid_t tgid, parent_tgid, ns_tgid;
	uint32_t uid;
	/* /proc/PID/stat gives the start in clock ticks: at most one tick before the truth. */
	uint64_t start_ns;
	uint64_t now_ns; /* what the mappings are stamped with */
	/* Clock before and after reading. Events stamped in between may be in what was read or not. */
	uint64_t from_ns, to_ns;
	char comm[16];
	const pid_t *tids; /* all but the leader's */
	size_t n_tids;
	bool has_all_tids; /* not so where they could not be read */
	bool leader_gone;  /* the main thread has exited, others run */
	const struct proc_mapping *mappings;
	size_t n_mappings;
	uint32_t exe, jitdump; /* file ids, or FILE_NONE */
};

/* 0 or -ENOMEM. */
int procs_add_scanned(struct procs *p, const struct scanned *s);

/*
 * What was read of a process that may have been followed all along: like the above, and what it has
 * not mapped any more ends; a program whose file it maps no more was exec'ed over. 1 if anything is
 * different now, else 0, or -ENOMEM.
 */
int procs_update_scanned(struct procs *p, const struct scanned *s);

/* There is no such process any more, says /proc; its image, if it is older than that, ends. */
void procs_gone(struct procs *p, uint64_t t_ns, pid_t tgid);

/* Reads /proc of one process again. What is new was mapped at since_ns, what is gone went then. 1 if
 * anything is different now, else 0; -ENOENT, -ESRCH (it is no more), -ETIMEDOUT or -errno. */
struct stall_guard;
int scan_again(struct procs *p, pid_t tgid, uint64_t since_ns, struct stall_guard *guard);

struct files *procs_files(const struct procs *p);

#endif
