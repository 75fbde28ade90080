/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent costs: CPU time of its processes, and of its BPF programs, which run in other people's
 * time. The kernel counts the run time of programs only while somebody wants it, for all programs of the
 * host; so it is measured for some seconds now and then, and taken for the same in between. Where the
 * kernel does not let us measure, a sample is taken to cost SELF_COST_SAMPLE_NS.
 */
#ifndef KILN_AGENT_SELF_COST_H
#define KILN_AGENT_SELF_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/vec.h"

struct buf;
struct sampler;

#define SELF_COST_MEASURE_NS 10000000000ull  /* so long */
#define SELF_COST_EVERY_NS   600000000000ull /* ... in so long */
#define SELF_COST_MAX	     256	     /* processes */
#define SELF_COST_SAMPLE_NS  20000	     /* a stack of 40 frames, with cold caches */

/* Whose time it is. A process counts as the one of these that started it. X(id, "the process's name") */
#define SELF_COST_PARTS(X)                                                                         \
	X(supervisor, "kiln")                                                                      \
	X(sampler, "kiln-sampler")                                                                 \
	X(writer, "kiln-writer")                                                                   \
	X(server, "kiln-server")                                                                   \
	X(uploader, "kiln-uploader")                                                               \
	X(debuginfo, "kiln-debuginfo")                                                             \
	X(other, "")                                                                               \
	X(bpf, "") /* programs in the kernel */

enum self_part {
#define X(id, ...) SELF_PART_##id,
	SELF_COST_PARTS(X)
#undef X
		SELF_PARTS
};

struct self_process {
	pid_t pid;
	enum self_part part;
	uint64_t cpu_ns;
	bool seen;
};

#define SELF_COST_LOOKS 6

struct self_cost {
	pid_t root;			   /* the agent's first process */
	VEC(struct self_process) children; /* it, and all below it */
	uint64_t gone_ns[SELF_PARTS];	   /* CPU time of those that have ended */
	uint64_t part_ns[SELF_PARTS];	   /* all, as of the last call of self_cost_ns() */
	struct {
		uint64_t at_ns, part_ns[SELF_PARTS];
	} looks[SELF_COST_LOOKS + 1]; /* the latest is the last */
	int run_time_fd;	      /* counts while it is open; or -1 */
	uint64_t measure_ns;	      /* when counting began or ended */
	uint64_t run_ns, ticks;	      /* when it began */
	uint64_t sample_ns;	      /* what a sample was measured to cost */
	uint64_t used_ticks, used_ns; /* of BPF programs, so far */
};

/* root: the first of the agent's processes; all others are below it. */
void self_cost_init(struct self_cost *c, pid_t root, uint64_t now_ns);
void self_cost_release(struct self_cost *c);
/* Sampling begins anew: counters are back at zero. */
void self_cost_restart(struct self_cost *c, uint64_t now_ns);

/* The agent's processes, as of the last call of self_cost_ns(), up to max of them: how many. */
size_t self_cost_pids(const struct self_cost *c, pid_t *pids, size_t max);

/* "uploader" */
const char *self_part_name(enum self_part part);

/* CPU time since the beginning, of everything; and of each part, in c->part_ns. now_ns: CLOCK_MONOTONIC. */
uint64_t self_cost_ns(struct self_cost *c, struct sampler *s, uint64_t now_ns);

/* Appends " (sampler 0.61, uploader 0.42)", in per cent of a CPU, over the last looks: calls of self_cost_ns(). Parts
 * that do not matter are left out. n is at most SELF_COST_LOOKS. */
void self_cost_print(const struct self_cost *c, size_t n, struct buf *out);

#endif
