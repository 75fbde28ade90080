/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the kernel half: loads the BPF programs, opens one perf event on each online CPU, follows
 * CPU hotplug, and reads counters. drain.h reads the counts. One thread.
 */
#ifndef KILN_SAMPLER_SAMPLER_H
#define KILN_SAMPLER_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"
#include "profiler/sampler/sampler_opts.h"

struct sampler;
struct profile_bpf;

/*
 * Loads programs and maps. From then on descendants of targets are followed. Sampling does not start yet. On failure *why is a sentence for the user
 * that says what to do. 0 or -errno.
 */
int sampler_load(struct sampler **out, const struct sampler_opts *opts, const char **why);
void sampler_free(struct sampler *s);

/* Adds a process by its number in the own pid namespace, and the descendants that it forks from now on.
 * 0 or -errno. */
int sampler_add_target(struct sampler *s, pid_t tgid);
/* Targets that are alive, or have just ended: how many. The first `max` are stored by their numbers in the initial
 * pid namespace. */
size_t sampler_targets(struct sampler *s, pid_t *out, size_t max);
/* Whether those numbers are this process's, too. */
bool sampler_numbers_are_own(const struct sampler *s);

/* Opens and enables the events. 0 or -errno, with *why as above. */
int sampler_start(struct sampler *s, const char **why);
/* Disables the events. When it returns, no program runs any more. */
void sampler_stop(struct sampler *s);

/* Nothing is sampled until sampler_resume(), and for the totals no time passes. */
void sampler_pause(struct sampler *s);
/* Goes on, at another frequency: at most the one it was loaded with, which sized the maps. Totals stay sums
 * of periods, of whatever length each was. 0 or -errno: it goes on as it was. */
int sampler_resume(struct sampler *s, uint64_t freq_hz);

/* Call about once a second. Opens events on CPUs that came online, and keeps the sums of CPUs
 * that went. */
int sampler_follow_cpus(struct sampler *s);

/* "cpu-clock" or "cycles". */
const char *sampler_event_name(const struct sampler *s);
/* True if user stacks are walked by tables. Then the caller has to fill the tables' maps. */
bool sampler_uses_tables(const struct sampler *s);
/* True if samples report mappings (bpf/mappings.bpf.h). Otherwise mapping events are needed. */
bool sampler_reports_mappings(const struct sampler *s);
/*
 * From now on the size of this file, the perf map of a process, belongs to the keys of its samples. fd may be a
 * handle (O_PATH), and be closed afterwards: should the kernel forget the file, its size counts as unknown. Call
 * again from time to time. Only where samples report mappings. 0 or -errno.
 */
int sampler_watch_perf_map(struct sampler *s, pid_t tgid, int fd);
void sampler_forget_perf_map(struct sampler *s, pid_t tgid);
/* Nanoseconds that one sample stands for. */
uint64_t sampler_period_ns(const struct sampler *s);
size_t sampler_cpu_count(const struct sampler *s);

/* What stops of threads did to their programs, where these are how samples are taken. */
struct sampler_stops {
	uint64_t held_ns;   /* threads were stopped for at most so long */
	uint64_t ended;	    /* system calls that ended with EINTR */
	uint64_t restarted; /* system calls that the kernel started again */
	uint64_t full;	    /* processes and threads left out: there are too many */
};

struct sampler_totals {
	uint64_t counters[KILN_CTR_COUNT];   /* summed over CPUs */
	uint64_t walk_end[UNWIND_END_COUNT]; /* table walks, by the reason for their end */
	uint64_t expected; /* timer periods that passed on the sampled CPUs, gaps included */
	/* Of these, on an idle CPU, whether its timer slept or not (cpu_stat.h). */
	uint64_t idle;
	uint64_t stolen; /* of these, while the hypervisor ran something else */
	uint64_t
		timer_overrun; /* of these, periods in which the timer of a busy CPU did not fire */
	uint64_t cpu_gap;      /* of these, while a CPU was online and not yet sampled */
	/* Of these, of samplers without BPF programs: a ring had no room, a thread could not be looked at, a program may
	 * not be sampled. */
	uint64_t ring_full, unseen, privileged;
	struct sampler_stops stops;
};
int sampler_totals(struct sampler *s, struct sampler_totals *out);

/* For those who read its maps and programs. */
struct profile_bpf *sampler_skeleton(struct sampler *s);

#endif
