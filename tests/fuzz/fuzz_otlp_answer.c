// SPDX-License-Identifier: GPL-2.0-or-later
/* What a server answers to OpenTelemetry profiles. Four bytes are status, gRPC's status and type; the rest is body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/upload/otlp_answer.h"

static void judge(const struct net_answer *a,
		  void (*fn)(const struct net_answer *a, struct upload_judgement *out))
{
	struct upload_judgement j;

	upload_judge_status(a, &j);
	fn(a, &j);
	if (j.verdict > UPLOAD_WRONG || (j.verdict == UPLOAD_PARTIAL) != !!j.rejected ||
	    !j.why.text[0] || !text_is_clean(j.why.text, strlen(j.why.text)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"application/x-protobuf",
					    "application/json",
					    "text/plain",
					    "text/html",
					    "application/grpc",
					    ""};
	struct net_answer a = {.retry_after_s = -1};

	if (size < 4)
		return 0;
	a.status = data[0] << 2 | data[1] >> 6;
	a.grpc_status = data[2] % 20 - 1;
	strcpy(a.content_type, types[data[3] % 6]);
	strcpy(a.grpc_message, "message");
	buf_add(&a.body, data + 4, size - 4);
	judge(&a, otlp_judge_http);
	judge(&a, otlp_judge_grpc);
	buf_release(&a.body);
	return 0;
}
