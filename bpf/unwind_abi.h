/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format of the unwind tables, and of the maps that hold them: shared by the compiler
 * (symbolizer/unwind/unwind_table.h), the walk (bpf/unwind_core.h), the loader and the BPF programs.
 *
 * A table is one relocatable blob for one ELF file; all numbers are little endian and all places
 * are byte offsets from its start:
 *
 *	struct unwind_head
 *	struct unwind_rule rules[n_rules]	most used first
 *	__u32 index[n_buckets]			one entry per 256 bytes of text
 *	row runs				what the index points at
 *
 * An index entry describes its bucket: with 0 rows one rule holds for all of it, and the entry is
 * that rule's number; otherwise the entry tells where a run of rows starts. Row i holds from its pc
 * (offset in the bucket) up to that of row i + 1; the first row's pc is 0. Narrow rows are
 * {u8 pc, u8 rule}; runs that need a rule number above 255 have wide rows {u8 pc, u8 0, u16 rule}.
 *
 * In the kernel a blob is an array of UNWIND_PAGE-sized elements, so nothing in it straddles a
 * multiple of UNWIND_PAGE: rules and index entries by their alignment, runs by padding. The blob's
 * size is a multiple of it, too.
 */
#ifndef KILN_BPF_UNWIND_ABI_H
#define KILN_BPF_UNWIND_ABI_H

#include <linux/types.h>

#define UNWIND_MAGIC	   0x77756e6b /* "knuw" */
#define UNWIND_VERSION	   13
#define UNWIND_PAGE	   4096
#define UNWIND_BUCKET_BITS 8 /* a row's pc is one byte */
#define UNWIND_BUCKET	   (1u << UNWIND_BUCKET_BITS)

struct unwind_head {
	__u32 magic;
	__u16 version;
	__u16 machine; /* EM_X86_64; EM_386: words of 4 bytes, and only user space walks by it */
	__u64 text_va; /* ELF address of bucket 0, a multiple of UNWIND_BUCKET */
	__u64 check;   /* hash of everything, with 0 here */
	__u32 n_buckets;
	__u32 n_rules; /* 1 or more */
	__u32 index_off;
	__u32 rows_off;
	__u32 size; /* of the blob */
	/* Of code made at run time: low half of the size of its jitdump, and descriptions that were refused. */
	__u32 jit_written, jit_refused;
	__u32 is_partial; /* 1: most of the code has no rule; a debug file may come that describes it */
	__u32 reserved[2];
};
_Static_assert(sizeof(struct unwind_head) == 64, "format");

/*
 * Index entry: bits 0-23 start of the run in units of 2 bytes from rows_off (or the rule),
 * bits 24-30 number of rows, bit 31 wide rows.
 */
#define UNWIND_RUN_START(entry) ((entry)&0xffffffu)
#define UNWIND_RUN_ROWS(entry)	(((entry) >> 24) & 127)
#define UNWIND_RUN_WIDE(entry)	((entry) >> 31)
#define UNWIND_RUN_STARTS	(1u << 24)
#define UNWIND_RUN_ROWS_MAX	127 /* what a 7-step search can tell apart */
#define UNWIND_RULES_MAX	65536

/*
 * How the canonical frame address (CFA: the caller's rsp) is found. "off:arg" kinds pack a signed
 * 24-bit offset and a byte into cfa_off (UNWIND_OFF, UNWIND_ARG).
 */
#define UNWIND_CFA_KINDS(X)                                                                        \
	X(NONE, "none")	    /* no frame description covers this address */                         \
	X(SLOW, "slow")	    /* described by something only user space can evaluate */              \
	X(ROOT, "root")	    /* return address undefined: the outermost frame. Only this makes a  \
				     stack complete */ \
	X(SIGNAL, "signal") /* signal frame; registers (sigcontext) at rsp+cfa_off */              \
	X(FP, "fp")	    /* code known to keep frame pointers: record at rbp */                 \
	X(RSP, "rsp")	    /* rsp + cfa_off */                                                    \
	X(RBP, "rbp")	    /* rbp + cfa_off */                                                    \
	X(RSP_PUSH, "push") /* off:mask, rsp + off + 8 for each set bit of the mask below    \
				     bit (pc - row's pc): a run of pushes as one row */     \
	X(RSP_POP, "pop")   /* the same with - 8 */                                                \
	X(PLT, "plt")	    /* off:threshold, rsp + off + ((pc & 15) >= threshold ? 8 : 0) */      \
	X(REG, "reg")	    /* off:reg, any register + off: only where all are known */            \
	X(DEREF_RSP, "deref_rsp") /* off:post, *(rsp + off) + post */                              \
	X(DEREF_RBP, "deref_rbp") /* off:post, *(rbp + off) + post */                              \
	X(DEREF_IDX,                                                                               \
	  "deref_idx")		/* off:reg, *(rsp + reg * 8 + off) + 8: bn_mul_mont of OpenSSL */  \
	X(STOP, "stop")		/* on another stack than its callers, with no way back: no root */ \
	X(RBP_AWAY, "rbp_away") /* rbp + cfa_off, on a stack of the caller's own: __morestack */

