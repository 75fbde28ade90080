// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which code of a jitdump says how its frames are unwound. The specification (IX) puts .eh_frame_hdr first;
 * all who write or read such records, perf among them, put .eh_frame first.
 */
#include <elf.h>

#include "symbolizer/jit/jitdump.h"
#include "symbolizer/jit/jitdump_priv.h"

/* Programs have no addresses above, whatever the levels of page tables. */
#define VA_END (1ull << 57)

/* IX: unwind_data_size, eh_frame_hdr_size, mapped_size */
#define UNWIND_BYTES (JITDUMP_RECORD_BYTES + 24)

/* Reads the section that describes a function. False if it is malformed or over the limit. */
static bool read_frames(struct jitdump *j, const struct jit_code *c, struct jit_unwind *out)
{
	struct jit_record rec;
	uint64_t size, hdr_size;

	if (!jitdump_record(j, &rec, c->unwind_off))
		return false;
	size = bytes_u64(&rec.b);
	hdr_size = bytes_u64(&rec.b);
	bytes_skip(&rec.b, 8);
	if (rec.b.bad || rec.len < UNWIND_BYTES || hdr_size > size ||
	    size > rec.len - UNWIND_BYTES || size - hdr_size > JITDUMP_WINDOW)
		return false;
	out->eh_frame = jitdump_fetch(j, c->unwind_off + UNWIND_BYTES, size - hdr_size);
	return bytes_left(&out->eh_frame) == size - hdr_size;
}

static int give(struct jitdump *j, const struct jit_code *c, uint64_t end, jit_unwind_fn fn,
		void *ctx)
{
	struct jit_unwind u = {.start = c->start, .end = end, .code_len = c->end - c->start};

	if (!c->unwind_off || c->start >= end)
		return 0;
	if (c->end > VA_END || !read_frames(j, c, &u)) {
		j->skipped++;
		return 0;
	}
	return bytes_left(&u.eh_frame) ? fn(ctx, &u) : 0;
}

int jitdump_each_unwind(struct jitdump *j, jit_unwind_fn fn, void *ctx)
{
	const struct jit_code *last = NULL;
	uint64_t end = 0;
	int err = 0;

	if (j->machine != EM_X86_64)
		return 0;
	for (size_t i = 0; i < j->codes.len && !err; i++) {
		const struct jit_code *c = &j->codes.data[i];

		if (last && c->start < last->end) {
			if (!jit_code_is_newer(c, last))
				continue; /* overwritten since */
			end = c->start;
		}
		if (last)
			err = give(j, last, end, fn, ctx);
		last = c;
		end = c->end;
	}
	return err || !last ? err : give(j, last, end, fn, ctx);
}
