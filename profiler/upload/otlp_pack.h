/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of OpenTelemetry profiles, as far as HTTP and gRPC have them in common. */
#ifndef KILN_UPLOAD_OTLP_PACK_H
#define KILN_UPLOAD_OTLP_PACK_H

#include "profiler/upload/target.h"

/* Makes a request of a message: URL, version, headers, body. 0 or -errno; what r has is released by
 * upload_requests_release(). */
typedef int otlp_fill(const struct upload_target *t, const struct buf *message,
		      struct upload_request *r);

/* upload_kind.pack() */
int otlp_pack(const struct upload_target *t, const struct upload_item *item, otlp_fill *fill,
	      struct upload_requests *out, struct why *why);

#endif
