/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process table: what was mapped where, in which process, at which time. Fed by the perf
 * sideband (sideband.h), by one scan of /proc at start and by what samples tell of their process;
 * answers "which file and offset is this address" for processes that may be long dead, exec'ed in
 * place, or whose pid is somebody else's by now. Pure memory: no /proc, file or disk access happens in here, apart from procs_scan().
 *
 * An "image" is one program in one process: it begins with fork or exec and ends with exec or exit.
 * Images of a tgid form a timeline without overlaps; mappings of an image carry the time they were
 * made. All times are CLOCK_BOOTTIME nanoseconds, as perf (clockid) and BPF stamp them. Several
 * threads of one process share images (key: tgid). Not thread-safe.
 */
#ifndef KILN_PROCS_PROCS_H
#define KILN_PROCS_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/vec.h"

struct procs;
struct files;

struct procs_opts {
	struct files *files; /* where file identities are interned (files.h); borrowed */
	uint64_t linger_ns;  /* how long a dead image is kept; 0 = 10 s */
	size_t max_bytes;    /* cap on the table; oldest dead images go first; 0 = 64 MiB */
	/* Called when a process has begun, ended, or changed what it has mapped; may be NULL. It must
	 * not change the table. */
	void (*changed)(void *ctx, pid_t tgid);
	void *changed_ctx;
};

int procs_new(struct procs **out, const struct procs_opts *opts);
void procs_free(struct procs *p);

/* Reads /proc once: all processes (tgid = 0) or one. Takes time `now` as the mappings' time but
 * the process's own start time as the image's begin. Vanishing processes are normal; those whose
 * mappings cannot be had within seconds are left out, with a warning. 0 or -errno. */
int procs_scan(struct procs *p, pid_t tgid, uint64_t now_ns);

/* Events, in time order. Events about unknown processes make them known. */
void procs_fork(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid, pid_t parent_tgid);
void procs_comm(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid, const char *comm, bool exec);
void procs_exit(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid);

struct proc_mapping {
	uint64_t start, len, file_off;
	uint32_t file; /* id in files, FILE_NONE for anonymous executable memory, or FILE_VDSO */
	uint64_t since_ns; /* when it was made */
};
#define FILE_NONE UINT32_MAX
#define FILE_VDSO (UINT32_MAX - 1)

/* Replaces whatever it overlaps (mmap(2) MAP_FIXED, a later mapping after munmap(2)). */
void procs_mmap(struct procs *p, uint64_t t_ns, pid_t tgid, const struct proc_mapping *m);

/* The program running then has mapped its jitdump (map_is_jitdump()). */
void procs_jitdump(struct procs *p, uint64_t t_ns, pid_t tgid, uint32_t file);

/* All that a process has mapped to be run at that time: seen by a sample of it, or by whoever knows
 * as exactly. */
struct proc_snapshot {
	pid_t tgid;
	uint64_t t_ns;
	uint32_t version; /* names this set of mappings, see procs_live(); not 0 */
	const struct proc_mapping *mappings; /* by address, without overlaps; since_ns is ignored */
	size_t n;
	uint32_t exe, jitdump; /* file ids, or FILE_NONE */
};

/*
 * What the image that ran then has not mapped any more ended at that time, what is new was mapped at
 * that time, and what is the same stays as it is. The first snapshot of an image counts from its
 * beginning on: what it got from its parent and earlier guesses may be wrong, and no sample of it is
 * older. In time order for one process, after all events up to that time; later ones may have come
 * before it, and stay in force. One that is older than the last of its image is ignored.
 */
void procs_snapshot(struct procs *p, const struct proc_snapshot *s);

/* The same of a process that has too much mapped to be told: what is known of it stays, whatever /proc
 * will add, and goes by this version. */
void procs_snapshot_cut(struct procs *p, pid_t tgid, uint64_t t_ns, uint32_t version);

/* What the program that runs in this process now has mapped, by address; NULL if it is not known to
 * run. Borrowed until the next event. *version (may be NULL) is that of the snapshot that has just
 * this mapped; 0 if there was none since the program began, or something else has changed it. */
const struct proc_mapping *procs_live(struct procs *p, pid_t tgid, size_t *n, uint32_t *version);

/* What an address was at that time. */
enum place_kind {
	PLACE_FILE,	/* file + file_off */
	PLACE_VDSO,	/* file_off = offset into the vDSO image */
	PLACE_ANON,	/* executable anonymous memory: JIT */
	PLACE_UNMAPPED, /* process known, nothing known to be mapped there */
	PLACE_NO_PROCESS,
};

struct place {
	enum place_kind kind;
	uint32_t file; /* PLACE_FILE */
	uint64_t file_off;
	uint32_t image; /* id of the image, valid until it is dropped; UINT32_MAX if none */
};

void procs_resolve(struct procs *p, pid_t tgid, uint64_t t_ns, uint64_t va, struct place *out);

/* All that: what was in place then and still is, by address; then what was replaced since, which is
 * not in the way of it. 0 or -ENOMEM. */
struct procs_view {
	VEC(struct proc_mapping) mappings;
	size_t n_live; /* the first so many */
};
int procs_view(struct procs *p, pid_t tgid, uint64_t t_ns, struct procs_view *out);

/* Facts about the image of a process at a time, for labels and hints; NULL if unknown. */
struct proc_image {
	uint32_t id;
	pid_t tgid, parent_tgid, ns_tgid; /* ns_tgid: in its own pid namespace; 0 unknown */
	uint32_t uid;			  /* UINT32_MAX unknown */
	uint64_t begin_ns, end_ns;	  /* end UINT64_MAX while alive */
	uint32_t exe;	    /* file id of the first executable mapping, or FILE_NONE */
	uint32_t jitdump;   /* file id of what its JIT compiler writes, or FILE_NONE */
	bool has_anon_exec; /* made executable anonymous memory: probably a JIT */
	char comm[16];	    /* of the main thread */
};
const struct proc_image *procs_image(struct procs *p, pid_t tgid, uint64_t t_ns);

/* Drops dead images older than linger_ns; call once a window. */
void procs_expire(struct procs *p, uint64_t now_ns);

struct procs_stats {
	uint64_t images, images_alive, mappings, bytes;
	uint64_t evicted;	  /* images dropped for max_bytes before their time */
	uint64_t mappings_capped; /* mappings refused: over 65536 in one image */
};
void procs_stats(const struct procs *p, struct procs_stats *out);

#endif
