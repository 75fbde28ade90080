/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few kernel structs that are read, with only the fields that are read. Offsets are relocated
 * at load time against the running kernel's BTF (CO-RE), so no generated vmlinux.h is needed.
 */
#ifndef KILN_BPF_KERNEL_TYPES_H
#define KILN_BPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct maple_tree {
	void *ma_root;
};

struct file;

struct xol_area { /* the page of probes that uprobes map */
	unsigned long vaddr;
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
	unsigned long start_stack;
	struct maple_tree mm_mt; /* 6.1 */
	struct file *exe_file;
	unsigned long exec_vm;
	int mm_lock_seq; /* 6.4: changes with every change of a mapping */
};

struct seqcount {
	unsigned int sequence;
};

struct mm_struct___counted { /* 6.13: a counter of its own type */
	struct seqcount mm_lock_seq;
};

struct dentry;
struct vfsmount;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct fs_struct {
	struct path root;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* one for each level, from the initial namespace on */
};

struct uprobe;

struct return_instance {     /* of a function with a uretprobe that has not returned yet */
	unsigned long stack; /* where its return address was */
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
	struct uprobe *active_uprobe;
	unsigned long vaddr,
		xol_vaddr; /* of the instruction that runs as a copy, and of the copy */
};

typedef struct {
	__u32 val; /* in the initial user namespace */
} kuid_t;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct cred {
	kuid_t uid, suid, euid;
};

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};

struct timens_offsets {
	struct timespec64 monotonic;
};

struct time_namespace {
	struct timens_offsets offsets;
};

struct nsproxy {
	struct time_namespace *time_ns; /* 5.6 */
};

struct task_struct {
	int pid, tgid;
	const struct cred *real_cred;
	struct uprobe_task *utask;
	struct pid *thread_pid;
	__u64 start_boottime;
	__u64 self_exec_id;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	void *stack;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags, vm_pgoff;
	void *vm_ops;
	struct file *vm_file;
	void *vm_private_data;
};

struct vm_special_mapping {
	const char *name;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_generation;
	long long i_size;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct backing_file { /* 6.8: what overlayfs maps in the place of its own */
	struct file file;
	struct path user_path;
};

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

enum maple_type { maple_leaf_64 = 1, maple_range_64 = 2, maple_arange_64 = 3 };

struct maple_metadata {
	unsigned char end;
};

struct maple_range_64 {
	unsigned long pivot[15];
	void *slot[16];
	struct maple_metadata meta;
};

struct maple_arange_64 {
	unsigned long pivot[9];
	void *slot[10];
	struct maple_metadata meta;
};

#pragma clang attribute pop

#endif
