/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the destination ClickHouse. */
#ifndef KILN_UPLOAD_CLICKHOUSE_PRIV_H
#define KILN_UPLOAD_CLICKHOUSE_PRIV_H

#include "profiler/upload/clickhouse_state.h"
#include "profiler/upload/kind.h"

/* upload_request.step. What is asked comes first. */
enum clickhouse_step {
	STEP_HELLO,
	STEP_RUNNING,
	STEP_ASK,
	STEP_FUNCTIONS,
	STEP_STACKS,
	STEP_SAMPLES,
	STEP_WINDOW,
};

const char *clickhouse_database(const struct upload_target *t);
/* As upload_kind.pack. */
int clickhouse_pack(const struct upload_target *t, const struct upload_item *item,
		    struct upload_requests *out, struct why *why);

#endif
