/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machinery of a recording that may run for ever: loads the sampler, follows processes, drains the
 * kernel's counts and hands out one named window at a time. What to record and for how long, and what
 * becomes of a window, is its owner's policy. Memory is bounded, whatever the owner does.
 *
 *	collector_open() .. collector_watch() .. collector_start()
 *	while it goes on: collector_turn(); now and then collector_end_window()
 *	collector_stop(); collector_end_window() for the rest; collector_close()
 *
 * One thread at a time; the collector has threads of its own for opening files and compiling tables.
 */
#ifndef KILN_COLLECT_COLLECTOR_H
#define KILN_COLLECT_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/collect/named_window.h"
#include "profiler/sampler/sampler.h"

struct collector;
struct debuginfod;
struct symbolizer;

enum collect_scope {
	COLLECT_ALL,	 /* the whole machine, but for the filters in struct sampler_opts */
	COLLECT_TARGETS, /* what collector_watch() and collector_add() name, and what they fork */
};

struct collector_opts {		     /* what it points to is borrowed until the end */
	struct sampler_opts sampler; /* filter_tgids is set from the scope; window_ns: time
					   between drains of the kernel's counts */
	enum collect_scope scope;
	const char *const *user_labels; /* "key=value", NULL-terminated, or NULL */
	bool names_only;		/* no lines, no inlined calls */
	bool no_sandbox;		/* read foreign files in this very process */
	struct debuginfod *debuginfod;	/* where debug files may come from; or NULL */
	/* Samples in code made at run time that nothing names yet join the next window while their
	 * program lives and there is room: some JIT compilers write names at their end. */
	bool waits_for_names;
	size_t aggregate_bytes; /* see collector_wants_window(); 0: 8 MiB */
};

/* Loads everything; nothing is sampled yet. On failure *why is a sentence for people that says what to
 * do. 0 or -errno. */
int collector_open(struct collector **out, const struct collector_opts *opts, const char **why);
void collector_close(struct collector *c);

/* A process that runs, as a target; its end is noticed. -ESRCH with *why: there is none. */
int collector_watch(struct collector *c, pid_t tgid, const char **why);
/* A process that the owner has just forked, as a target. 0 or -errno. */
int collector_add(struct collector *c, pid_t tgid);
/* Whether all processes of collector_watch() have ended, and there was one. As of the last turn. */
bool collector_targets_gone(const struct collector *c);

/* Reads what is mapped already: all processes with tgid 0, else one that may be gone. 0 or -errno. */
int collector_scan(struct collector *c, pid_t tgid, const char **why);

/* Begins to sample. As collector_open(). */
int collector_start(struct collector *c, const char **why);
/* After this nothing is sampled any more. */
void collector_stop(struct collector *c);

/*
 * One turn: sleeps until there may be something to do, at most timeout_ms, then takes what the kernel
 * has to say and drains its counts when that is due. Before collector_start() it follows processes. A
 * turn that fails is tried again by the next; 0, or -errno when samples cannot be read.
 */
int collector_turn(struct collector *c, int timeout_ms);

/*
 * Whether the window should end soon although its owner could wait: it has grown to aggregate_bytes, or
 * is so old that files it has seen might be closed before they are named.
 */
bool collector_wants_window(const struct collector *c);

/* Drains what is left, names it and begins the next window. `last`: sampling has stopped, and stacks
 * that wait for tables may take longer. The window is the caller's. 0 or -errno. */
int collector_end_window(struct collector *c, bool last, struct named_window *out);

struct collector_progress {
	uint64_t sampling_ns, samples, lost; /* since collector_start() */
};
void collector_progress(struct collector *c, struct collector_progress *out);

const char *collector_event(const struct collector *c); /* "cpu-clock" or "cycles" */
size_t collector_cpus(const struct collector *c);
/* CLOCK_BOOTTIME of collector_start(); 0 before it. */
uint64_t collector_start_ns(const struct collector *c);

/* The symbolizer is the caller's from then on: it may have line tables to build when nobody waits. No
 * window can be named any more. */
struct symbolizer *collector_take_symbolizer(struct collector *c);

#endif
