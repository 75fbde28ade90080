/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half at work: loads the BPF programs, opens one perf event per online CPU, follows CPU
 * hotplug, and reads the counters. What the programs counted is read back by drain.h.
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
 * Loads programs and maps; nothing is sampled yet. On failure *why is a sentence for people that
 * says what to do. 0 or -errno.
 */
int sampler_load(struct sampler **out, const struct sampler_opts *opts, const char **why);
void sampler_free(struct sampler *s);

/* Adds a process and the descendants it forks from now on. 0 or -errno. */
int sampler_add_target(struct sampler *s, pid_t tgid);
/* Targets still alive (for -p: when it reaches 0 there is nothing left to sample). */
size_t sampler_count_targets(struct sampler *s);

/* Opens and enables the events. 0 or -errno, with *why as above. */
int sampler_start(struct sampler *s, const char **why);
/* Disables them: after this returns no program runs any more. */
void sampler_stop(struct sampler *s);

/* Call about once a second: re-opens events on CPUs that came back, and sums up gone ones. */
int sampler_follow_cpus(struct sampler *s);

/* "cpu-clock" or "cycles". */
const char *sampler_event_name(const struct sampler *s);
/* Whether user stacks are walked by tables: then somebody has to fill their maps. */
bool sampler_uses_tables(const struct sampler *s);
/* Whether samples tell what their process has mapped (bpf/mappings.bpf.h): else it takes events. */
bool sampler_reports_mappings(const struct sampler *s);
/* Nanoseconds one sample stands for. */
uint64_t sampler_period_ns(const struct sampler *s);
size_t sampler_cpu_count(const struct sampler *s);

struct sampler_totals {
	uint64_t counters[KILN_CTR_COUNT];   /* summed over CPUs */
	uint64_t walk_end[UNWIND_END_COUNT]; /* table walks by how they ended */
	uint64_t expected; /* timer periods that passed on the sampled CPUs, gaps included */
	uint64_t idle;	   /* of these, on an idle CPU, the timer asleep or not (cpu_stat.h) */
	uint64_t stolen;   /* of these, while the hypervisor ran something else */
	uint64_t
		timer_overrun; /* of these, periods in which the timer of a busy CPU did not fire */
	uint64_t cpu_gap;      /* of these, while a CPU was online and not yet sampled */
};
int sampler_totals(struct sampler *s, struct sampler_totals *out);

/* For drain.c. */
struct profile_bpf *sampler_skeleton(struct sampler *s);

#endif
