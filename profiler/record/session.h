/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One recording, from start to profile. It is a policy over the collector: it launches the command,
 * decides when the recording is over, and merges the windows.
 */
#ifndef KILN_RECORD_SESSION_H
#define KILN_RECORD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/collect/collector.h"
#include "profiler/record/children.h"
#include "profiler/record/inherited.h"
#include "profiler/record/launch.h"

struct debuginfod;
struct profile;
struct quality;
struct symbolizer;

struct session_opts {
	struct sampler_opts sampler; /* the session sets filter_tgids */
	const pid_t *tgids;	     /* -p */
	size_t n_tgids;
	char *const *argv; /* command to launch, or NULL */
	/* -a: sample everything; a command then only says when to stop. */
	bool everything;
	uint64_t duration_ns;		/* 0: until the target ends or a signal comes */
	uint64_t delay_ns;		/* before sampling starts */
	size_t max_bytes;		/* of the profile in memory; 0: MERGED_MAX_BYTES */
	const char *const *user_labels; /* "key=value", NULL-terminated, or NULL */
	bool names_only;		/* no lines, no inlined calls */
	bool no_sandbox;		/* read foreign files in this process */
	bool sheds_privileges; /* this process gives up what no recording needs: it is its only one */
	struct debuginfod *debuginfod; /* source of debug files, or NULL */
	/* Called once, when nothing can fail any more before samples come (or the delay begins). */
	void (*started)(void *ctx);
	/* Called a few times a second. */
	void (*progress)(void *ctx, const struct collector_progress *);
	void *ctx; /* of both */
};

struct session_result {
	struct profile *profile; /* owned by the caller; NULL on failure */
	const char *event;	 /* "cpu-clock" or "cycles" */
	size_t cpus;
	uint64_t elapsed_ns;
	uint64_t own_cpu_ns; /* CPU that kiln itself used while recording */
	uint64_t naming_ns;  /* from the last sample to the finished profile */
	bool launched;
	int exit_code;	      /* with -ENOEXEC: for the shell */
	struct launch child;  /* see session_end_command() */
	struct inherited was; /* until the result is released */
	pid_t missing_pid;    /* with -ESRCH: the missing one of tgids */
	struct children left; /* of a command that has ended: what it started and goes on */
	struct children busy; /* of tgids, which were not recorded and used CPU time meanwhile */
	struct symbolizer *symbolizer;
};

/*
 * Asks a command that still runs to end, by SIGTERM, and waits for that. It is never killed: a signal to kiln
 * meanwhile leaves it running. Call it after all output is written. The exit code to pass on: the command's,
 * 128 and the number of the signal that ended it, or 130 if it was left running; 0 if there was no command.
 */
int session_end_command(struct session_result *r);

/* Frees the result, and gives signals back what they did before. Before that it may start a process that
 * builds line tables (table_builder.h), so call it after all output is written. */
void session_result_release(struct session_result *r);

/*
 * Runs the recording. SIGINT, SIGTERM, SIGHUP and SIGPIPE end it, but not kiln (inherited.h). What goes wrong
 * later than the first sample ends it, too, with what there is. On failure *why is a sentence that
 * says what to do: -EPERM or -EACCES (not permitted), -ESRCH (no such target), -ENOEXEC with the
 * exec failure's exit code in result->exit_code (127 not found, 126 not executable), or another
 * -errno.
 */
int session_run(const struct session_opts *opts, struct session_result *result, struct quality *q,
		const char **why);

#endif
