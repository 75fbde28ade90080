/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one header that both halves include: what crosses between the BPF programs and user space.
 * Fixed-width types, explicit padding, no pointers.
 */
#ifndef KILN_BPF_ABI_H
#define KILN_BPF_ABI_H

#include <linux/types.h>

#include "bpf/unwind_abi.h"

#define KILN_COMM_LEN	 16
#define KILN_MAX_FRAMES	 127 /* kernel.perf_event_max_stack's default: all bpf_get_stack() gives */
#define KILN_MAX_CGROUPS 64  /* --cgroup, --unit and --container together */

/*
 * A stack is named in a count key by 64 bits: one of these words, or an id in the window's
 * stack-trace map (with KILN_STACK_ID set), or else the hash of its frames, which were shipped once.
 */
enum kiln_stack_word {
	KILN_STACK_NONE, /* there is none: the sample hit the other side, or it was not asked for */
	KILN_STACK_MISSED,     /* there was one and it could not be had */
	KILN_STACK_WORDS = 16, /* hashes are at least this */
};
#define KILN_STACK_ID (1ull << 63)

struct kiln_count_key {
	__u64 user_stack;   /* word or hash */
	__u64 kernel_stack; /* word, KILN_STACK_ID | id, or hash (top bit clear) */
	__u64 cgroup_id;    /* bpf_get_current_cgroup_id(): the default hierarchy's */
	__u32 tgid, tid;    /* in the initial pid namespace */
	__u32 image;   /* tells programs that a tgid ran apart: hash of the process's start time
			       and of its exec count */
	__u32 in_user; /* 1: the sample hit user code, 0: kernel code */
	char comm[KILN_COMM_LEN];
};
_Static_assert(sizeof(struct kiln_count_key) == 56, "ABI");

struct kiln_count_value {
	__u64 count;
	__u64 first_ns; /* CLOCK_BOOTTIME of the first sample */
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
 * What user space needs to walk a stack that the kernel half could not: one sample's registers and
 * stack, from the red zone below rsp up (System V ABI, x86-64, 3.2.2: code keeps things there, and
 * OpenSSL's describes some of its frames by them), but nothing of the page below. The room that
 * is taken in the ring is the smallest of these that holds the stack, since a full ring cuts stacks:
 * 8 KB hold most, 48 those of clang; pkgconf keeps 64 KB buffers on its. OTHER is for threads whose
 * stack's top is not known, and of deeper stacks.
 */
#define KILN_RAW_STACK_SMALL (2 * 4096)
#define KILN_RAW_STACK	     (6 * 4096)
#define KILN_RAW_STACK_DEEP  (12 * 4096)
#define KILN_RAW_STACK_OTHER (24 * 4096)
#define KILN_RAW_STACK_MAX   (80 * 4096)
#define KILN_RED_ZONE	     128
#define KILN_RAW_BASE(sp)    (((sp)&4095) < KILN_RED_ZONE ? (sp) & ~4095ull : (sp)-KILN_RED_ZONE)

struct kiln_raw_record {
	struct kiln_record_head head;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 tgid, pad;
	__u64 regs[UNWIND_REGS]; /* by enum unwind_reg */
	__u8 stack[];		 /* from KILN_RAW_BASE(rsp) up */
};

/*
 * What the sampled process has mapped to be run, told by its first sample and by every later one that
 * finds it changed: files once, by what tells them apart, then all mappings at once.
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
	__u8 is_deleted; /* has no name any more */
	__u8 is_unnamed; /* never had one that leads to it: memfd, anonymous shared memory */
	__u8 is_elf;	 /* begins like one, as far as could be seen in the process */
	__u8 pad;
	__u64 start, len; /* the mapping that it was seen in */
	/* components, each with a NUL, the last one first; relative to the process's root */
	char path[KILN_PATH_MAX + 256];
};

struct kiln_mapping {
	__u64 start, len, file_off;
	struct kiln_file_key file;
};

#define KILN_MAPPINGS_MAX 128 /* in one record */

/* One of the records that make a set; those of one sample have the same tgid and time. */
struct kiln_mappings_record {
	struct kiln_record_head head;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 tgid;
	__u32 version; /* of the last one: names what of the set matters to the walk */
	__u8 is_last;
	__u8 is_cut; /* too many to be told: /proc has to be asked */
	__u8 pad[6];
	struct kiln_file_key exe; /* inode 0: not known */
	struct kiln_mapping at[KILN_MAPPINGS_MAX];
};

/* Kernel-side counters, per CPU, in samples. On every CPU
 * ticks = idle + filtered + recorded + map_full + update_failed. */
#define KILN_COUNTERS(X)                                                                           \
	X(ticks)	    /* program runs */                                                     \
	X(idle)		    /* hit the idle task */                                                \
	X(filtered)	    /* hit something that was not asked for */                             \
	X(recorded)	    /* counted in a count map */                                           \
	X(map_full)	    /* lost: the count map was full */                                     \
	X(update_failed)    /* lost: the count map refused for another reason */                   \
	X(user_missing)	    /* recorded without the user stack it should have */                   \
	X(kernel_missing)   /* recorded without the kernel stack it should have */                 \
	X(kernel_collision) /* bucket taken in the stack-trace map: shipped by the exact path */   \
	X(ring_full)	    /* a stack could not be shipped: the ring was full */                  \
	X(shipped)	    /* stacks sent through the ring */                                     \
	X(raw)		    /* samples whose registers and stack went to user space */             \
	X(walk_fp)	    /* table walks that followed frame pointers somewhere */               \
	X(raw_full)	/* samples for which there was no room to do so: cut where the walk was */ \
	X(targets_full) /* a forked descendant could not be added to the targets */                \
	X(mappings_reported) /* samples that told of mappings */                                   \
	X(mappings_unread)   /* samples whose mappings could not be read or told just then */

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
