/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the process table: tgids, timelines of their images, and what goes first when
 * memory is short (table.c). procs.c knows the meaning of events. scan.c reads /proc and enters it
 * by procs_add_scanned(). Internal to profiler/procs.
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
	struct image *older, *newer; /* in the queue of ended images */
	bool scanned;		     /* begin_ns comes from /proc, exact to a clock tick */
	bool has_file;		     /* has mapped one: the program, or after that */
	bool is_seen;		     /* there was a snapshot; the last one is of seen_ns */
	uint64_t seen_ns;
	uint32_t version; /* of the snapshot that equals these mappings, or 0 */
	bool is_cut;	  /* that snapshot was too large to report */
};

/* Everything known about a tgid. If the pid was reused, this is several processes, one after the
 * other. */
struct proc {
	pid_t tgid;
	bool leader_gone;      /* of the newest image, like threads */
	struct htab threads;   /* live threads except the leader; the tid is the id */
	struct image **images; /* by time, without overlaps */
	uint32_t n_images, cap_images;
	/* When /proc was last read, and the time its mappings got; 0: never. */
	uint64_t scan_from_ns, scan_to_ns, scan_stamp_ns;
};

struct procs {
	struct procs_opts opts;
	struct htab index; /* tgid -> all.data[] */
	VEC(struct proc *) all;
	VEC(uint32_t) free_ids;
	struct proc *last; /* last one looked up: events and frames come in runs */
	struct image *dead_oldest, *dead_newest;
	uint64_t next_image_id;
	struct space_total total; /* of the whole table, including images and procs */
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

/* For hash tables whose ids are their own keys. */
bool table_same_id(const void *ctx, uint32_t id);

/* The entry of a tgid, or NULL if it is unknown. Borrowed until an image of it is dropped. */
struct proc *table_find(struct procs *p, pid_t tgid);
/* Adds a live thread, unless it is known. Without room it is left out and counted. */
void table_add_thread(struct procs *p, struct proc *proc, pid_t tid);
/* Forgets all threads: the process has called exec or ended. */
void table_clear_threads(struct procs *p, struct proc *proc);

/* Number of images that begin at or before t. */
uint32_t images_until(const struct proc *proc, uint64_t t_ns);
/* The image that ran at that time, or NULL. */
struct image *table_image_at(const struct proc *proc, uint64_t t_ns);
/* True if this is the last image in its timeline. */
bool table_is_newest(const struct proc *proc, const struct image *im);

/* Begins an image in the timeline of tgid. The image before it ends there. NULL if there is no
 * room, or out of memory. */
struct image *table_begin_image(struct procs *p, uint64_t t_ns, pid_t tgid);
/* Ends an image, which stays until it expires. */
void table_bury(struct procs *p, struct image *im, uint64_t end_ns);
/* Forgets an image. The last one of a tgid frees its proc, too. */
void table_drop_image(struct procs *p, struct image *im);

/* Frees all entries. */
void table_release(struct procs *p);

/* Parent has forked child: its nearest forebear. */
void table_note_forebear(struct proc_image *child, const struct proc_image *parent);

/* Makes room by evicting ended images, but not `keep`. False if there is no room. */
bool table_make_room(struct procs *p, const struct image *keep);
size_t table_bytes(const struct procs *p);

/* --- what procs_scan() read of one process ---------------------------------------------------- */

struct scanned {
	pid_t tgid, parent_tgid, ns_tgid;
	uint32_t uid;
	/* /proc/PID/stat has the start in clock ticks: at most one tick too early. */
	uint64_t start_ns;
	uint64_t now_ns; /* time that its mappings get */
	/*
	 * Time before and after reading. What was read may or may not include events between them.
	 */
	uint64_t from_ns, to_ns;
	char comm[16];
	const pid_t *tids; /* all but the leader's */
	size_t n_tids;
	bool has_all_tids; /* false if they could not be read */
	bool leader_gone;  /* the main thread has exited, others run */
	const struct proc_mapping *mappings;
	size_t n_mappings;
	uint32_t exe, jitdump;				    /* file ids, or FILE_NONE */
	int64_t monotonic_ns;				    /* as in struct proc_image */
	struct proc_forebear forebears[PROC_FOREBEARS_MAX]; /* as in struct proc_image */
};

/* Enters a process that was read from /proc. It may be known already. 0 or -ENOMEM. */
int procs_add_scanned(struct procs *p, const struct scanned *s);

/*
 * Enters what was read again of a process that may be known. Mappings that are gone end. If no
 * mapping of the program's file is left, there was an exec. 1 if anything may be different, else 0,
 * or -ENOMEM.
 */
int procs_update_scanned(struct procs *p, const struct scanned *s);

/* /proc has no such process any more. Ends its image, if that began before t_ns. */
void procs_gone(struct procs *p, uint64_t t_ns, pid_t tgid);

/*
 * Reads /proc of one process again. New mappings begin at since_ns, and missing ones end then. 1 if
 * anything may be different, else 0; -ENOENT or -ESRCH (the process has ended), -ETIMEDOUT (reading
 * hangs) or -errno.
 */
struct stall_guard;
int scan_again(struct procs *p, pid_t tgid, uint64_t since_ns, struct stall_guard *guard);

struct files *procs_files(const struct procs *p);

#endif
