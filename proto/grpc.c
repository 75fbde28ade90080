// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "proto/grpc.h"

static const char *const status_names[] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};
#define N_STATUS ((int)(sizeof(status_names) / sizeof(*status_names)))

void grpc_frame(struct buf *b, const void *message, size_t len, bool is_compressed)
{
	const uint8_t head[GRPC_FRAME_BYTES] = {is_compressed, (uint8_t)(len >> 24),
						(uint8_t)(len >> 16), (uint8_t)(len >> 8),
						(uint8_t)len};

	if (len > UINT32_MAX && !b->err)
		b->err = -EFBIG;
	if (b->err)
		return;
	buf_add(b, head, sizeof(head));
	buf_add(b, message, len);
}

bool grpc_unframe_any(struct bytes *in, struct bytes *message, bool *is_compressed)
{
	uint64_t len = 0;
	uint8_t flags;

	*is_compressed = false;
	if (in->bad || !bytes_left(in))
		return false;
	flags = bytes_u8(in);
	for (int i = 0; i < 4; i++)
		len = len << 8 | bytes_u8(in);
	*message = bytes_sub(in, len);
	*is_compressed = flags == 1;
	return flags <= 1 && !in->bad ? true : bytes_fail(in);
}

bool grpc_unframe(struct bytes *in, struct bytes *message)
{
	bool is_compressed;

	if (!grpc_unframe_any(in, message, &is_compressed))
		return false;
	return !is_compressed ? true : bytes_fail(in);
}

const char *grpc_status_name(int status)
{
	return status >= 0 && status < N_STATUS ? status_names[status] : NULL;
}

int grpc_status_of(const char *name)
{
	for (int i = 0; i < N_STATUS; i++)
		if (!strcasecmp(name, status_names[i]))
			return i;
	return strcasecmp(name, "canceled") ? -1 : 1;
}
