/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a command that waits at the gate until sampling is on, so that none of it is missed. */
#ifndef KILN_RECORD_LAUNCH_H
#define KILN_RECORD_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct launch {
	pid_t pid;   /* 0: nothing launched */
	int gate_fd; /* closing it after a byte lets the child go */
	int exec_fd; /* errno of a failed exec comes through here */
	bool exited;
	int status; /* of wait(2), once exited */
};

/* Forks; the child waits. 0 or -errno. */
int launch_prepare(struct launch *l, char *const argv[]);
/* Lets the child exec. 0, or -errno of its execvp(3): the child is gone then. */
int launch_go(struct launch *l);
/* Has it exited? Does not wait. */
bool launch_poll(struct launch *l);
/* Ends a child that still runs: SIGTERM, and SIGKILL when it stays for grace_ms. Reaps it. */
void launch_stop(struct launch *l, int grace_ms);
/* Exit code to pass on: the child's own, or 128 + signal number. */
int launch_exit_code(const struct launch *l);

#endif
