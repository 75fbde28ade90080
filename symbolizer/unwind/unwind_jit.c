// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_jit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/min.h"
#include "symbolizer/unwind/cfi.h"
#include "symbolizer/unwind/unwind_blob.h"
#include "symbolizer/unwind/unwind_encode.h"

/* From the first described code on. The largest code caches by default: V8's 128 MB, HotSpot's 240. */
#define JIT_TEXT_MAX (256u << 20)
/* Of all sections that are read. Moved code has one with what it was moved from. */
#define JIT_FRAMES_MAX CFI_SECTION_MAX

DEFINE_CLEANUP(unwind_encoder, unwind_encoder_free)

struct build {
	struct unwind_encoder *encoder;
	uint64_t begin, end; /* of the table */
	uint64_t bytes;	     /* of sections so far */
	uint64_t refused;    /* descriptions that were not taken */
	/* Of the current code. */
	const struct jit_unwind *code;
};

static int note_range(void *ctx, const struct jit_unwind *u)
{
	struct build *b = ctx;

	b->begin = min_u64(b->begin, u->start);
	b->end = u->end;
	return 0;
}

/* Whether all that a section describes lies in its code. */
static bool fits(const struct cfi *cfi, const struct jit_unwind *u)
{
	size_t n = cfi->fdes.len;

	return n && cfi->fdes.data[0].start >= u->start &&
	       cfi->fdes.data[n - 1].end <= u->start + u->code_len;
}

/*
 * Its addresses are relative to itself, as if it lay behind the code: at a multiple of 8 for perf and V8, of
 * 16 for older versions of CPython. 0; -ENODATA: neither can be.
 */
static int open_frames(struct cfi *cfi, const struct jit_unwind *u)
{
	int err = 0;

	for (uint64_t align = 8; align <= 16; align += 8) {
		const struct cfi_section sec = {
			.data = u->eh_frame.p,
			.len = bytes_left(&u->eh_frame),
			.va = u->start + ((u->code_len + align - 1) & ~(align - 1)),
		};

		err = cfi_open(cfi, &sec);
		if (err)
			return err;
		if (fits(cfi, u))
			return 0;
		cfi_release(cfi);
	}
	return -ENODATA;
}

/* Other code has overwritten what is behind the end. */
static int add_row(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct build *b = ctx;

	return va < b->code->end ? unwind_encoder_row(b->encoder, va, rule) : 0;
}

static int add_frames(struct build *b, struct cfi *cfi)
{
	const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	int err = 0;

	for (size_t i = 0; i < cfi->fdes.len && !err; i++) {
		const struct cfi_fde *fde = &cfi->fdes.data[i];

		if (fde->start >= b->code->end)
			break;
		err = cfi_run(cfi, i, add_row, b);
		err = err ?: unwind_encoder_row(b->encoder, min_u64(fde->end, b->code->end), none);
	}
	return err;
}

static int add_code(void *ctx, const struct jit_unwind *u)
{
	_cleanup_(cfi_release) struct cfi cfi = {0};
	struct build *b = ctx;
	int err;

	b->bytes += bytes_left(&u->eh_frame);
	if (u->end > b->end || b->bytes > JIT_FRAMES_MAX) {
		b->refused++;
		return 0;
	}
	err = open_frames(&cfi, u);
	if (err == -ENODATA) {
		b->refused++;
		return 0;
	}
	b->code = u;
	return err ?: add_frames(b, &cfi);
}

static uint64_t skipped(const struct jitdump *dump)
{
	struct jitdump_stats stats;

	jitdump_stats(dump, &stats);
	return stats.skipped;
}

/* Adds to the finished table what it was made of. */
static void note_origin(void *blob, size_t len, const struct jitdump *dump, uint64_t refused)
{
	struct unwind_head head;

	memcpy(&head, blob, sizeof(head));
	head.jit_written = (uint32_t)jitdump_size(dump);
	head.jit_refused = (uint32_t)min_u64(refused, UINT32_MAX);
	memcpy(blob, &head, sizeof(head));
	head.check = unwind_blob_hash(blob, len);
	memcpy(blob, &head, sizeof(head));
}

/* Makes the table of [b->begin, b->end). */
static int build(struct build *b, void **blob, size_t *len, struct jitdump *dump)
{
	_cleanup_(unwind_encoder_freep) struct unwind_encoder *encoder = NULL;
	struct unwind_stats none = {0};
	int err = unwind_encoder_new(&encoder, b->begin, b->end);

	if (err)
		return err;
	b->encoder = encoder;
	err = jitdump_each_unwind(dump, add_code, b);
	return err ?: unwind_encoder_finish(encoder, blob, len, &none);
}

int unwind_jit_build(void **blob, size_t *len, struct jitdump *dump)
{
	struct build b = {.begin = UINT64_MAX};
	uint64_t skipped_codes = skipped(dump), before;
	struct jitdump_stats stats;
	int err;

	jitdump_stats(dump, &stats);
	if (!stats.codes)
		return -EAGAIN;
	jitdump_each_unwind(dump, note_range, &b);
	if (b.begin >= b.end)
		return -ENODATA;
	b.end = min_u64(b.end, b.begin + JIT_TEXT_MAX);
	before = skipped(dump); /* the second pass meets the same */
	err = build(&b, blob, len, dump);
	if (!err)
		note_origin(*blob, *len, dump, b.refused + skipped_codes + skipped(dump) - before);
	return err;
}
