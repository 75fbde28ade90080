/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process of the agent gives up when it starts, and what the supervisor keeps for those to come. None of
 * it has a way back.
 */
#ifndef KILN_AGENT_CONFINE_H
#define KILN_AGENT_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/sandbox/landlock.h"

#define CONFINE_USER "kiln"

struct confinement {
	uint64_t caps;	  /* that it keeps, of those it has: bits */
	const int *calls; /* system calls beside those of a reader; NULL: all calls */
	size_t n_calls;
	bool service_user; /* it becomes the user kiln, where there is one */
	bool no_network;   /* a name space without any, where it may have one */
	bool read_only;	   /* it sees all files, and can change none but those of its cache */
};

struct identity {
	uid_t uid;	  /* (uid_t)-1: stay as we are */
	gid_t gid, group; /* group: of the store's files; (gid_t)-1: none */
};

/* Looks up the user and the group kiln; without the right to change the user there is nothing to look up. */
void confine_find_user(struct identity *out);

/* The supervisor: no new privileges; what the processes need stays permitted, and of that only the right to
 * send them signals is in force. keep: bits. 0 or -errno. */
int confine_supervisor(uint64_t keep);
/* Puts all that is permitted in force, or takes it back. */
void confine_raise(bool all);

/* Closes every descriptor from this one on. 0 or -errno. */
int confine_close_from(int first);
/* Closes every descriptor but 0 to 2 and keep_fd, which becomes CONFINE_FD; ends with `parent`. 0 or -errno. */
#define CONFINE_FD 3
int confine_detach(int keep_fd, pid_t parent);

/* Gives up all but c, in a process that confine_detach() has prepared. It reaches the n paths only, if there
 * are any and the kernel can do that. 0 or -errno: the caller must exit. */
int confine_enter(const struct confinement *c, const struct identity *who, pid_t parent,
		  const struct landlock_path *paths, size_t n);

#endif
