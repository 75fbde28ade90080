// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/sample_record.h"

#include <asm/perf_regs.h>
#include <errno.h>

/* Perf's number of each register that the walk knows, in perf's order: so they stand in a record. */
static const struct {
	uint8_t perf, walk;
} regs[UNWIND_REGS] = {
#ifdef __x86_64__
	{PERF_REG_X86_AX, UNWIND_RAX},	   {PERF_REG_X86_BX, UNWIND_RBX},
	{PERF_REG_X86_CX, UNWIND_RCX},	   {PERF_REG_X86_DX, UNWIND_RDX},
	{PERF_REG_X86_SI, UNWIND_RSI},	   {PERF_REG_X86_DI, UNWIND_RDI},
	{PERF_REG_X86_BP, UNWIND_RBP},	   {PERF_REG_X86_SP, UNWIND_RSP},
	{PERF_REG_X86_IP, UNWIND_RIP},	   {PERF_REG_X86_R8, UNWIND_R8},
	{PERF_REG_X86_R9, UNWIND_R8 + 1},  {PERF_REG_X86_R10, UNWIND_R8 + 2},
	{PERF_REG_X86_R11, UNWIND_R8 + 3}, {PERF_REG_X86_R12, UNWIND_R8 + 4},
	{PERF_REG_X86_R13, UNWIND_R8 + 5}, {PERF_REG_X86_R14, UNWIND_R8 + 6},
	{PERF_REG_X86_R15, UNWIND_R15},
#endif
};

uint64_t sample_record_regs(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < UNWIND_REGS; i++)
		mask |= 1ull << regs[i].perf;
	return mask;
}

void sample_record_put_regs(uint64_t out[UNWIND_REGS], const uint64_t walk[UNWIND_REGS])
{
	for (size_t i = 0; i < UNWIND_REGS; i++)
		out[i] = walk[regs[i].walk];
}

int sample_record_parse(struct sample_record *out, struct bytes body)
{
	struct sample_record r = {.period_ns = bytes_u64(&body)};
	uint64_t abi = bytes_u64(&body), size, used;
	struct bytes stack;

	r.has_regs = abi != PERF_SAMPLE_REGS_ABI_NONE;
	r.is_compat = abi == PERF_SAMPLE_REGS_ABI_32;
	for (size_t i = 0; r.has_regs && i < UNWIND_REGS; i++)
		r.regs[regs[i].walk] = bytes_u64(&body);
	size = bytes_u64(&body);
	if (size) { /* the room, then how much of it is stack */
		stack = bytes_sub(&body, size);
		used = bytes_u64(&body);
		r.stack = stack.p;
		r.stack_len = (uint32_t)(used < size ? used : size);
	}
	if (body.bad)
		return -EBADMSG;
	*out = r;
	return 0;
}
