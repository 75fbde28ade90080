/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the supervisor and its processes tell each other: short messages over a pair of sockets, one pair for
 * each process. When the supervisor ends, however it does, the other end reads the end of the stream.
 */
#ifndef KILN_AGENT_CONTROL_H
#define KILN_AGENT_CONTROL_H

#include <stdint.h>

enum control_kind {
	/* from a process */
	CONTROL_READY = 1, /* it does its work from now on */
	CONTROL_FAILED,	   /* it ends, because of `err` */
	CONTROL_BEAT,	   /* it lives */
	CONTROL_STATUS,	   /* the sampler's `status` */
	CONTROL_RELOADED,  /* the sampler has the new configuration, or has refused it: `err` */
	/* to a process */
	CONTROL_CHANNEL, /* a socket: the new way between the sampler and the store writer */
	CONTROL_FILES,	 /* a socket: the new way from the sampler to who gives files to stores */
	CONTROL_CONFIG,	 /* a file: the new configuration (config_print()) */
	CONTROL_LOSSES,	 /* `losses`, for the sampler's next window */
	CONTROL_END,	 /* flush, and end */
	CONTROL_KINDS,
};

struct sampling_status {
	uint64_t hz, stored, lost; /* windows */
	uint64_t unsent;	   /* windows that nobody but the sampler has */
	uint64_t window_ns;	   /* when the open window began, CLOCK_MONOTONIC */
};

/* What the end of a process has cost. */
struct restart_losses {
	uint64_t restarts, windows_lost, unsampled_ms;
};

struct control_msg {
	uint32_t kind;
	int32_t err; /* -errno */
	struct sampling_status status;
	struct restart_losses losses;
};

/* A pair of non-blocking sockets. 0 or -errno. */
int control_pair(int pair[2]);
/* fd: -1, or a descriptor to go along, which stays the caller's. 0 or -errno: -EAGAIN if the other side does
 * not read what it is sent. */
int control_send(int sock, const struct control_msg *m, int fd);
/* 1: *m is there, and *fd is its descriptor or -1; with fd NULL none is accepted. 0: nothing is there;
 * -ECONNRESET: the other side is gone; -EBADMSG; or another -errno. */
int control_recv(int sock, struct control_msg *m, int *fd);

/* Whether the kind comes with a descriptor. */
static inline int control_has_fd(uint32_t kind)
{
	return kind == CONTROL_CHANNEL || kind == CONTROL_FILES || kind == CONTROL_CONFIG;
}

#endif
