// SPDX-License-Identifier: GPL-2.0-or-later
/* Samples CPU time: counts (process, thread, stacks) in the kernel. See abi.h for what comes out. */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/abi.h"
#include "bpf/kernel_types.h"
#include "bpf/config.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/target.bpf.h"
#include "bpf/hash.bpf.h"
#include "bpf/unwind.bpf.h"
#include "bpf/regs.bpf.h"
#include "bpf/stacks.bpf.h"
#include "bpf/mappings.bpf.h"
#include "bpf/perf_maps.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline void count_sample(struct kiln_counters *c, void *counts,
					 const struct kiln_count_key *key, __u64 written)
{
	struct kiln_count_value *v = bpf_map_lookup_elem(counts, key);
	struct kiln_count_value first = {.count = 1, .written = written};
	long err;

	if (!v) {
		first.first_ns = bpf_ktime_get_boot_ns();
		err = bpf_map_update_elem(counts, key, &first, BPF_NOEXIST);
		if (!err) {
			c->v[KILN_CTR_recorded]++;
			return;
		}
		if (err == -7 /* E2BIG */ || err == -12 /* ENOMEM */) {
			c->v[KILN_CTR_map_full]++;
			return;
		}
		v = bpf_map_lookup_elem(counts, key); /* another CPU was first */
	}
	if (!v) {
		c->v[KILN_CTR_update_failed]++;
		return;
	}
	__sync_fetch_and_add(&v->count, 1);
	c->v[KILN_CTR_recorded]++;
}

struct task_facts {
	__u64 leader_start, exec_id;
	__u64 has_mm; /* 0 or 1: kernel threads have none */
};

/* Direct loads where the kernel knows the type of what bpf_get_current_task_btf() returns (5.11): a
 * quarter of the cost of reading through a helper. */
static __always_inline struct task_facts current_task_facts(void)
{
	struct task_struct *task;
	__u64 has_mm;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		task = bpf_get_current_task_btf();
		has_mm = task->mm != NULL;
		unwind_opaque(has_mm); /* not the pointer, with which verifiers allow no "or" */
		return (struct task_facts){task->group_leader->start_boottime, task->self_exec_id,
					   has_mm};
	}
	task = (void *)bpf_get_current_task();
	return (struct task_facts){BPF_CORE_READ(task, group_leader, start_boottime),
				   BPF_CORE_READ(task, self_exec_id),
				   BPF_CORE_READ(task, mm) != NULL};
}

/* Where kiln is in another pid namespace than the initial one. False: this process is not in there. */
static __always_inline bool name_ids_here(struct kiln_count_key *key)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();

	key->tgid = tgid_here(task);
	/* an ending thread has lost its number */
	key->tid = number_here(BPF_CORE_READ(task, thread_pid)) ?: key->tgid;
	return key->tgid;
}

/* The clock of an interrupt may be a little behind another CPU's. */
static __always_inline bool is_unattended(void)
{
	__u64 now_ns = bpf_ktime_get_ns(), since_ns = unread_since_ns;

	if (!since_ns)
		unread_since_ns = since_ns = now_ns;
	return (__s64)(now_ns - since_ns) > (__s64)unattended_after_ns;
}

static __always_inline int sample(struct bpf_perf_event_data *ctx, bool reports)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct kiln_counters *c = counters_here();
	__u32 window = current_window & 1, zero = 0;
	struct unwind_env *env = bpf_map_lookup_elem(&kiln_unw_env, &zero);
	struct kiln_count_key *key;
	struct task_facts task;
	__u32 tgid = pid_tgid >> 32;
	__u64 mapped, written = 0;

	if (!c || !env)
		return 0; /* unreachable: array maps are preallocated */
	c->v[KILN_CTR_ticks]++;
	key = &env->key;
	*key = (struct kiln_count_key){};
	key->tgid = tgid;
	key->tid = (__u32)pid_tgid;
	if (!key->tid) {
		c->v[KILN_CTR_idle]++;
		return 0;
	}
	task = current_task_facts();
	bpf_get_current_comm(key->comm, sizeof(key->comm));
	if ((pidns && !name_ids_here(key)) ||
	    (filter_tgids && !target_tgid(tgid, key->tgid, task.leader_start)) ||
	    (filter_comm && !target_comm(key->comm)) || (n_cgroups && !target_cgroup())) {
		c->v[KILN_CTR_filtered]++;
		return 0;
	}
	if (is_unattended()) {
		c->v[KILN_CTR_unattended]++;
		return 0;
	}
	key->image = ((task.leader_start ^ (task.exec_id << 48)) * HASH_START) >> 32;
	key->cgroup_id = bpf_get_current_cgroup_id();
	key->in_user = sample_in_user(ctx);
	if (want_user && (key->in_user || task.has_mm)) {
		mapped = reports ? mappings_version(key->tgid, key->image) : key->image;
		env->jit_written = (__u32)(mapped >> 32);
		key->user_stack = user_stack(ctx, env, c, key, (__u32)mapped, window);
		if (reports && !env->jit_written)
			written = perf_map_size(key->tgid);
		/* What the addresses of the stack mean belongs to the key. 0: not known. */
		if (mapped)
			key->image =
				(__u32)mapped ^ (env->jit_written + (__u32)written) * 0x9e3779b1u;
	}
	if (want_kernel && !key->in_user)
		key->kernel_stack = kernel_stack(ctx, env, c, window);
	if (window)
		count_sample(c, &kiln_counts_1, key, written);
	else
		count_sample(c, &kiln_counts_0, key, written);
	return 0;
}

/* One of the two is loaded: what reports needs Linux 6.4. */
SEC("perf_event")
int kiln_sample(struct bpf_perf_event_data *ctx)
{
	return sample(ctx, false);
}

SEC("perf_event")
int kiln_sample_rep(struct bpf_perf_event_data *ctx)
{
	return sample(ctx, true);
}

/* sched_process_fork(parent, child) runs before the child does, so that no sample of it is missed. */
SEC("raw_tp/sched_process_fork")
int kiln_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (void *)ctx->args[0], *child = (void *)ctx->args[1];
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid), child_tgid = BPF_CORE_READ(child, tgid);
	struct kiln_counters *c = counters_here();
	__u64 start;

	if ((__u32)BPF_CORE_READ(child, pid) != child_tgid) /* a thread */
		return 0;
	if (!target_tgid(parent_tgid, tgid_here(parent),
			 BPF_CORE_READ(parent, group_leader, start_boottime)))
		return 0;
	start = BPF_CORE_READ(child, start_boottime);
	if (bpf_map_update_elem(&kiln_targets, &child_tgid, &start, BPF_ANY) && c)
		c->v[KILN_CTR_targets_full]++;
	return 0;
}

/* Not sched_process_exit: a process uses CPU after it. */
SEC("raw_tp/sched_process_free")
int kiln_free(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 *start;

	if ((__u32)BPF_CORE_READ(task, pid) != tgid)
		return 0;
	start = bpf_map_lookup_elem(&kiln_targets, &tgid);
	/* 0: never sampled; whoever has the number next is not asked for */
	if (start && (!*start || *start == BPF_CORE_READ(task, start_boottime)))
		bpf_map_delete_elem(&kiln_targets, &tgid);
	return 0;
}
