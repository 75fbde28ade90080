/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted of each destination: first what delivery counts, and then debug information. */
#ifndef KILN_AGENT_UPLOAD_METRICS_H
#define KILN_AGENT_UPLOAD_METRICS_H

#include "profiler/metrics/metrics.h"
#include "profiler/upload/delivery.h"

/* X(id, "name after kiln_upload_", "labels", "help") */
#define DEBUGINFO_STATS(X)                                                                         \
	X(sent, "debuginfo_files_total", "result=\"sent\"",                                        \
	  "Files with debug information, by what became of them.")                                 \
	X(unwanted, "debuginfo_files_total", "result=\"unwanted\"", "")                            \
	X(refused, "debuginfo_files_total", "result=\"refused\"", "")                              \
	X(put_off, "debuginfo_files_total", "result=\"put_off\"", "")                              \
	X(bytes, "debuginfo_bytes_total", "", "Bytes of such files sent.")

enum {
#define X(id, ...) DELIVERY_METRIC_##id,
	DELIVERY_STATS(X)
#undef X
		DELIVERY_METRICS,
	DEBUGINFO_METRIC_FIRST = DELIVERY_METRICS - 1,
#define X(id, ...) DEBUGINFO_METRIC_##id,
	DEBUGINFO_STATS(X)
#undef X
		UPLOAD_METRICS
};

extern const struct metrics_table upload_metrics;

#endif
