/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a look at a process's mappings works. In map memory, as struct unwind_env is, and why. */
#ifndef KILN_BPF_MAPPINGS_ENV_H
#define KILN_BPF_MAPPINGS_ENV_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define VMAS_NODE_WORDS 32 /* sizeof(struct maple_node) / 8 */

/* A place in the kernel's tree of mappings (vmas.bpf.h). */
struct vmas {
	__u64 mm;		     /* struct mm_struct */
	__u64 at;		     /* the address to be looked at next */
	__u64 node[VMAS_NODE_WORDS]; /* a copy of the leaf that holds it */
	__u64 max;		     /* last address the node is about */
	__u64 below;		     /* the node that leads to `at`, with its kind */
	__u32 slot, end;	     /* next and last slot of the leaf */
};

/* A path that is being read, from its end (file_names.bpf.h). */
struct path_walk {
	__u64 mnt, dentry;	     /* where it is */
	__u64 root_mnt, root_dentry; /* of the process */
	__u64 named; /* the dentry whose name leads from there to where it came from */
};

/* What a sample of the process reported last. */
struct reported {
	__u32 image;   /* the program that ran then */
	__u32 changes; /* its mm_lock_seq */
	__u32 version;
	__u32 pad;
	__u64 set;		  /* hash of all its executable mappings */
	__u64 code_pages;	  /* mm_struct.exec_vm */
	__u64 not_before_ns;	  /* when it may be looked at again, CLOCK_BOOTTIME */
	__u64 data_not_before_ns; /* the same, while code_pages are these */
	__u64 jitdump; /* struct inode; there while the mappings are the same, as that of the file is one */
};

struct mappings_env {
	struct vmas vmas;
	struct path_walk path;
	__u64 below;	 /* the mapping looked at last: struct vm_area_struct, or 0 */
	__u64 set, walk; /* hashes of all mappings, and of those that are of files */
	__u64 jitdump;	 /* struct inode of the one that is mapped, or 0 */
	__u32 state;	 /* enum vmas_next */
	__u32 n;	 /* mappings so far */
	__u32 is_second; /* looked at again, because they do not fit into one record */
	__u32 pad;
	struct reported
		fresh; /* of this sample; here, as a program has 512 bytes of stack in all */
	struct kiln_mappings_record rec;
	struct kiln_file_record file;
};

/* One a CPU. Writer and reader: the one program that samples. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct mappings_env);
	__uint(max_entries, 1);
} kiln_mappings_env SEC(".maps");

static __always_inline struct mappings_env *mappings_env_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kiln_mappings_env, &zero);
}

#endif
