/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much a JIT compiler has written into its perf map. The file has no times, so the size that it had at a
 * sample tells which code ran then. User space finds the file (profiler/collect/perf_maps.h), and a program that
 * runs in its context looks up the inode, once. Nothing keeps the inode: a number tells whether it is the same
 * one, and what is read of another one is only a size.
 */
#ifndef KILN_BPF_PERF_MAPS_H
#define KILN_BPF_PERF_MAPS_H

#include "bpf/kernel_read.bpf.h"

struct perf_map_inode {
	__u64 inode;  /* struct inode */
	__u64 number; /* i_ino */
};

/* Key: tgid in kiln's pid namespace. Writer: kiln_perf_map; user space deletes. Reader: samples. Full: the least
 * recently used one is found again later. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32);
	__type(value, struct perf_map_inode);
	__uint(max_entries, 1024); /* 1 where samples do not report: set at load */
} kiln_perf_maps SEC(".maps");

/* Not 0: there may be some. So that others pay nothing. */
__u32 has_perf_maps;

static __always_inline __u64 perf_map_size(__u32 tgid)
{
	const struct perf_map_inode *known;
	const struct inode *inode;

	if (!has_perf_maps)
		return 0;
	known = bpf_map_lookup_elem(&kiln_perf_maps, &tgid);
	if (!known)
		return 0;
	inode = KERNEL(inode, known->inode);
	return inode->i_ino == known->number ? inode->i_size : 0;
}

/* Run by user space: the perf map of process ctx->args[0] is open here as descriptor ctx->args[1]. */
SEC("raw_tp")
int kiln_perf_map(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	__u32 tgid = ctx->args[0], fd = ctx->args[1];
	struct perf_map_inode found = {};
	struct file *file = NULL;
	struct file **files;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 1;
	files = BPF_CORE_READ(table, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return 1;
	found.inode = (__u64)BPF_CORE_READ(file, f_inode);
	found.number = BPF_CORE_READ(file, f_inode, i_ino);
	has_perf_maps = 1;
	return bpf_map_update_elem(&kiln_perf_maps, &tgid, &found, BPF_ANY) ? 1 : 0;
}

#endif
