/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The collector: the machinery of a recording that may run for ever. It loads the sampler, follows
 * processes, drains the kernel's counts and hands out one named window at a time. Its owner decides
 * what to record, for how long, and what happens to a window. Memory is bounded whatever the owner
 * does.
 *
 *   collector_open(), collector_watch(), collector_start()
 *   while it goes on: collector_turn(); now and then collector_end_window()
 *   collector_stop(); collector_end_window() for the rest; collector_close()
 *
 * One thread at a time. The collector has its own threads for opening files and compiling tables.
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
	/* The whole machine, except what the filters in struct sampler_opts leave out. */
	COLLECT_ALL,
	/* The processes of collector_watch() and collector_add(), and their descendants. */
	COLLECT_TARGETS,
};

struct collector_opts { /* what it points to is borrowed until collector_close() */
	/* The scope sets filter_tgids; window_ns is the time between drains. */
	struct sampler_opts sampler;
	enum collect_scope scope;
	const char *const *user_labels; /* "key=value", NULL-terminated, or NULL */
	bool names_only;		/* no lines, no inlined calls */
	bool executables;		/* a label says which program a process runs */
	bool no_sandbox;		/* read foreign files in this process */
	bool sheds_privileges;		/* once the programs are loaded: privileges_record() */
	struct debuginfod *debuginfod;	/* source of debug files, or NULL */
	/*
	 * Hold samples back in code made at run time without names. They join the next window while
	 * their program lives and there is room. Some JIT compilers write names at their end.
	 */
	bool waits_for_names;
	/* Asked some times a second while names are made after the end of sampling: true leaves the others out. Or NULL. */
	bool (*gives_up)(void);
	/* Called some times a second while names are made, which may take long on a busy machine. Or NULL. */
	void (*naming)(void *ctx);
	void *naming_ctx;
	size_t aggregate_bytes; /* see collector_wants_window(); 0: 8 MiB */
	uint64_t idle_ns;	/* how long files that are not used stay open; 0: two minutes */
	size_t symbol_bytes;	/* what the reader of symbols keeps of parsed files; 0: 64 MiB */
};

/* Loads everything; sampling does not start yet. On failure *why is a sentence for the user that
 * says what to do. 0 or -errno. */
int collector_open(struct collector **out, const struct collector_opts *opts, const char **why);
void collector_close(struct collector *c);

/* Adds a running process as a target, and watches for its end. -ESRCH with *why: there is none. */
int collector_watch(struct collector *c, pid_t tgid, const char **why);
/* Adds a process that the owner has just forked as a target. 0, or -errno with *why. */
int collector_add(struct collector *c, pid_t tgid, const char **why);
/* CPU time that the targets used in all, as the kernel told who waited for them. */
void collector_used(struct collector *c, uint64_t used_ns);
/* True if there were processes of collector_watch() and all had ended at the last turn. */
bool collector_targets_gone(const struct collector *c);

/* Processes that it samples, also those that have just ended: at most `max` of them. None where it samples without
 * root, or in another pid namespace than the initial one. */
size_t collector_targets(struct collector *c, pid_t *out, size_t max);

/* Reads existing mappings from /proc: of all processes with tgid 0, else of one, which may have
 * ended. 0 or -errno. */
int collector_scan(struct collector *c, pid_t tgid, const char **why);

/* Starts sampling. Errors as from collector_open(). */
int collector_start(struct collector *c, const char **why);
/* Stops sampling. */
void collector_stop(struct collector *c);

/*
 * One turn. Sleeps until there may be something to do, at most timeout_ms. Then reads the kernel's
 * rings, and drains the counts when that is due. Before collector_start() it only follows
 * processes. The next turn retries what failed. 0, or -errno if samples cannot be read.
 */
int collector_turn(struct collector *c, int timeout_ms);

/*
 * True if the window should end soon, even if its owner could wait. It has reached aggregate_bytes,
 * or it is so old that some of its files might be closed before they are named.
 */
bool collector_wants_window(const struct collector *c);

/* Samples the window after this one at another frequency, at most that of collector_open(). A window has
 * one frequency, so end this one soon. */
void collector_set_frequency(struct collector *c, uint64_t freq_hz);

/* Drains the rest, names it, and begins the next window. `last`: sampling has stopped, so stacks
 * may wait longer for tables. The caller owns the window. 0 or -errno. */
int collector_end_window(struct collector *c, bool last, struct named_window *out);

struct collector_progress {
	uint64_t sampling_ns, samples, lost; /* since collector_start() */
};
void collector_progress(struct collector *c, struct collector_progress *out);

/* Offers files that samples are taken in to whoever reads the socket, which it takes (file_offers.h); -1: to nobody any
 * more. others: those that are not root's, too. 0 or -errno. */
int collector_offer_files(struct collector *c, int sock, bool others);
struct file_offers_stats;
void collector_offer_stats(const struct collector *c, struct file_offers_stats *out);

/* For its counters: borrowed. NULL: it samples without root. */
struct sampler *collector_sampler(struct collector *c);

const char *collector_event(const struct collector *c); /* "cpu-clock" or "cycles" */
size_t collector_cpus(const struct collector *c);
/* CLOCK_BOOTTIME of collector_start(); 0 before. */
uint64_t collector_start_ns(const struct collector *c);

/* Gives the symbolizer to the caller, who may build line tables with it later. No window can be
 * named after that. */
struct symbolizer *collector_take_symbolizer(struct collector *c);

#endif
