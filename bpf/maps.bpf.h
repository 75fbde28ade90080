/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All maps. What belongs to a window exists twice: while one pair is filled, user space drains and
 * empties the other. Sizes marked (set at load) are chosen by profiler/sampler/map_sizes.c.
 */
#ifndef KILN_BPF_MAPS_H
#define KILN_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/* Counts. Writer: the sampling program; reader: the drain, lookup-and-delete. When full the sample
 * is lost and counted in map_full. */
struct count_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct kiln_count_key);
	__type(value, struct kiln_count_value);
	__uint(max_entries, 16384); /* set at load */
};
struct count_map kiln_counts_0 SEC(".maps"), kiln_counts_1 SEC(".maps");

/* Kernel stacks by bucket id. Writer: bpf_get_stackid(); reader: the drain, which empties it. When
 * a bucket is taken by another stack the exact path ships the frames instead. */
struct kernel_stack_map {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, KILN_MAX_FRAMES * sizeof(__u64));
	__uint(max_entries, 4096); /* set at load */
};
struct kernel_stack_map kiln_kstacks_0 SEC(".maps"), kiln_kstacks_1 SEC(".maps");

/* Hashes whose frames were shipped in this window. When full a stack is shipped again each time:
 * slower, nothing lost. The value is unused. */
struct seen_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, __u8);
	__uint(max_entries, 16384); /* set at load */
};
struct seen_map kiln_seen_0 SEC(".maps"), kiln_seen_1 SEC(".maps");

/* Shipped stacks (struct kiln_record_head). When full the sample is counted without that stack. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* set at load */
} kiln_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct kiln_counters);
	__uint(max_entries, 1);
} kiln_counters SEC(".maps");

/* Target processes: tgid in the initial pid namespace -> start_boottime, or 0 when user space added it and it
 * was not sampled yet. Writers: user space (-p, -- CMD), the fork and free programs. When full a descendant is
 * missed and counted in targets_full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 65536); /* 1 where nothing is a target: set at load */
} kiln_targets SEC(".maps");

/* Where kiln is in another pid namespace: those of user space, by the numbers there. The programs take them
 * over into kiln_targets. When full user space fails. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4096); /* 1 where there are none: set at load */
} kiln_targets_ns SEC(".maps");

/* Target cgroups (v2), by descriptor. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, KILN_MAX_CGROUPS);
} kiln_cgroups SEC(".maps");

/* Per CPU, and no two programs share a counter: they are bumped without atomics. */
static __always_inline struct kiln_counters *counters_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kiln_counters, &zero);
}

#endif
