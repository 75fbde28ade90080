/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this sample asked for? All filters that are on must agree. */
#ifndef KILN_BPF_TARGET_H
#define KILN_BPF_TARGET_H

#include <stdbool.h>

#include <bpf/bpf_core_read.h>

#include "bpf/config.bpf.h"
#include "bpf/kernel_types.h"
#include "bpf/maps.bpf.h"

#define PIDNS_DEPTH 8 /* namespaces below kiln's */

static __always_inline const struct upid *number_of(const struct pid *pid, __u32 level)
{
	return (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       level * bpf_core_type_size(struct upid);
}

/* The number in kiln's pid namespace; 0: it has none there, or it has just ended. */
static __always_inline __u32 number_here(const struct pid *pid)
{
	__u32 level = BPF_CORE_READ(pid, level);

	for (int i = 0; i < PIDNS_DEPTH; i++) {
		const struct upid *n = number_of(pid, level);

		if (BPF_CORE_READ(n, ns, ns.inum) == pidns)
			return BPF_CORE_READ(n, nr);
		if (!level--)
			break;
	}
	return 0;
}

static __always_inline __u32 tgid_here(const struct task_struct *task)
{
	return pidns ? number_here(BPF_CORE_READ(task, group_leader, thread_pid))
		     : BPF_CORE_READ(task, tgid);
}

/* The number of a process in its own pid namespace; 0: it has just ended. */
static __always_inline __u32 tgid_inside(const struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	const struct upid *n = number_of(pid, BPF_CORE_READ(pid, level));

	return pid ? BPF_CORE_READ(n, nr) : 0;
}

/* A tgid in the targets is only the process that was put there: a later one with the same number
 * has another start time. */
static __always_inline bool target_in(void *targets, __u32 tgid, __u64 leader_start)
{
	__u64 *start = bpf_map_lookup_elem(targets, &tgid);

	if (!start)
		return false;
	if (!*start)
		*start = leader_start;
	return *start == leader_start;
}

/* `tgid` is the number in the initial pid namespace, `here` that in kiln's. */
static __always_inline bool target_tgid(__u32 tgid, __u32 here, __u64 leader_start)
{
	if (target_in(&kiln_targets, tgid, leader_start))
		return true;
	if (!pidns || !here || !target_in(&kiln_targets_ns, here, leader_start))
		return false;
	bpf_map_update_elem(&kiln_targets, &tgid, &leader_start, BPF_ANY);
	return true;
}

static __always_inline bool target_comm(const char *comm)
{
	__u64 state = comm_start;

	for (int i = 0; i < KILN_COMM_LEN; i++) {
		__u8 c = (__u8)comm[i];

		if (!c)
			break;
		state = ((state & comm_step[c]) << 1) | (state & comm_star);
		/* a star may match nothing: standing before it is standing behind it */
		state |= (state & comm_star) << 1;
	}
	return state & comm_final;
}

static __always_inline bool target_cgroup(void)
{
	for (__u32 i = 0; i < KILN_MAX_CGROUPS; i++) {
		if (i >= n_cgroups)
			return false;
		if (bpf_current_task_under_cgroup(&kiln_cgroups, i) == 1)
			return true;
	}
	return false;
}

#endif
