/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a command that waits at a gate until sampling is on, so that none of it is missed. One
 * thread. */
#ifndef KILN_RECORD_LAUNCH_H
#define KILN_RECORD_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct inherited;

struct launch {
	pid_t pid;   /* 0: nothing launched */
	int gate_fd; /* a byte and closing it let the child go */
	int exec_fd; /* brings the errno of a failed exec */
	bool exited;
	int status;	 /* of wait(2), once it has exited */
	uint64_t cpu_ns; /* that it and what it waited for used, then */
};

/* Forks. The child waits at the gate. It will run with what `as` has, or as this process if that is NULL.
 * 0 or -errno. */
int launch_prepare(struct launch *l, char *const argv[], const struct inherited *as);
/* Lets the child exec, and waits so long for it. 0; -EAGAIN: ask again, since the server of its program may hang; or the
 * -errno of its execvp(3): then the child has ended. */
int launch_go(struct launch *l, int wait_ms);
/* True if the child has exited. Does not wait. */
bool launch_poll(struct launch *l);
/* Asks a child that still runs to end, by SIGTERM. One that waits at the gate ends for sure. */
void launch_ask_to_end(struct launch *l);
/* CPU time that it has used so far, whoever may look at it; what it waited for counts when it has exited. */
uint64_t launch_cpu_ns(const struct launch *l);
/* Exit code to pass on: the child's, or 128 + signal number. */
int launch_exit_code(const struct launch *l);

#endif
