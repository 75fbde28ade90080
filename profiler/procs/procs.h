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
#include "profiler/procs/proc_facts.h"

struct procs;

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

/* Replaces whatever it overlaps (mmap(2) MAP_FIXED, a later mapping after munmap(2)). */
void procs_mmap(struct procs *p, uint64_t t_ns, pid_t tgid, const struct proc_mapping *m);

/* The program running then has mapped its jitdump (map_is_jitdump()). */
void procs_jitdump(struct procs *p, uint64_t t_ns, pid_t tgid, uint32_t file);

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

#define IMAGE_NONE UINT64_MAX

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
	uint64_t image; /* id of the image, never given out again; IMAGE_NONE if none */
};

void procs_resolve(struct procs *p, pid_t tgid, uint64_t t_ns, uint64_t va, struct place *out);

/* All that: what was in place then and still is, by address; then what was replaced since, which is
 * not in the way of it. 0 or -ENOMEM. */
struct procs_view {
	VEC(struct proc_mapping) mappings;
	size_t n_live; /* the first so many */
};
int procs_view(struct procs *p, pid_t tgid, uint64_t t_ns, struct procs_view *out);

/* The image of a process at a time, for labels and hints; NULL if unknown. */
const struct proc_image *procs_image(struct procs *p, pid_t tgid, uint64_t t_ns);

/* Drops dead images older than linger_ns; call once a window. */
void procs_expire(struct procs *p, uint64_t now_ns);

void procs_stats(const struct procs *p, struct procs_stats *out);

#endif
