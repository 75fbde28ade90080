// SPDX-License-Identifier: GPL-2.0-or-later
/* What a worker may say: messages in a row, each with its length before it. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "symbolizer/unwind/cfi_walk.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/worker/worker_wire.h"

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

static enum unwind_in place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	*table = ((struct buf *)ctx)->data;
	*elf_va = va;
	return UNWIND_IN_TABLE;
}

static bool read_word(void *ctx, uint64_t addr, uint64_t *value)
{
	(void)ctx;
	*value = addr >> 3; /* more places in the table */
	return true;
}

/* A table that is believed can be walked by. */
static void use_table(struct buf *blob)
{
	static const struct table_walk_ops ops = {.place = place, .read = read_word};
	uint64_t regs[UNWIND_REGS] = {0}, frames[64];
	struct unwind_head head;
	uint32_t n;

	if (blob->len < sizeof(head))
		return;
	memcpy(&head, blob->data, sizeof(head));
	head.check = 0;
	memcpy(blob->data, &head, sizeof(head));
	head.check = unwind_blob_hash(blob->data, blob->len);
	memcpy(blob->data, &head, sizeof(head));
	if (unwind_blob_check(blob->data, blob->len))
		return;
	for (uint64_t off = 0; off < 4096; off += 101) {
		regs[UNWIND_RIP] = head.text_va + off;
		regs[UNWIND_RSP] = regs[UNWIND_RBP] = (head.text_va + 2 * off) << 3;
		table_walk(&ops, blob, regs, frames, 64, &n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t frames[UNWIND_FRAMES_MAX];
	struct wire_walked walked;
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
		if (!wire_read_walked(data, len, &walked, frames) &&
		    (!walked.n || walked.n > UNWIND_FRAMES_MAX || walked.end >= CFI_WALK_END_COUNT))
			abort();
		if (wire_read_answers(&r, data, len, take, &seen))
			break;
		data += len;
		size -= len;
	}
	if (r.n_answered != (size_t)__builtin_popcount(seen))
		abort();
	use_table(&blob);
	wire_reader_release(&r);
	buf_release(&blob);
	return 0;
}
