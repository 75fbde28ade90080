/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What crosses between the BPF programs and user space. Of the headers in here both halves also include
 * unwind_abi.h (the format of unwind tables) and unwind_core.h (the step of the walk).
 * Fixed-width types, explicit padding, no pointers.
 */
#ifndef KILN_BPF_ABI_H
#define KILN_BPF_ABI_H

#include <linux/types.h>

#include "bpf/unwind_abi.h"

#define KILN_COMM_LEN	 16
#define KILN_MAX_FRAMES	 127 /* kernel.perf_event_max_stack's default: all bpf_get_stack() gives */
#define KILN_MAX_CGROUPS 64  /* --cgroup, --unit and --container together */

/* Stands for the kernel's bpf_rdonly_cast() until a program is loaded: a helper that no kernel has. */
#define KILN_CALL_RDONLY_CAST 0x6b696c6e

/*
 * A stack is named in a count key by 64 bits: one of these words, or an id in the window's
 * stack-trace map (with KILN_STACK_ID set), or else the hash of its frames, which were shipped once.
 */
enum kiln_stack_word {
	KILN_STACK_NONE,   /* no stack: the sample hit the other side, or this side is not wanted */
	KILN_STACK_MISSED, /* the stack could not be read */
	KILN_STACK_WORDS = 16, /* hashes are at least this */
};
#define KILN_STACK_ID (1ull << 63)

struct kiln_count_key {
	__u64 user_stack;   /* word or hash */
	__u64 kernel_stack; /* word, KILN_STACK_ID | id, or hash (top bit clear) */
	__u64 cgroup_id;    /* bpf_get_current_cgroup_id(): the default hierarchy's */
	__u32 tgid, tid;    /* in kiln's pid namespace */
	__u32 image; /* identifies one program of a tgid (hash of the process's start time and of its
			  exec count) and, where samples report mappings, what files it has mapped and
			  how much its JIT compiler has written down */
	__u32 in_user; /* 1: the sample hit user code, 0: kernel code */
	char comm[KILN_COMM_LEN];
};
_Static_assert(sizeof(struct kiln_count_key) == 56, "ABI");

struct kiln_count_value {
	__u64 count;
	__u64 first_ns; /* CLOCK_BOOTTIME of the first sample */
	__u64 written;	/* bytes of the perf map of its JIT compiler then; 0: none, or not known */
};

enum kiln_stack_side { KILN_SIDE_USER, KILN_SIDE_KERNEL };

enum kiln_record_kind {
	KILN_RECORD_STACK,    /* struct kiln_stack_record */
	KILN_RECORD_RAW,      /* struct kiln_raw_record */
	KILN_RECORD_FILE,     /* struct kiln_file_record */
	KILN_RECORD_MAPPINGS, /* struct kiln_mappings_record */
	KILN_RECORD_KINDS
};

/*
 * Records of the ring buffer. All begin with this head; those of stacks belong to the window (pair of
 * maps) they name, and their hash is what count keys of that window call the stack.
 */
struct kiln_record_head {
	__u64 hash;
	__u8 window; /* 0 or 1 */
	__u8 side;   /* enum kiln_stack_side */
	__u8 kind;   /* enum kiln_record_kind */
	__u8 end;    /* enum unwind_end; UNWIND_ON: not known (a frame-pointer walk) */
	__u32 n;     /* frames found, bytes of stack or of path, mappings */
};
_Static_assert(sizeof(struct kiln_record_head) == 16, "ABI");

/* A stack seen for the first time in its window. Only the frames that were found are sent; frame i
 * is at UNWIND_FRAME_AT(i), leaf first. */
struct kiln_stack_record {
	struct kiln_record_head head;
	__u64 frames[UNWIND_FRAMES_MAX];
};

/*
 * A raw sample: registers and a copy of the stack, for user space to walk. The copy begins in the red
 * zone below rsp (System V ABI, x86-64, 3.2.2), because OpenSSL describes some frames by words there.
 * It never begins in the page below. A record takes the smallest of these sizes that holds the stack,
 * since a full ring cuts stacks. 8 KB hold most stacks, 48 KB those of clang, and pkgconf has buffers
 * of 64 KB. OTHER serves threads whose stack has an unknown top, and deeper stacks.
 */
#define KILN_RAW_STACK_SMALL (2 * 4096)
#define KILN_RAW_STACK	     (6 * 4096)
#define KILN_RAW_STACK_DEEP  (12 * 4096)
#define KILN_RAW_STACK_OTHER (24 * 4096)
#define KILN_RAW_STACK_MAX   (80 * 4096)
#define KILN_RED_ZONE	     128
#define KILN_RAW_BASE(sp)    (((sp)&4095) < KILN_RED_ZONE ? (sp) & ~4095ull : (sp)-KILN_RED_ZONE)

/* A return address that a uretprobe has replaced on the stack. */
struct kiln_replaced {
	__u64 at, was;
};
#define KILN_REPLACED_MAX 16 /* few functions have uretprobes; recursive ones may have more */

