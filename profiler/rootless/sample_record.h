/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of samples in perf's format (perf_event_open(2), PERF_RECORD_SAMPLE), with period, registers and stack
 * behind what all records have. Internal to the room.
 */
#ifndef KILN_ROOTLESS_SAMPLE_RECORD_H
#define KILN_ROOTLESS_SAMPLE_RECORD_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/bytes.h"
#include "profiler/procs/events.h"

#define SAMPLE_RECORD_TYPE                                                                         \
	(EVENT_SAMPLE_TYPE | PERF_SAMPLE_PERIOD | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER)

/* Stack in a record: its size has 16 bits, and the rest of the record is small. */
#define SAMPLE_STACK_MAX (12 * 4096)

struct sample_record {
	uint64_t period_ns; /* CPU time that it stands for */
	bool is_compat;	    /* 32-bit code */
	bool has_regs;
	uint64_t regs[UNWIND_REGS];
	const uint8_t *stack; /* borrowed */
	uint32_t stack_len;
};

/* Writes registers as they stand in a record, all that sample_record_regs() has. */
void sample_record_put_regs(uint64_t out[UNWIND_REGS], const uint64_t walk[UNWIND_REGS]);

/* Registers to ask perf for (asm/perf_regs.h). */
uint64_t sample_record_regs(void);

/* The body of a sample (struct event). 0 or -EBADMSG. */
int sample_record_parse(struct sample_record *out, struct bytes body);

#endif
