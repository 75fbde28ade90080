/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether any process or thread has begun: the kernel tells the last number that it gave away in this pid namespace or
 * one below, and one line says so of all of them (/proc/loadavg, proc_loadavg(5)). Internal to the room.
 */
#ifndef KILN_ROOTLESS_LAST_PID_H
#define KILN_ROOTLESS_LAST_PID_H

#include <stdbool.h>

struct last_pid {
	int fd;	  /* 0: not opened yet */
	long pid; /* as last read; 0: unknown */
};

/* Whether one has begun since the last call, or nobody knows: at the first call, and where the file is not the kernel's
 * own, as in some containers, or says nothing. One that begins just now may be in no list of /proc yet. */
bool last_pid_moved(struct last_pid *l);
void last_pid_release(struct last_pid *l);

#endif
