/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process table: what was mapped where, in which process, at which time. It is fed by the perf
 * sideband (sideband.h), by a scan of /proc at the start, and by reported mappings. It answers
 * which file and offset an address is in, for processes that may have ended, called exec, or lost
 * their pid to another process. Pure memory, except procs_scan(), which reads /proc.
 *
 * An image is one program in one process: it begins with fork or exec and ends with exec or exit.
 * The images of a tgid form a timeline without overlaps. Mappings of an image have the time at
 * which they were made. All times are CLOCK_BOOTTIME nanoseconds, as perf (clockid) and BPF stamp
 * them. All threads of a process share its images (key: tgid). Not thread-safe.
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

/* Borrows opts->files and the callback's context. 0 or -ENOMEM. */
int procs_new(struct procs **out, const struct procs_opts *opts);
void procs_free(struct procs *p);

/*
 * Reads /proc: of all processes (tgid 0) or of one. Mappings get the time now_ns, images their
 * process's start time. Processes that end meanwhile are skipped. Those whose mappings cannot be
 * read within seconds are skipped with a warning. 0 or -errno.
 */
int procs_scan(struct procs *p, pid_t tgid, uint64_t now_ns);

/* Events, in the order of time. An event makes an unknown process known. Out of memory or room,
 * an event is dropped and counted. */
void procs_fork(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid, pid_t parent_tgid);
void procs_comm(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid, const char *comm, bool exec);
void procs_exit(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid);

/* A new mapping replaces whatever it overlaps (mmap(2) MAP_FIXED, or after munmap(2)). */
void procs_mmap(struct procs *p, uint64_t t_ns, pid_t tgid, const struct proc_mapping *m);

/* The program that ran then has mapped its jitdump (map_is_jitdump()); monotonic_ns: as in struct proc_image. */
void procs_jitdump(struct procs *p, uint64_t t_ns, pid_t tgid, uint32_t file, int64_t monotonic_ns);

/* Whose process it was then: the real user id, or UINT32_MAX, and the number in its own pid namespace, or 0. No event
 * tells either. procs_see_owner() reads it from /proc if it is not known yet. */
void procs_owner(struct procs *p, uint64_t t_ns, pid_t tgid, uint32_t uid, pid_t ns_tgid);
void procs_see_owner(struct procs *p, uint64_t t_ns, pid_t tgid);
/* Reads the same of its forebears that are still there. */
void procs_see_forebears(struct procs *p, uint64_t t_ns, pid_t tgid);

/*
 * Takes a snapshot. What the image of that time has mapped no more ended then, what is new was
 * mapped then, and what is equal stays. The first snapshot of an image counts from its beginning:
 * what it got from its parent, and earlier guesses, may be wrong, and no sample of it is older.
 * Call in the order of time for each process, after all events up to that time. Later events may
 * have come before and stay in force. A snapshot older than the image's last one is ignored.
 */
void procs_snapshot(struct procs *p, const struct proc_snapshot *s);

/* Notes a snapshot that was too large to report. Known mappings stay. These, and what /proc adds
 * later, have this version. */
void procs_snapshot_cut(struct procs *p, pid_t tgid, uint64_t t_ns, uint32_t version);

/*
 * Mappings that the program running in this process has now, by address, borrowed until the next
 * event. NULL, with *n 0, if the process is unknown or has ended. *version (may be NULL) is the
 * version of the snapshot that equals these mappings; 0 if there was none since the program began,
 * or if something else has changed them.
 */
const struct proc_mapping *procs_live(struct procs *p, pid_t tgid, size_t *n, uint32_t *version);

/* What an address was at a time. */
enum place_kind {
	PLACE_FILE,	/* file + file_off */
	PLACE_VDSO,	/* file_off = offset into the vDSO image */
	PLACE_ANON,	/* executable anonymous memory: JIT */
	PLACE_UNMAPPED, /* the process is known, but no mapping there */
	PLACE_NO_PROCESS,
};

struct place {
	enum place_kind kind;
	/* PLACE_FILE; of PLACE_ANON, a file next to it whose code it may turn out to be a copy of, or
	 * FILE_NONE. */
	uint32_t file;
	uint64_t file_off;
	uint64_t image; /* id of the image, never used again; IMAGE_NONE if there is none */
	bool is_cut;	/* the last snapshot was too large to report, see procs_snapshot_cut() */
};

/*
 * Finds out what address va of a process was at a time. An unknown process, or a time outside its
 * images, gives PLACE_NO_PROCESS. A known process without a mapping there gives PLACE_UNMAPPED.
 * Some programs copy their code to anonymous memory with huge pages, at the same addresses. An address there
 * is in their file, if mappings next to it are, and the file has code at that distance from them.
 * *out is always filled.
 */
void procs_resolve(struct procs *p, pid_t tgid, uint64_t t_ns, uint64_t va, struct place *out);

/* Mappings at a time: first those that still exist, by address; then those that were replaced
 * since. They do not overlap. */
struct procs_view {
	VEC(struct proc_mapping) mappings;
	size_t n_live; /* how many of them still exist */
};
/*
 * Fills *out with the mappings of a process at a time. An unknown process or time gives an empty
 * view, which is no error. Reuses out's memory; release it with vec_release(&out->mappings). 0 or
 * -ENOMEM.
 */
int procs_view(struct procs *p, pid_t tgid, uint64_t t_ns, struct procs_view *out);

/* Gives the image that ran in a process at a time, for labels and hints; NULL if the process or
 * that time is unknown. Borrowed until the next event or expiry. */
const struct proc_image *procs_image(struct procs *p, pid_t tgid, uint64_t t_ns);

/* Drops images that ended more than linger_ns ago. Call once a window. */
void procs_expire(struct procs *p, uint64_t now_ns);

void procs_stats(const struct procs *p, struct procs_stats *out);

#endif
