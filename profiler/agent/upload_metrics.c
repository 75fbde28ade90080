// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/upload_metrics.h"

#include "profiler/agent/config_schema.h"

static const struct metrics_about about[] = {
#define X(id, kind, unit, name, labels, help)                                                      \
	{#kind, "kiln_upload_" name, labels, help, METRICS_##unit},
	DELIVERY_STATS(X)
#undef X
#define X(id, name, labels, help) {"counter", "kiln_upload_" name, labels, help, METRICS_ONE},
		DEBUGINFO_STATS(X)
#undef X
};

const struct metrics_table upload_metrics = {"destination", about, UPLOAD_METRICS};
_Static_assert(UPLOAD_METRICS == sizeof(about) / sizeof(*about), "a row for each");
_Static_assert(UPLOAD_METRICS <= METRICS_OF_EACH, "metrics of a destination");
_Static_assert(CONFIG_MAX_UPLOADS <= METRICS_THINGS, "destinations");
