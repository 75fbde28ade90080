// SPDX-License-Identifier: GPL-2.0-or-later
/* What a store answers to debug information, a round of it: each answer is a byte of its length, one of its status, and
 * its body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/upload/debuginfo.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"

static char no_text[] = "", base[] = "http://h", *no_headers[] = {NULL};

static enum debuginfo_outcome answer(struct debuginfo *u, const uint8_t *data, size_t size,
				     uint8_t kind)
{
	struct net_answer a = {.status = kind & 1 ? 200 : 204, .grpc_status = (kind >> 1) % 4 - 1};
	enum debuginfo_outcome outcome;
	struct why why = {"untouched"};
	size_t len;

	if (kind & 0x80)
		grpc_frame(&a.body, data, size, false);
	else
		buf_add(&a.body, data, size);
	outcome = debuginfo_answer(u, &a, &why);
	len = strlen(why.text);
	if (outcome > DEBUGINFO_REFUSED || text_utf8_run(why.text, len) != len)
		abort();
	buf_release(&a.body);
	return outcome;
}

static void round_of(const struct upload_kind *kind, const uint8_t *data, size_t size)
{
	struct upload_target t = {
		.kind = kind, .base = base, .path = no_text, .headers = no_headers};
	struct debuginfo_file f = {.fd = -1, .bytes = 3, .build_id = "aabb", .name = "f"};
	enum debuginfo_outcome outcome = DEBUGINFO_NEXT;
	struct net_request r;
	struct debuginfo *u;
	struct why why;
	int rounds = 0;

	if (debuginfo_new(&u, &t, &f, &why))
		abort();
	while (outcome == DEBUGINFO_NEXT && size >= 2) {
		size_t len = data[0] < size - 2 ? data[0] : size - 2;

		if (++rounds > 4 || debuginfo_request(u, &r, &why) || !r.url)
			abort();
		outcome = answer(u, data + 2, len, data[1]);
		data += 2 + len;
		size -= 2 + len;
	}
	debuginfo_free(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		round_of(*data % 2 ? &upload_pyroscope : &upload_parca, data + 1, size - 1);
	return 0;
}
