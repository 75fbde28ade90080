/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the agent within its share of CPU: it samples less often while it costs too much, and more often
 * again when it can afford to. Where fewer samples save next to nothing, it takes them back and says so: short-lived
 * processes cost what they cost. Pure: it is handed the clock and the cost. One sample stands for more time
 * at a lower frequency, so sums stay right.
 */
#ifndef KILN_AGENT_GOVERNOR_H
#define KILN_AGENT_GOVERNOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOVERNOR_LOOK_NS 10000000000ull /* how often it looks, unless told otherwise */
#define GOVERNOR_LOOKS	 6		/* what it judges by: the last minute */
/* Of a new frequency it knows nothing before so many looks; nor of the start, when everything is named for
 * the first time. */
#define GOVERNOR_SETTLE 3
#define GOVERNOR_START	12
/* It samples more often when that would cost less than this share of the limit, in per cent. */
#define GOVERNOR_CALM 70
/* Some of the cost does not grow with the frequency. So after so many calm looks it samples more often as a trial;
 * after one that failed it waits twice as long, up to an hour. */
#define GOVERNOR_TRIAL	    30
#define GOVERNOR_TRIAL_MOST 360
/* A lower frequency is in vain if it saves less than this share, in per cent, of what it would save if all of the
 * cost grew with the frequency. Then it is not lowered again for a while: GOVERNOR_TRIAL looks, doubled each time. */
#define GOVERNOR_IN_VAIN 25

struct governor {
	uint64_t every_ns;  /* how often it looks; may be set after governor_init() */
	uint64_t limit_ppm; /* of one CPU */
	uint64_t wanted_hz, hz;
	uint64_t look_ns, used_ns;	   /* at the last look */
	uint64_t cost_ppm[GOVERNOR_LOOKS]; /* of one CPU, between two looks; the latest at n - 1 */
	size_t n;			   /* looks that count, since the frequency changed */
	size_t wait;			   /* looks that do not count yet */
	size_t calm, trial_after;	   /* looks: how many were calm, and how many it takes */
	bool on_trial;			   /* the frequency was raised as a trial */
	uint64_t throttled_ns;		   /* time at a lower frequency than wanted */
	uint64_t judged_ppm;		   /* the cost that the last judgement was about */
	bool is_over; /* over its limit, and nothing can be done: at the lowest frequency, or in vain */
	uint64_t from_hz, from_ppm; /* before it was lowered last; 0: it was raised since */
	size_t stay, stay_after;    /* looks: how long it is not lowered; how long next time */
};

/* `share_ppm` is of one CPU for every two of n_cpus. */
void governor_init(struct governor *g, uint64_t share_ppm, size_t n_cpus, uint64_t wanted_hz,
		   uint64_t now_ns, uint64_t used_ns);
/* Another limit or another wanted frequency, from now on. */
void governor_set(struct governor *g, uint64_t share_ppm, size_t n_cpus, uint64_t wanted_hz);

/* What the agent has used since it began. True if g->hz has changed. */
bool governor_look(struct governor *g, uint64_t now_ns, uint64_t used_ns);

/* Mean cost over what counts, in millionths of one CPU. */
uint64_t governor_cost_ppm(const struct governor *g);

#endif
