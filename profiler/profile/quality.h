/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quality: how far a profile can be trusted. It is stored in the profile as pprof comments
 * "kiln.KEY=VALUE", so every tool keeps it and users can read it.
 *
 * The accounting identity, in samples:
 *   expected = idle + stolen + filtered + recorded + sum of losses
 * recorded is the number of samples in the profile without the [lost samples].
 */
#ifndef KILN_PROFILE_QUALITY_H
#define KILN_PROFILE_QUALITY_H

#include <stdint.h>

#include "profiler/base/vec.h"

struct buf;
struct profile;

/* Key, text for the user, and remedy: one row for each way to lose a sample. */
#define LOSS_REASONS(X)                                                                            \
	X(map_full, "the count map was full",                                                      \
	  "shorter --window or lower -F (of an agent: window, sampling.frequency)")                \
	X(update_failed, "a count could not be updated in the kernel", "report this as a bug")     \
	X(unattended, "kiln hung or was stopped, so the kernel took no more after a minute",       \
	  "see what kiln waits for: its log, and its stack in /proc/PID/stack")                    \
	X(drain_failed, "counts could not be read back", "report this as a bug")                   \
	X(timer_overrun, "the timer fired late and skipped periods (busy hypervisor)",             \
	  "lower -F (of an agent: sampling.frequency), or a quieter host")                         \
	X(cpu_gap, "a CPU came online before it was sampled", "nothing to do")                     \
	X(memory, "kiln ran out of memory", "free memory or profile less")                         \
	X(not_stored, "the agent could not store the window", "see the agent's log")               \
	X(untold, "a fleet's database keeps their number alone",                                   \
	  "the host's own agent names the reasons: kiln report there")                             \
	X(ring_full, "a ring of samples was full", "lower -F, or record as root")                  \
	X(unseen, "a thread ended or slept, or kiln was stopped, before it could be looked at",    \
	  "record as root")                                                                        \
	X(privileged, "programs with privileges of their own (set-user-id, capabilities) ran",     \
	  "record as root")

enum loss_reason {
#define X(key, text, cure) LOSS_##key,
	LOSS_REASONS(X)
#undef X
		LOSS_COUNT
};

const char *loss_key(enum loss_reason r);
const char *loss_text(enum loss_reason r);
const char *loss_cure(enum loss_reason r);

/*
 * Counters of samples or stacks, or of frames weighted by samples. The name is the comment's key.
 */
#define QUALITY_COUNTERS(X)                                                                        \
	X(expected)	    /* timer periods on all sampled CPUs */                                \
	X(idle)		    /* hit the idle task */                                                \
	X(stolen)	    /* the hypervisor had the CPU */                                       \
	X(filtered)	    /* hit something that was not wanted */                                \
	X(recorded)	    /* in the profile */                                                   \
	X(user_complete)    /* user stack walked to the root */                                    \
	X(user_truncated)   /* user stack cut: too deep, or the walk failed; or ends_leaf */       \
	X(ends_chain)	    /* of these, at the end of a chain of frame records, at no root */     \
	X(ends_zero)	    /* of these, at a return address of 0, at no root */                   \
	X(ends_uprobe)	    /* of these, at a return address that a uretprobe keeps */             \
	X(ends_compat)	    /* of these, in 32-bit code that was not walked */                     \
	X(ends_leaf)	    /* of these, at a root, but the leaf's caller may be missing */        \
	X(user_missing)	    /* user stack wanted, none got */                                      \
	X(kernel_missing)   /* kernel stack wanted, none got */                                    \
	X(kernel_collision) /* bucket of the stack map was taken: frames sent, nothing lost */     \
	X(walked_kernel)    /* user stacks walked in the kernel by unwind tables alone */          \
	X(walked_fp)	    /* ... and those for which frame pointers were followed */             \
	X(walked_user)	    /* ... by the same tables in user space */                             \
	X(walked_libunwind) /* ... by libunwind */                                                 \
	X(raw_full)	    /* ... cut: there was no room to send the stack to user space */       \
	X(tables_late)	    /* ... walked by libunwind because a table came too late */            \
	X(rescanned)	    /* processes that were rescanned */                                    \
	X(frames)	    /* frames, weighted by samples */                                      \
	X(frames_named)	    /* of these, with a name from a symbol table, DWARF or a perf map */   \
	X(frames_fde)	    /* of these, named by a function start in .eh_frame */                 \
	X(frames_short)	    /* of these, without a name because kiln ran out of memory */          \
	X(sideband_lost)    /* process events that the kernel's ring lost */                       \
	X(mappings_unread)  /* samples that could not read or send mappings */                     \
	X(full_files)	    /* mappings without a known file: the file table was full */           \
	X(full_processes)   /* programs and threads forgotten before their time */                 \
	X(full_mappings)    /* mappings forgotten before their time, or refused */                 \
	X(full_rescans)	    /* processes whose /proc should have been read again */                \
	X(full_tables)	    /* unwind tables that had to wait: all others were in use */           \
	X(jit_refused)	    /* descriptions of code made at run time: malformed, or too many */    \
	X(full_stacks)	    /* stacks that came faster than they could be walked */                \
	X(full_cgroups)	    /* cgroups without names */                                            \
	X(full_ksyms)	    /* code that came into the kernel and got no name */                   \
	X(files_failed)	    /* files on which a reader of debug information failed */              \
	X(tables_failed)    /* files on which a reader of call frame information failed */         \
	X(files_gone)	    /* files that were gone before their names were looked up */           \
	X(files_hung)	    /* openings given up because a file server did not answer */           \
	X(restarts)	    /* processes of the agent that ended and were restarted */             \
	X(windows_lost)	    /* windows of the agent that are in no store */                        \
	X(unsampled_ms)	    /* time for which the agent's sampler was away */                      \
	X(stopped_us)	    /* without root: time for which threads were stopped to be read */     \
	X(calls_ended)	    /* ... system calls that ended with EINTR by that */                   \
	X(calls_restarted)  /* ... system calls that the kernel started again */

