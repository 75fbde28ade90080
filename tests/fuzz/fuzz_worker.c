// SPDX-License-Identifier: GPL-2.0-or-later
/* What a worker may say: messages in a row, each with its length before it. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "symbolizer/worker_wire.h"

#define ASKED 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
	if (s && !text_is_clean(s, strlen(s)))
		abort();
}

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	unsigned *seen = ctx;

	if (index >= ASKED || *seen & 1u << index || !r->n_frames || r->reason >= SYM_REASON_COUNT)
		abort();
	*seen |= 1u << index;
	for (size_t i = 0; i < r->n_frames; i++) {
		if (!r->frames[i].name)
			abort();
		check_text(r->frames[i].name);
		check_text(r->frames[i].raw_name);
		check_text(r->frames[i].file);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_facts facts;
	struct buf blob = {0};
	struct wire_reader r;
	struct wire_done done;
	unsigned seen = 0;

	if (wire_reader_init(&r, ASKED))
		return 0;
	while (size > 2) {
		size_t len = data[0] | data[1] << 8;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (!wire_read_done(data, len, &done, &facts) &&
		    (facts.err > 0 || facts.n_segs > ELF_FACTS_SEGMENTS_MAX ||
		     facts.build_id.len > BUILD_ID_MAX))
			abort();
		wire_read_blob(&blob, data, len);
		if (wire_read_answers(&r, data, len, take, &seen))
			break;
		data += len;
		size -= len;
	}
	if (r.n_answered != (size_t)__builtin_popcount(seen))
		abort();
	wire_reader_release(&r);
	buf_release(&blob);
	return 0;
}
