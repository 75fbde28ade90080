/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops one thread for as long as it takes to read its registers and stack, and lets it go again. It is traced for that
 * time alone. So a program may trace or be traced, may gain privileges by exec, and may be stopped by job control as if
 * nobody looked; and if kiln dies, the kernel lets the thread go. Internal to the room.
 */
#ifndef KILN_ROOTLESS_STOP_ONE_H
#define KILN_ROOTLESS_STOP_ONE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/unwind_abi.h"
#include "profiler/rootless/sample_record.h"

struct stopped {
	/* Given: thread_facts.program. All frames of the first thread lie below it. */
	uint64_t first_stack;
	uint64_t t_ns; /* CLOCK_BOOTTIME of the stop */
	/* CLOCK_MONOTONIC when it was last seen running, and how long after that it could go on: at most so long it
	 * was stopped. */
	uint64_t ran_ns, held_ns;
	bool is_compat, in_call; /* in_call: at the end of a system call */
	uint64_t regs[UNWIND_REGS];
	uint32_t stack_len; /* of `stack`, which begins at KILN_RAW_BASE(rsp) */
	/* What the stop did to a system call, if the thread had begun to sleep in one: it ended with EINTR, or the
	 * kernel starts it again. */
	bool ended_call, restarted_call;
	bool is_free; /* else it was killed while it was stopped, and stop_one_sweep() reaps it */
	uint8_t stack[SAMPLE_STACK_MAX];
};

/* What a thread is doing with the stop that it was asked for. */
enum stop_result {
	STOP_TAKEN,   /* *out is filled, and the thread runs on */
	STOP_PENDING, /* it has not stopped yet: call stop_one_poll() again soon */
	STOP_NOTHING, /* it ended, or it is stopped by job control */
	STOP_REFUSED, /* it may not be traced */
};

/* Asks a thread to stop: STOP_PENDING, or why not. Those that are pending when the calling thread ends run on. */
enum stop_result stop_one_ask(pid_t tid, struct stopped *out);
/* Waits for microseconds. is_child: the thread is a child of this process, which reaps it elsewhere. is_here: it was on
 * the calling thread's CPU, and goes on to its stop when that sleeps. */
enum stop_result stop_one_await(pid_t tid, bool is_child, bool is_here, struct stopped *out);
/* Looks again at one that was pending. */
enum stop_result stop_one_poll(pid_t tid, bool is_child, struct stopped *out);

/*
 * Lets go those whose number has changed since they were asked: a thread that executes a program takes the number of its
 * process. After the pending ones were looked at.
 */
void stop_one_sweep(void);

/* Whether this process may trace its children. 0 or -errno. */
int stop_one_probe(void);

#endif
