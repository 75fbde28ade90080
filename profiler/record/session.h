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
	const char *const *user_labels; /* "key=value", NULL-terminated, or NULL */
	bool names_only;		/* no lines, no inlined calls */
	bool no_sandbox;		/* read foreign files in this process */
	struct debuginfod *debuginfod;	/* source of debug files, or NULL */
	/* Called a few times a second. */
	void (*progress)(void *ctx, const struct collector_progress *);
	void *progress_ctx;
};

struct session_result {
	struct profile *profile; /* owned by the caller; NULL on failure */
	const char *event;	 /* "cpu-clock" or "cycles" */
	size_t cpus;
	uint64_t elapsed_ns;
	uint64_t own_cpu_ns; /* CPU that kiln itself used while recording */
	uint64_t naming_ns;  /* from the last sample to the finished profile */
	bool launched;
	int exit_code;	   /* of the command, if launched */
	pid_t missing_pid; /* with -ESRCH: the missing one of tgids */
	struct symbolizer *symbolizer;
};

/* Frees the result. Before that it may start a process that builds line tables
 * (table_builder.h), so call it after all output is written. */
void session_result_release(struct session_result *r);

/*
 * Runs the recording. SIGINT and SIGTERM end it, but not kiln. On failure *why is a sentence that
 * says what to do: -EPERM or -EACCES (not permitted), -ESRCH (no such target), -ENOEXEC with the
 * exec failure's exit code in result->exit_code (127 not found, 126 not executable), or another
 * -errno.
 */
int session_run(const struct session_opts *opts, struct session_result *result, struct quality *q,
		const char **why);

#endif