/* More are of no use, and a foreign file could hold millions. */
#define QUALITY_MAX_BLAME 64

/* Blame: a binary that makes the profile worse. */
struct quality_blame {
	char *module;	  /* owned */
	uint64_t frames;  /* frames in it */
	uint64_t unnamed; /* of these, without a name */
	uint64_t broken;  /* user stacks that ended in it before their root */
	char *hint;	  /* what to do, owned; or NULL */
};

struct quality {
#define X(key) uint64_t key;
	QUALITY_COUNTERS(X)
#undef X
	uint64_t lost[LOSS_COUNT];
	VEC(struct quality_blame) blame; /* worst first */
};

/* Sum of all losses. */
uint64_t quality_lost(const struct quality *q);
/* expected - idle - stolen - filtered - recorded - lost. 0 if every period is accounted for. */
int64_t quality_unaccounted(const struct quality *q);

/*
 * Stores q as comments of the profile: replaces those of an earlier call and keeps others.
 * quality_load() reads them back; -ENODATA if kiln did not write the profile. 0 or -errno.
 *   kiln.expected=1980
 *   kiln.lost.map_full=3
 *   kiln.blame=120 100 0 "server" no symbols: install server-dbgsym
 *   (frames, unnamed, broken, module, and the hint if there is one)
 * At most QUALITY_MAX_BLAME binaries are stored, read and merged.
 */
int quality_store(struct profile *p, const struct quality *q);
int quality_load(struct quality *q, const struct profile *p);
void quality_add(struct quality *dst, const struct quality *src); /* counters and losses only */
/* Adds blame as well, summed by module; the first hint that there is is kept. 0 or -ENOMEM. */
int quality_merge(struct quality *dst, const struct quality *src);
/* Forgets blame of binaries that are not in the profile: a part of what the quality is of. */
void quality_keep_blame(struct quality *q, const struct profile *p);
void quality_release(struct quality *q);

/*
 * A profile may be a part of what was recorded: samples whose labels match a condition. Losses have no labels,
 * so its quality is of everything that was recorded in its time, and it says so by a comment with the
 * condition. quality_where(): the condition, valid until the next change of the profile; NULL: it is no part.
 */
int quality_set_where(struct profile *p, const char *where);
const char *quality_where(const struct profile *p);

/* How a profile was sampled without root: "events" or "stops" (rootless.h). NULL: with BPF programs. Valid until the
 * next change of the profile. */
const char *quality_rootless(const struct profile *p);
/* Then a line for people: how it was taken, what it lacks, and what that cost. */
void quality_rootless_text(struct buf *out, const struct profile *p, const struct quality *q);

#endif
