/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this sample asked for? All filters that are on must agree. */
#ifndef KILN_BPF_TARGET_H
#define KILN_BPF_TARGET_H

#include <stdbool.h>

#include "bpf/config.bpf.h"
#include "bpf/maps.bpf.h"

/* A tgid in the targets is only the process that was put there: a later one with the same number
 * has another start time. */
static __always_inline bool target_tgid(__u32 tgid, __u64 leader_start)
{
	__u64 *start = bpf_map_lookup_elem(&kiln_targets, &tgid);

	if (!start)
		return false;
	if (!*start)
		*start = leader_start;
	return *start == leader_start;
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
