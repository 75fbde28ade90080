// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Says by doing whether this machine lets us sample with BPF: loads a two-instruction perf_event
 * program and attaches it to a software clock. Exit 0, or 1 with the reason on stdout. It shares no
 * code with kiln, so that a broken kiln cannot excuse its own tests.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuse(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

int main(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_PERF_EVENT,
		.insns = (uintptr_t)program,
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		.license = (uintptr_t) "GPL",
	};
	struct perf_event_attr clock = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(clock),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int prog, event;

	prog = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (prog < 0)
		return refuse("bpf(BPF_PROG_LOAD)");
	event = syscall(SYS_perf_event_open, &clock, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return refuse("perf_event_open(cpu-clock, all processes)");
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog))
		return refuse("ioctl(PERF_EVENT_IOC_SET_BPF)");
	return 0;
}
