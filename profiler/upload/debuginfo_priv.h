/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the protocols of debug information have in common. */
#ifndef KILN_UPLOAD_DEBUGINFO_PRIV_H
#define KILN_UPLOAD_DEBUGINFO_PRIV_H

#include "profiler/base/buf.h"
#include "profiler/upload/debuginfo.h"
#include "profiler/upload/target.h"

enum debuginfo_step { DEBUGINFO_ASK, DEBUGINFO_BEGIN, DEBUGINFO_SEND, DEBUGINFO_END };

struct debuginfo {
	const struct upload_target *target;
	struct debuginfo_file file;
	enum debuginfo_step step;
	struct upload_request request; /* the one that is due */
	const char **headers;
	/* The body of DEBUGINFO_SEND: `head`, and then the file, in pieces with a frame each if it has those. */
	struct buf head;
	uint64_t body_bytes;
	char *upload_id, *signed_url; /* what the server gave; NULL: nothing */
};

struct debuginfo_protocol {
	/* Fills u->request (URL, version, headers, body) for u->step; for DEBUGINFO_SEND also head
	 * and body_bytes. 0 or -ENOMEM. */
	int (*request)(struct debuginfo *u);
	/* Of an answer that is no failure; sets u->step. */
	enum debuginfo_outcome (*answer)(struct debuginfo *u, const struct net_answer *a,
					 struct why *why);
	/* The frame in front of a piece of the file; NULL: none. At most 16 bytes; returns their number. */
	size_t (*frame)(uint64_t piece_bytes, uint8_t *out);
};

extern const struct debuginfo_protocol debuginfo_pyroscope, debuginfo_parca;

/* "BASE/PATH" with the suffix; NULL: out of memory. */
char *debuginfo_url(const struct debuginfo *u, const char *suffix);
/* Bytes of all pieces of the file with their frames. */
uint64_t debuginfo_framed_bytes(const struct debuginfo *u);

#endif
