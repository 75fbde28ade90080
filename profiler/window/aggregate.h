/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adds drained windows up in an aggregate. Every address is normalized at once, while the process
 * table still knows the mappings: to (file, file offset), to a kernel address, or to an address in
 * one program's anonymous code. naming.h turns an aggregate into a profile. Pure memory, within a
 * cap.
 */
#ifndef KILN_WINDOW_AGGREGATE_H
#define KILN_WINDOW_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/procs/proc_facts.h"

struct ksyms;
struct proc_image;
struct procs;
struct window;

enum frame_class {
	AT_KERNEL, /* addr: kernel virtual address */
	AT_KSYM,   /* owner: id in ksyms, addr: kernel virtual address */
	AT_FILE,   /* owner: file id, addr: file offset */
	AT_VDSO, /* addr: offset into the vDSO; owner: 1 for that of 32-bit programs (i386, x32) */
	AT_ANON, /* owner: index in images, addr: virtual address */
	AT_UNMAPPED, /* addr: virtual address in a known process, but in no known mapping; owner: UNMAPPED_CUT or 0 */
	AT_NO_PROCESS,	/* addr: virtual address in an unknown process */
	AT_MISSED_USER, /* synthetic: there was a stack, but it could not be read */
	AT_MISSED_KERNEL,
	AT_TRUNCATED,	/* synthetic, outermost: the walk stopped here */
	AT_USER_ELIDED, /* synthetic: the only side that exists was not wanted (-K, -U) */
	AT_KERNEL_ELIDED,
};

/* The program had mapped more code than a sample can tell, and not all of it was known. */
#define UNMAPPED_CUT 1

struct agg_frame {
	enum frame_class cls;
	uint32_t owner;
	uint64_t addr; /* for callers: return address - 1 */
	/* For AT_ANON, else 0. In a program with a jitdump: a time when its generation of code ran (code_times.h).
	 * Else, bytes of its perf map then; 0: not known. */
	uint64_t t_ns, written;
};

struct agg_stack {
	uint32_t first, len; /* in frame_ids, leaf first */
	uint32_t n_kernel;   /* of these, kernel frames (they come first) */
	uint8_t user_end;    /* enum unwind_end; UNWIND_ON: unknown, or no user frames */
};

/* A program that ran anonymous code, to find its jitdump or perf map. */
struct agg_image {
	uint64_t image_id; /* proc_image.id */
	pid_t tgid, ns_tgid;
	uint32_t uid, exe, jitdump;
	int64_t monotonic_ns; /* as in struct proc_image */
	uint64_t begin_ns;    /* 0: not known */
	struct proc_forebear forebears[PROC_FOREBEARS_MAX];
};

struct agg_image agg_image_of(const struct proc_image *img);

/* Whose files a program is believed. */
static inline uid_t agg_image_owner(const struct agg_image *img)
{
	return img->uid == UINT32_MAX ? getuid() : img->uid;
}

struct agg_sample {
	uint32_t stack;
	uint32_t tgid, tid;
	uint32_t exe; /* file that the process runs; FILE_NONE: not known, or a kernel thread */
	uint64_t cgroup_id;
	char comm[KILN_COMM_LEN];
	uint64_t count;
};

struct agg_exe {
	uint32_t file;
	uint64_t samples; /* samples of its processes */
};

/* All-zero is empty and valid. */
struct aggregate {
	/* Rows that do not fit are counted in lost_memory; 0: AGGREGATE_MAX_BYTES. */
	size_t max_bytes;
	VEC(struct agg_frame) frames;
	VEC(uint32_t) frame_ids;
	VEC(struct agg_stack) stacks;
	VEC(struct agg_image) images;
	VEC(struct agg_sample) samples;
	VEC(struct agg_exe) exes;
	VEC(uint64_t) cgroups; /* ids that samples had */
	uint64_t recorded;     /* sum of counts */
	uint64_t lost_memory;  /* samples dropped when out of memory, or over the cap */
	struct htab frame_index, stack_index, sample_index, image_index, exe_index, cgroup_index;
};

/* Ten times what a minute of 128 busy CPUs at 99 Hz takes. */
#define AGGREGATE_MAX_BYTES (256u << 20)

/* Adds a drained window. Samples without room are counted in lost_memory. */
void aggregate_window(struct aggregate *a, const struct window *w, struct procs *procs,
		      const struct ksyms *ksyms);
/*
 * Holds samples back: moves samples of src that have a frame in anonymous code of an image i with
 * waits[i] to dst. They leave samples of count 0 in src. When out of memory, the rest stays in src.
 */
void aggregate_hold_back(struct aggregate *dst, struct aggregate *src, const bool *waits);
/* Bytes held. */
size_t aggregate_bytes(const struct aggregate *a);
/* Frees everything but keeps max_bytes. */
void aggregate_clear(struct aggregate *a);

#endif