enum unwind_cfa {
#define X(kind, name) UNWIND_CFA_##kind,
	UNWIND_CFA_KINDS(X)
#undef X
		UNWIND_CFA_COUNT
};

/* Where the caller's rbp is. */
#define UNWIND_BP_KINDS(X)                                                                         \
	X(SAME, "same")	 /* still in rbp (or lost: it is callee-saved by the ABI) */               \
	X(AT_CFA, "cfa") /* *(CFA + bp_off) */                                                     \
	X(AT_BP, "bp")	 /* *(rbp + bp_off): realigned stacks */                                   \
	X(AT_SP, "sp")	 /* *(rsp + bp_off) */                                                     \
	X(IN_REG, "reg") /* register bp_off: only where all registers are known */

enum unwind_bp {
#define X(kind, name) UNWIND_BP_##kind,
	UNWIND_BP_KINDS(X)
#undef X
		UNWIND_BP_COUNT
};

struct unwind_rule {
	__u8 cfa; /* enum unwind_cfa */
	__u8 bp;  /* low half: enum unwind_bp; high half: DWARF number of the register that holds
			the return address, or 0 for the usual place, *(CFA - 8) */
	__s16 bp_off;
	__s32 cfa_off;
};
_Static_assert(sizeof(struct unwind_rule) == 8, "format");

#define UNWIND_OFF(rule)      ((rule).cfa_off >> 8)
#define UNWIND_ARG(rule)      ((__u32)(rule).cfa_off & 0xff)
#define UNWIND_PACK(off, arg) ((__s32)((__u32)(off) << 8 | (arg)))
#define UNWIND_OFF_MAX	      ((1 << 23) - 1)
#define UNWIND_BP_KIND(rule)  ((rule).bp & 15)
#define UNWIND_RA_REG(rule)   ((rule).bp >> 4)
#define UNWIND_PUSH_REACH     8 /* bits in a push/pop mask: bytes of code one such row merges */

/* DWARF numbers of registers (System V ABI, x86-64 supplement, figure 3.36). */
enum unwind_reg {
	UNWIND_RAX,
	UNWIND_RDX,
	UNWIND_RCX,
	UNWIND_RBX,
	UNWIND_RSI,
	UNWIND_RDI,
	UNWIND_RBP,
	UNWIND_RSP,
	UNWIND_R8,
	UNWIND_R15 = 15,
	UNWIND_RIP,
	UNWIND_REGS
};

/* What an address of a process is to the walk. */
enum unwind_in {
	UNWIND_IN_TABLE,    /* a file with an unwind table */
	UNWIND_IN_JIT,	    /* anonymous code: frame pointers are the best guess */
	UNWIND_IN_NO_TABLE, /* a file whose table is not there */
	UNWIND_IN_NOTHING,  /* not mapped, or not known to be */
};

/* Why a walk ended; UNWIND_ON means it goes on. The names are those of counters. */
#define UNWIND_ENDS(X)                                                                             \
	X(ON, on, "another frame was found")                                                       \
	X(END_ROOT, root, "the outermost frame was reached")                                       \
	X(END_NO_MAPPING, no_mapping, "an address is in no known mapping")                         \
	X(END_NO_TABLE, no_table, "a file has no unwind table (yet)")                              \
	X(END_NO_RULE, no_rule, "code that nothing describes")                                     \
	X(END_BAD_READ, bad_read, "stack memory could not be read")                                \
	X(END_SLOW, slow, "only user space can evaluate the frame's description")                  \
	X(END_LOOP, loop, "the chain of frames does not move up the stack")                        \
	X(END_DEEP, deep, "more frames than are kept")                                             \
	X(END_SLICE, slice, "the stack goes on above what was copied of it")                       \
	X(END_CHAIN, chain, "the chain of frame records ends, at no known root")                   \
	X(END_ZERO, zero, "a return address is 0, at no known root")                               \
	X(END_UPROBE, uprobe, "a uretprobe keeps the return address, and it was not found")        \
	X(END_COMPAT, compat, "code of a 32-bit program that was not walked")                      \
	X(END_LEAF, leaf, "a root was reached, but there may be a caller behind the first frames")

