// SPDX-License-Identifier: GPL-2.0-or-later
/* What a profile store, or whoever is in its place, answers: frames of gRPC, and what Pyroscope and Parca say. The
 * first byte says which, the next three are the statuses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"

static void unframe(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), m;
	struct buf again = {0};

	while (grpc_unframe(&in, &m))
		grpc_frame(&again, m.p, bytes_left(&m), false);
	if (again.len > size || (again.len && memcmp(again.data, data, again.len) != 0))
		abort();
	buf_release(&again);
}

/* The text up to the first NUL is the content type, the rest the body. */
static void judge(const struct upload_kind *kind, const uint8_t *data, size_t size)
{
	struct upload_target t = {.kind = kind};
	struct upload_judgement out = {.verdict = UPLOAD_AGAIN};
	struct net_answer a = {.grpc_status = data[0] % 20 - 1, .status = data[1] | data[2] << 8};
	size_t len = strnlen((const char *)data + 3, size - 3);

	memcpy(a.content_type, data + 3,
	       len < sizeof(a.content_type) ? len : sizeof(a.content_type) - 1);
	buf_add(&a.body, data + 3 + len, size - 3 - len);
	memcpy(a.grpc_message, a.body.data ?: "",
	       a.body.len < sizeof(a.grpc_message) ? a.body.len : sizeof(a.grpc_message) - 1);
	kind->judge(&t, &a, &out);
	len = strlen(out.why.text);
	if (text_utf8_run(out.why.text, len) != len || out.verdict > UPLOAD_WRONG)
		abort();
	buf_release(&a.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4)
		return 0;
	if (*data % 3 == 0)
		unframe(data + 1, size - 1);
	else
		judge(*data % 3 == 1 ? &upload_pyroscope : &upload_parca, data + 1, size - 1);
	return 0;
}
