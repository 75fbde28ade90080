/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that carry series of raw pprof profiles: Pyroscope's and Parca's. A message holds the profiles as they
 * are, and is compressed as a whole: the profiles of one window have most of their strings in common.
 */
#ifndef KILN_UPLOAD_SERIES_PACK_H
#define KILN_UPLOAD_SERIES_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/upload/kind.h"
#include "profiler/upload/series.h"

struct upload_target;

/* One series, as the kind's message has it. */
struct series_raw {
	const struct series *series;
	const char *type; /* profile_type.h */
	char id[37];	  /* a UUID: the same whenever this window is sent */
};

struct series_pack {
	struct series_opts series; /* without host */
	/* Of one request: series, and bytes before compression. A series that is larger goes alone. */
	size_t max_series, max_bytes;
	/* Appends a series to a message; what ends a message, or NULL. Errors stay in message->err. */
	void (*add)(struct buf *message, const struct series_raw *s);
	void (*end)(struct buf *message);
	const char *method;	    /* "/SERVICE/METHOD", behind the target's path */
	const char *const *headers; /* NULL-terminated */
	bool is_grpc;		    /* HTTP/2 and frames; otherwise the body is the message */
};

/* upload_kind.pack() of such a kind. */
int series_pack(const struct series_pack *k, const struct upload_target *t,
		const struct upload_item *item, struct upload_requests *out, struct why *why);

#endif
