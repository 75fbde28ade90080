// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks at every sample of one process and ships whatever the walk left. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

#include "bpf/unwind.bpf.h"
#include "bpf/regs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 target_tgid = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} out SEC(".maps");

SEC("perf_event")
int walk(struct bpf_perf_event_data *ctx)
{
	__u32 zero = 0, tgid = bpf_get_current_pid_tgid() >> 32;
	struct unwind_env *env = bpf_map_lookup_elem(&kiln_unw_env, &zero);

	if (!env || tgid != target_tgid || !load_user_regs(ctx, env->regs, sample_in_user(ctx)))
		return 0;
	unwind_user(tgid, 1);
	bpf_ringbuf_output(&out, &env->rec, sizeof(env->rec), 0);
	return 0;
}
