// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks the stack of whoever asks, by tables and by frame pointers, and takes the time. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

#include "bpf/unwind.bpf.h"
#include "bpf/regs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Who asks, and by which system call. */
const volatile __u32 asker = 0;
const volatile __u64 asking_call = 0;
const volatile bool frame_pointers = false;
const volatile __u32 repeats = 1; /* 64 at most */

__u64 took_ns, frames;

static __always_inline void by_tables(struct unwind_env *env)
{
	for (__u32 i = 0; i < 64 && i < repeats; i++)
		unwind_user(asker, 1);
	frames = env->n;
}

static __always_inline void by_frame_pointers(void *ctx, struct unwind_env *env)
{
	long len = 0;

	for (__u32 i = 0; i < 64 && i < repeats; i++)
		len = bpf_get_stack(ctx, env->rec.frames, KILN_MAX_FRAMES * sizeof(__u64),
				    BPF_F_USER_STACK);
	frames = len > 0 ? (__u64)len / sizeof(__u64) : 0;
}

SEC("raw_tp/sys_enter")
int walk(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 zero = 0;
	struct unwind_env *env = bpf_map_lookup_elem(&kiln_unw_env, &zero);
	__u64 start;

	if (ctx->args[1] != asking_call || bpf_get_current_pid_tgid() >> 32 != asker || !env ||
	    !load_user_regs((void *)ctx, env->regs, false))
		return 0;
	start = bpf_ktime_get_ns();
	if (frame_pointers)
		by_frame_pointers(ctx, env);
	else
		by_tables(env);
	took_ns = bpf_ktime_get_ns() - start;
	return 0;
}
