/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a profile can be trusted, carried inside it: as pprof comments "kiln.KEY=VALUE", so that
 * every tool passes them on and people can read them.
 *
 * The accounting identity (all in samples):
 *	expected = idle + stolen + filtered + recorded + sum of losses
 * where recorded is the number of samples in the profile that are not themselves [lost samples].
 */
#ifndef KILN_PROFILE_QUALITY_H
#define KILN_PROFILE_QUALITY_H

#include <stdint.h>

#include "profiler/base/vec.h"

struct profile;

/* key, what a person reads, what to do about it. One row per way to lose a sample. */
#define LOSS_REASONS(X)                                                                            \
	X(map_full, "the count map was full", "shorter --window or lower -F")                      \
	X(update_failed, "a count could not be updated in the kernel", "report it")                \
	X(drain_failed, "counts could not be read back", "report it")                              \
	X(timer_overrun, "the timer fired late and skipped periods (busy hypervisor)",             \
	  "lower -F, or a quieter host")                                                           \
	X(cpu_gap, "a CPU came online before it was sampled", "nothing to do")                     \
	X(memory, "kiln ran out of memory", "free memory or profile less")

enum loss_reason {
#define X(key, text, cure) LOSS_##key,
	LOSS_REASONS(X)
#undef X
		LOSS_COUNT
};

const char *loss_key(enum loss_reason r);
const char *loss_text(enum loss_reason r);
const char *loss_cure(enum loss_reason r);

/* Counts of samples (stacks) or of frames weighted by samples. Key = comment key. */
#define QUALITY_COUNTERS(X)                                                                        \
	X(expected)	    /* timer periods on all sampled CPUs */                                \
	X(idle)		    /* hit the idle task */                                                \
	X(stolen)	    /* the hypervisor had the CPU: no time of this machine's */            \
	X(filtered)	    /* hit something that was not asked for */                             \
	X(recorded)	    /* in the profile */                                                   \
	X(user_complete)    /* user stack walked to the root */                                    \
	X(user_truncated)   /* user stack cut: too deep, or no way on */                           \
	X(user_missing)	    /* user stack wanted, none got */                                      \
	X(kernel_missing)   /* kernel stack wanted, none got */                                    \
	X(kernel_collision) /* bucket of the stack map was taken: exact path used, nothing lost */ \
	X(walked_kernel)    /* user stacks walked in the kernel by unwind tables alone */          \
	X(walked_fp)	    /* ... and those for which frame pointers were followed */             \
	X(walked_user) /* ... by the same tables in user space: something was not known yet */     \
	X(walked_libunwind) /* ... by libunwind */                                                 \
	X(raw_full)	    /* ... cut: there was no room to send the stack to user space */       \
	X(tables_late)	    /* ... walked by libunwind because a table was not ready in time */    \
	X(rescanned)	    /* processes of which /proc was read again */                          \
	X(frames)	    /* frames, weighted by samples */                                      \
	X(frames_named)	    /* of these, with a name from a symbol table, DWARF or a perf map */   \
	X(frames_fde)	    /* of these, named by a function start in .eh_frame */                 \
	X(sideband_lost)    /* events of processes lost by the kernel's ring */                    \
	X(mappings_unread)  /* samples that could not tell just then what was mapped */            \
	X(full_files)	  /* mappings whose file is not known: there was no room for more files */ \
	X(full_processes) /* programs and threads that were forgotten before their time */         \
	X(full_mappings)  /* mappings that were forgotten before their time, or not taken in */    \
	X(full_rescans)	  /* processes of which /proc should have been read again */               \
	X(full_tables)	  /* unwind tables that had to wait: all others were in use */             \
	X(full_stacks)	  /* stacks that came faster than they could be walked */                  \
	X(full_cgroups)	  /* cgroups without names */                                              \
	X(full_ksyms)	  /* code that came into the kernel, without names */                      \
	X(files_failed)	  /* files whose debug information made their reader fail */               \
	X(tables_failed)  /* files whose call frame information did */

/* More than anyone reads; a file from elsewhere could hold millions. */
#define QUALITY_MAX_BLAME 64

/* A binary whose samples are worse than they could be. */
struct quality_blame {
	char *module;	  /* owned */
	uint64_t frames;  /* seen in it */
	uint64_t unnamed; /* of these, without a name */
	uint64_t broken;  /* user stacks that ended in it before their root */
	char *hint;	  /* what to do, or NULL; owned */
};

struct quality {
#define X(key) uint64_t key;
	QUALITY_COUNTERS(X)
#undef X
	uint64_t lost[LOSS_COUNT];
	VEC(struct quality_blame) blame; /* worst first */
};

/* Sum of lost[]. */
uint64_t quality_lost(const struct quality *q);
/* expected - idle - stolen - filtered - recorded - lost: 0 when nothing is unaccounted for. */
int64_t quality_unaccounted(const struct quality *q);

/*
 * Writes the comments, replacing those of an earlier call and leaving others alone / reads them
 * back. A profile kiln did not write gives -ENODATA. 0 or -errno.
 *	kiln.expected=1980
 *	kiln.lost.map_full=3
 *	kiln.blame=120 100 0 "server" no symbols: install server-dbgsym
 *		(frames, unnamed, broken, module, and the hint if there is one)
 * At most QUALITY_MAX_BLAME binaries are written, read and merged.
 */
int quality_store(struct profile *p, const struct quality *q);
int quality_load(struct quality *q, const struct profile *p);
void quality_add(struct quality *dst, const struct quality *src); /* counters and losses only */
/* Blame too, summed by module, the first hint kept. 0 or -ENOMEM. */
int quality_merge(struct quality *dst, const struct quality *src);
void quality_release(struct quality *q);

#endif
