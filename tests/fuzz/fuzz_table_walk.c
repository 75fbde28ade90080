// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over arbitrary rules, registers, memory and code: it must end, within its frames, with a reason,
 * and stay within its table. Input: 8 rules, registers, then what memory holds, over and over.
 */
#include <stdlib.h>
#include <string.h>

#include "symbolizer/unwind/unwind_encode.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"

#define TEXT	   0x400000ull
#define TEXT_LEN   0x1000ull
#define STACK	   0x7ff000000000ull
#define STACK_32   0xff000000ull
#define MAX_FRAMES 200
#define N_RULES	   8
/* 64 words of the stack for the leaf and 64 for its caller, with 1,024 bytes of code each; the stubs they lead to; and
 * what is behind them */
#define READS_OF_A_LOOK 21000
#define HEAD_LEN	(N_RULES * sizeof(struct unwind_rule) + 4 * UNWIND_REGS)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct world {
	void *table;
	const uint8_t *memory;
	size_t len;
	uint64_t stack; /* where it is */
	unsigned reads;
};

static enum unwind_in place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	const struct world *w = ctx;

	*table = w->table;
	*elf_va = va;
	if (va >= TEXT && va < TEXT + TEXT_LEN)
		return UNWIND_IN_TABLE;
	return va >> 40 == 1 || va >> 28 == 1 ? UNWIND_IN_JIT : UNWIND_IN_NOTHING;
}

/* Words of memory are small numbers blown up to what makes sense as a pc or as an rsp. */
static bool read_word(void *ctx, uint64_t addr, uint64_t *value)
{
	struct world *w = ctx;
	uint16_t raw;

	w->reads++;
	if (addr < w->stack || addr >= w->stack + (1 << 20))
		return false;
	memcpy(&raw, w->memory + (addr / 4) % (w->len - 1), sizeof(raw));
	if (raw & 0x8000)
		*value = w->stack + (raw & 0x7fff) * 8;
	else if (raw & 0x4000)
		*value = (w->stack == STACK ? 1ull << 40 : 1ull << 28) + raw;
	else
		*value = raw ? TEXT + (raw & 0xfff) : 0;
	return true;
}

/* Code is what the input says, anywhere. */
static bool read_code(void *ctx, uint64_t va, uint64_t *value)
{
	struct world *w = ctx;

	w->reads++;
	if (w->len < sizeof(*value) || va % 16 == 15)
		return false;
	memcpy(value, w->memory + va % (w->len - sizeof(*value) + 1), sizeof(*value));
	return true;
}

static void *make_table(const uint8_t *data, bool is_i386)
{
	struct unwind_stats stats = {0};
	struct unwind_encoder *e;
	struct unwind_rule rule;
	void *blob;
	size_t len;

	if (unwind_encoder_new(&e, TEXT, TEXT + TEXT_LEN))
		abort();
	if (is_i386)
		unwind_encoder_set_i386(e);
	for (unsigned i = 0; i < N_RULES; i++) {
		memcpy(&rule, data + i * sizeof(rule), sizeof(rule));
		rule.cfa %= UNWIND_CFA_COUNT;
		rule.bp = (uint8_t)((rule.bp & 0xf0) | (rule.bp & 15) % UNWIND_BP_COUNT);
		if (unwind_encoder_row(e, TEXT + i * (TEXT_LEN / N_RULES), rule))
			abort();
	}
	if (unwind_encoder_finish(e, &blob, &len, &stats) || unwind_blob_check(blob, len))
		abort();
	unwind_encoder_free(e);
	return blob;
}

static void walk(const uint8_t *data, size_t len, bool is_i386, bool has_code)
{
	const struct table_walk_ops ops = {
		.place = place, .read = read_word, .code = has_code ? read_code : NULL};
	uint64_t regs[UNWIND_REGS], frames[MAX_FRAMES];
	struct world w = {.stack = is_i386 ? STACK_32 : STACK};
	enum unwind_end end;
	uint32_t n = 0, r;

	w.table = make_table(data, is_i386);
	data += N_RULES * sizeof(struct unwind_rule);
	for (unsigned i = 0; i < UNWIND_REGS; i++, data += 4) {
		memcpy(&r, data, sizeof(r));
		regs[i] = i == UNWIND_RIP ? TEXT + (r & 0xfff) : w.stack + (r & 0xffff8);
	}
	w.memory = data;
	w.len = len - HEAD_LEN;
	end = is_i386 ? table_walk_32(&ops, &w, regs, true, frames, MAX_FRAMES, &n)
		      : table_walk(&ops, &w, regs, frames, MAX_FRAMES, &n);
	if (end <= UNWIND_ON || end >= UNWIND_END_COUNT || !n || n > MAX_FRAMES)
		abort();
	if (end == UNWIND_END_DEEP && n != MAX_FRAMES)
		abort();
	if (w.reads > 5 * MAX_FRAMES + TABLE_WALK_LOOKS_MAX * READS_OF_A_LOOK)
		abort();
	for (uint32_t i = 0; is_i386 && i < n; i++)
		if (frames[i] >> 32)
			abort();
	free(w.table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < HEAD_LEN + 2)
		return 0;
	walk(data, len, false, false);
	walk(data, len, false, true);
	walk(data, len, true, false);
	return 0;
}
