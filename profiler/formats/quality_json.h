/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the page and the report both say of a profile's quality, inside an object that is open. */
#ifndef KILN_FORMATS_QUALITY_JSON_H
#define KILN_FORMATS_QUALITY_JSON_H

#include "profiler/base/json.h"
#include "profiler/profile/quality.h"

/* A key for each counter. */
void quality_json_counters(struct json *j, const struct quality *q);
/* The key "blame", an array of binaries, worst first. */
void quality_json_blame(struct json *j, const struct quality *q);

#endif
