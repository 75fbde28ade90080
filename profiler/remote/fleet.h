/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks a profile store (profiler/upload/kind.h) for what it has: what kiln push and kiln agent have sent there, and
 * others.
 *
 *	pyroscope+http(s)	SelectMergeProfile and SelectSeries of querier.v1
 *	parca+http(s)		/api/profiles/query and query_range
 *	s3+http(s)		objects, by the time in their names
 *	pprof+http(s)		a URL that serves one profile
 *	clickhouse+http(s)	SELECT, of each of its servers (profiler/fleet)
 *	otlp+...		cannot be asked
 */
#ifndef KILN_REMOTE_FLEET_H
#define KILN_REMOTE_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/why.h"
#include "profiler/store/overview.h"

struct profile;
struct upload_target;

#define FLEET_MAX_OBJECTS 20000 /* of S3: two days of a host */
#define FLEET_MAX_BYTES	  (1ull << 30)
#define FLEET_MAX_MERGED  (1ull << 30) /* memory of the profile that answers become */
#define FLEET_MAX_MINUTES                                                                          \
	10 /* of all that is asked: a server that trickles holds nobody for longer */

struct fleet_query { /* borrowed */
	const struct upload_target *target;
	int64_t since_ns, until_ns; /* half-open; of Unix time */
	bool has_range;		    /* people have asked for it */
	/* Keys of labels that are not needed, NULL-terminated, or NULL: ClickHouse then sends less. */
	const char *const *without;
	const char *where; /* profiler/store/where.h; or NULL */
	uint64_t total_ms; /* 0: FLEET_MAX_MINUTES */
	size_t max_merged; /* 0: FLEET_MAX_MERGED */
};

/* Whether a URL has a scheme of profile stores. */
bool fleet_is_url(const char *url);

/* Whether profiles from there have the labels of their samples: Pyroscope and Parca keep them to themselves. */
bool fleet_returns_labels(const struct upload_target *t);

/*
 * All of the range as one profile, with its time. 0, or with a sentence in *why: -EINVAL (a condition or kind that
 * cannot be asked for), -EACCES, -ENODATA (nothing of that), -EFBIG (too much), -EBADMSG (no answer of such a store),
 * -ENOSYS (no libcurl), -EIO, -ETIMEDOUT, ..., or -ENOMEM.
 */
int fleet_profile(struct profile **out, const struct fleet_query *q, struct why *why);

struct fleet_rows {
	enum overview_by by;
	const char *label; /* of OVERVIEW_LABEL: the key */
	int64_t width_ns;  /* of a row of time; 0: some dozens of them */
	int64_t phase_ns;
};

/* What there is, by time or by label. Numbers that the store does not tell are 0; `windows` is -1 then. As above. */
int fleet_overview(struct overview *out, const struct fleet_query *q, const struct fleet_rows *rows,
		   struct why *why);

#endif
