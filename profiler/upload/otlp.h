/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile as requests of OpenTelemetry profiles, v1development (proto/otlp.proto). One ResourceProfiles for
 * each service (otlp_resource.h), and one dictionary for all of a request. Values are never lost.
 *
 * A CPU profile whose time is its samples times its period becomes samples/count with that period: Pyroscope
 * makes process_cpu of it. Any other becomes one Profile for each of its types.
 */
#ifndef KILN_UPLOAD_OTLP_H
#define KILN_UPLOAD_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"

struct profile;

/* Pyroscope takes no profile of more samples, and cuts leaves off deeper stacks (its -validation.* flags). */
#define OTLP_MAX_SAMPLES 16000
#define OTLP_MAX_DEPTH	 1000
/* gRPC servers take messages of 4 MiB, uncompressed. Pyroscope answers 429 for ever to a profile of more than
 * 2 MB in pprof, which is larger than this. */
#define OTLP_MAX_BYTES (1 << 20)

struct otlp_opts { /* borrowed */
	const char *host;
	uint64_t id[2];	    /* of the profile; each Profile gets one that follows from it */
	bool without_names; /* functions of files are left out where there is an address */
	size_t max_samples, max_depth,
		max_bytes; /* of a Profile, a stack, a request; 0: the above */
};

struct otlp_request {
	struct buf body;   /* an ExportProfilesServiceRequest */
	uint64_t samples;  /* sum of the profile's first type */
	uint64_t profiles; /* messages Profile */
};

struct otlp_requests {
	VEC(struct otlp_request) v;
};

/* Appends requests; none if there are no samples. The same profile gives the same requests. 0 or -ENOMEM.
 * *out is to be released either way. */
int otlp_encode(struct otlp_requests *out, const struct profile *p, const struct otlp_opts *o);
void otlp_requests_release(struct otlp_requests *r);

#endif
