/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One recording from start to profile, a policy on top of the collector: launches the command, decides
 * when it is over, merges the windows.
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
	struct sampler_opts sampler; /* filter_tgids is set by the session */
	const pid_t *tgids;	     /* -p */
	size_t n_tgids;
	char *const *argv;		/* the command to launch, or NULL */
	bool everything;		/* -a: with a command, that only says when to stop */
	uint64_t duration_ns;		/* 0: until the target ends or a signal comes */
	uint64_t delay_ns;		/* before sampling starts */
	const char *const *user_labels; /* "key=value", NULL-terminated, or NULL */
	bool names_only;		/* no lines, no inlined calls */
	bool no_sandbox;		/* read foreign files in this very process */
	struct debuginfod *debuginfod;	/* where debug files may come from; or NULL */
	void (*progress)(void *ctx, const struct collector_progress *); /* a few times a second */
	void *progress_ctx;
};

struct session_result {
	struct profile *profile; /* the caller's; NULL on failure */
	const char *event;	 /* "cpu-clock" or "cycles" */
	size_t cpus;
	uint64_t elapsed_ns;
	uint64_t own_cpu_ns; /* CPU that kiln itself used while recording */
	uint64_t naming_ns;  /* from the last sample to the finished profile */
	bool launched;
	int exit_code;	   /* of the command, if launched */
	pid_t missing_pid; /* with -ESRCH: which of tgids */
	struct symbolizer *symbolizer;
};

/* Frees it all. Before that a process is left behind for work that nobody is to wait for
 * (table_builder.h): call it when everything is written. */
void session_result_release(struct session_result *r);

/*
 * Runs it. SIGINT and SIGTERM end the recording, not the program. On failure *why is a sentence that
 * says what to do: -EPERM/-EACCES (not permitted), -ESRCH (no such target), -ENOEXEC with the errno
 * of exec in result->exit_code (127 not found, 126 not executable), or another -errno.
 */
int session_run(const struct session_opts *opts, struct session_result *result, struct quality *q,
		const char **why);

#endif