/* Of a process that can change its user: real, effective and saved user id are not the same. */
#define KILN_OWNER_MIXED 0xffffffffu

struct kiln_raw_record {
	struct kiln_record_head head;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 tgid;
	__u8 is_compat; /* 32-bit code */
	__u8 in_kernel; /* the sample hit the kernel: a system call, or a fault */
	__u8 pad[2];
	__u64 regs[UNWIND_REGS]; /* by enum unwind_reg */
	__u64 uprobes;		 /* the page of probes, if uretprobes are on the stack, or 0 */
	__u32 n_replaced;
	__u32 owner;	   /* user id of the process, or KILN_OWNER_MIXED */
	__u32 jit_written; /* low half of the size of the process's jitdump; 0: none, or not known */
	__u32 leaf_is;	   /* enum unwind_leaf_is of the innermost frame, if nothing describes it */
	struct unwind_caller leaf;
	struct kiln_replaced replaced[KILN_REPLACED_MAX]; /* innermost first */
	__u8 stack[];					  /* from KILN_RAW_BASE(rsp) up */
};

/*
 * Reported mappings: what the sampled process has mapped executable. Its first sample reports them, and
 * so does every later sample that finds them changed. Each file comes once, by its key; then all
 * mappings come at once.
 */
struct kiln_file_key {
	__u64 inode; /* 0: no file */
	__u32 dev;   /* of the super block: 12 bits major, 20 bits minor */
	__u32 generation;
};

/* dev of a key without an inode */
enum kiln_no_file { KILN_NO_FILE_ANON, KILN_NO_FILE_VDSO };

#define KILN_PATH_MAX 4096

/* Comes before the first mapping of the file. */
struct kiln_file_record {
	struct kiln_record_head head;
	struct kiln_file_key file;
	__u32 tgid;
	__u8 is_deleted; /* unlinked */
	__u8 is_unnamed; /* never had a path: memfd, anonymous shared memory */
	__u8 is_elf;	 /* its mapped beginning has ELF's magic number */
	__u8 pad;
	__u64 start, len; /* of the mapping that was found */
	/* components, each with a NUL, the last one first; relative to the process's root */
	char path[KILN_PATH_MAX + 256];
};

struct kiln_mapping {
	__u64 start, len, file_off;
	struct kiln_file_key file;
};

#define KILN_MAPPINGS_MAX 128 /* in one record */

/* One of the records that make a set. Those of one sample have the same tgid and time. */
struct kiln_mappings_record {
	struct kiln_record_head head;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 tgid;
	__u32 version; /* in the last record: identifies what of the set matters to the walk */
	__u8 is_last;
	__u8 is_cut;		  /* too many to report: read /proc */
	__u16 number;		  /* of the record in its set, from 0 */
	__u32 uid;		  /* real one */
	struct kiln_file_key exe; /* inode 0: not known */
	__s64 monotonic_ns; /* how far CLOCK_MONOTONIC of its time namespace is ahead of the initial one's */
	__u32 ns_tgid; /* in its own pid namespace; 0: it has just ended */
	__u8 pad[4];
	struct kiln_mapping at[KILN_MAPPINGS_MAX];
};

/* Kernel-side counters, per CPU, in samples. On every CPU
 * ticks = idle + filtered + unattended + recorded + map_full + update_failed. */
#define KILN_COUNTERS(X)                                                                           \
	X(ticks)	    /* program runs */                                                     \
	X(idle)		    /* hit the idle task */                                                \
	X(filtered)	    /* hit a process or CPU outside the targets */                         \
	X(recorded)	    /* counted in a count map */                                           \
	X(map_full)	    /* lost: the count map was full */                                     \
	X(update_failed)    /* lost: the count map refused for another reason */                   \
	X(unattended)	    /* lost: user space has not read anything for long */                  \
	X(user_missing)	    /* recorded without the user stack it should have */                   \
	X(kernel_missing)   /* recorded without the kernel stack it should have */                 \
	X(kernel_collision) /* bucket taken in the stack-trace map: shipped by the exact path */   \
	X(ring_full)	    /* a stack could not be shipped: the ring was full */                  \
	X(shipped)	    /* stacks sent through the ring */                                     \
	X(raw)		    /* samples whose registers and stack went to user space */             \
	X(walk_fp)	    /* table walks that followed frame pointers somewhere */               \
	X(raw_full)	/* samples without room in the ring for that: cut where the walk was */    \
	X(targets_full) /* a forked descendant could not be added to the targets */                \
	X(mappings_reported) /* samples that reported mappings */                                  \
	X(mappings_unread)   /* samples whose mappings could not be read or sent just then */

enum kiln_counter {
#define X(name) KILN_CTR_##name,
	KILN_COUNTERS(X)
#undef X
		KILN_CTR_COUNT
};

struct kiln_counters {
	__u64 v[KILN_CTR_COUNT];
	__u64 walk_end[UNWIND_END_COUNT]; /* table walks by how they ended */
};

#endif