enum unwind_end {
#define X(end, key, text) UNWIND_##end,
	UNWIND_ENDS(X)
#undef X
		UNWIND_END_COUNT
};

/* What the function of an exact frame is, in code that nothing describes (bpf/unwind_leaf.h). */
enum unwind_leaf_is {
	UNWIND_LEAF_UNSEEN,    /* nobody could look */
	UNWIND_LEAF_OF_RECORD, /* rbp's record is its own, as far as anyone can tell */
	UNWIND_LEAF_BARE,      /* it has none, but its caller is found */
	UNWIND_LEAF_UNSURE,    /* one or the other */
	UNWIND_LEAF_BOTH_BARE, /* its caller is found, and has none either */
	UNWIND_LEAF_ASK,       /* the kernel half has not looked yet */
};

/* The caller of a bare leaf: its return address, its rsp and its rbp. */
struct unwind_caller {
	__u64 ra, cfa, bp;
};

/*
 * ---- Maps --------------------------------------------------------------------------------------
 *
 * Executable mappings of a process, in one of three maps by how many there are; key: tgid.
 */
#define UNWIND_MAPS_SMALL  32
#define UNWIND_MAPS_MEDIUM 256
#define UNWIND_MAPS_LARGE  2048

/* slot: index in the map of tables, or */
#define UNWIND_SLOT_NONE 0xffffffffu /* a file without a table, or whose table is not loaded */
#define UNWIND_SLOT_JIT	 0xfffffffeu /* anonymous executable memory */

struct unwind_mapping {
	__u64 bias;  /* address in the process - address in the file's own terms */
	__u32 pages; /* of 4 KB */
	__u32 slot;
};

/* begin[] is ascending and filled up with UNWIND_NOWHERE. */
#define UNWIND_NOWHERE (1ull << 62)

#define UNWIND_MAPS_OF(N)                                                                           \
	{                                                                                           \
		__u32 n;                                                                            \
		__u32 version; /* of kiln_mappings_record; or 0, and the first sample writes the  \
				  image of its kiln_count_key: what a later program in the    \
				  process maps is another matter */ \
		__u64 begin[N];                                                                     \
		struct unwind_mapping at[N];                                                        \
	}
struct unwind_maps_small UNWIND_MAPS_OF(UNWIND_MAPS_SMALL);
struct unwind_maps_medium UNWIND_MAPS_OF(UNWIND_MAPS_MEDIUM);
struct unwind_maps_large UNWIND_MAPS_OF(UNWIND_MAPS_LARGE);

/* Tables: array of maps, one inner array of UNWIND_PAGE-sized elements a table. */
#define UNWIND_TABLES_MAX 4096

/*
 * Frames kept. Of a deeper stack the leaf end stays as it is, and the root end turns round in a ring
 * behind it: frame i >= UNWIND_LEAF_FRAMES is at UNWIND_FRAME_AT(i) if it is one of the last
 * UNWIND_ROOT_FRAMES.
 */
#define UNWIND_LEAF_FRAMES 384
#define UNWIND_ROOT_FRAMES 128
#define UNWIND_FRAMES_MAX  (UNWIND_LEAF_FRAMES + UNWIND_ROOT_FRAMES)
_Static_assert(!(UNWIND_FRAMES_MAX & (UNWIND_FRAMES_MAX - 1)), "indices are masked");
#define UNWIND_FRAME_AT(i)                                                                         \
	((i) < UNWIND_LEAF_FRAMES                                                                  \
		 ? (i)                                                                             \
		 : UNWIND_LEAF_FRAMES + (((i)-UNWIND_LEAF_FRAMES) & (UNWIND_ROOT_FRAMES - 1)))
/* Frames walked at most: half a millisecond in an interrupt. */
#define UNWIND_STEPS_MAX 4096

/* Bytes of stack read at once: 59 ns for 512 against 38 for 8. */
#define UNWIND_WINDOW 512

#endif
