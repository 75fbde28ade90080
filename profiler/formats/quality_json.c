// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/formats/quality_json.h"

void quality_json_counters(struct json *j, const struct quality *q)
{
#define X(key) json_key_uint(j, #key, q->key);
	QUALITY_COUNTERS(X)
#undef X
}

void quality_json_blame(struct json *j, const struct quality *q)
{
	json_key_open(j, "blame", '[');
	for (size_t i = 0; i < q->blame.len; i++) {
		const struct quality_blame *blame = &q->blame.data[i];

		json_open(j, '{');
		json_key_text(j, "module", blame->module);
		json_key_text(j, "hint", blame->hint ? blame->hint : "");
		json_key_uint(j, "frames", blame->frames);
		json_key_uint(j, "unnamed", blame->unnamed);
		json_key_uint(j, "broken", blame->broken);
		json_close(j, '}');
	}
	json_close(j, ']');
}
