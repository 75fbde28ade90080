/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window on its way from the sampler to the store writer: a header, and with it a sealed file in memory that
 * holds the profile as pprof, with the quality as its comments. The writer answers each with an
 * acknowledgement. Neither believes the other: the profile is made of what strangers wrote.
 */
#ifndef KILN_AGENT_WINDOW_WIRE_H
#define KILN_AGENT_WINDOW_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/profile/quality.h"

struct profile;

/* Twice what a window of the sampler (MERGED_MAX_BYTES) can hold. */
#define WINDOW_BYTES_MAX (32u << 20)

struct window_head {
	uint64_t seq; /* of the sampler: from 1 */
	uint64_t bytes;
	int64_t begin_unix_ns;
	uint64_t duration_ns;
	uint64_t
		again; /* 0; or 1: it was sent before, perhaps to a writer that stored it and died */
};

struct window_ack {
	uint64_t seq;
	int64_t err; /* 0: it is in the store; or -errno */
};

struct arrived_window { /* as it has arrived */
	struct window_head head;
	struct profile *profile;
	struct quality quality;
};

/* Puts a finished profile (merged_finish()) into a file in memory. *bytes: its size. Returns a descriptor,
 * or -errno: -EFBIG. */
int window_pack(const struct profile *p, uint64_t *bytes);

int window_send(int sock, const struct window_head *h, int fd);
/* 1: a window; 0: nothing is there; -ECONNRESET; -EBADMSG: *out holds no profile, but the header, if one has
 * come (seq 0: none); or another -errno. */
int window_recv(int sock, struct arrived_window *out);
void window_release(struct arrived_window *w);

int window_ack_send(int sock, const struct window_ack *a);
/* As control_recv(). */
int window_ack_recv(int sock, struct window_ack *a);

#endif
