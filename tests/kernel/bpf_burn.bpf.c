// SPDX-License-Identifier: GPL-2.0-or-later
/* Two programs that burn CPU, in one function and in a subprogram, when they are run (BPF_PROG_RUN). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define TURNS 10000

static __attribute__((noinline)) int burn_inside(int x)
{
	for (int i = 0; i < TURNS; i++)
		asm volatile("%0 *= 31" : "+r"(x));
	return x;
}

SEC("tc")
int burn_first(struct __sk_buff *ctx)
{
	int x = (int)ctx->len;

	for (int i = 0; i < TURNS; i++)
		asm volatile("%0 *= 33" : "+r"(x));
	return x;
}

SEC("tc")
int burn_second(struct __sk_buff *ctx)
{
	return burn_inside((int)ctx->len);
}
