/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this process was started with and a recording changes for itself: what signals do, and limits. The
 * recorded command gets what kiln was started with.
 */
#ifndef KILN_RECORD_INHERITED_H
#define KILN_RECORD_INHERITED_H

#include <signal.h>
#include <sys/resource.h>

#define INHERITED_SIGNALS 11

/* All-zero: nothing was changed. */
struct inherited {
	int n_signals; /* that were changed */
	struct sigaction signals[INHERITED_SIGNALS];
	sigset_t blocked;
	struct rlimit files, locked;
};

/*
 * Notes what there is, then prepares for a recording. What would end kiln without a profile calls on_stop: SIGINT and
 * SIGTERM, and unless they are ignored, as under nohup(1), SIGHUP, SIGPIPE, SIGQUIT (^\), SIGUSR1, SIGUSR2, SIGALRM and
 * SIGXCPU. None of them is blocked. A file that is too large is an error of
 * write(2) and no signal. Children can be waited for. As many files as allowed may be open.
 */
void inherited_take(struct inherited *i, void (*on_stop)(int));
/* Puts all of it back. May be called between fork(2) and execve(2). */
void inherited_restore(const struct inherited *i);

#endif
