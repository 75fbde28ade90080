/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of what the process table (procs.h) takes and answers. Times are as there. */
#ifndef KILN_PROCS_PROC_FACTS_H
#define KILN_PROCS_PROC_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/files/files.h"

struct proc_mapping {
	uint64_t start, len, file_off;
	uint32_t file;	   /* file id; FILE_NONE: anonymous executable memory; or FILE_VDSO */
	uint64_t since_ns; /* when it was made */
};

struct procs_opts {
	struct files *files; /* the file table; borrowed */
	uint64_t linger_ns;  /* how long an ended image is kept; 0 = 10 s */
	/* Of the table; at the cap, the image that ended first goes first; 0 = 64 MiB. */
	size_t max_bytes;
	/* Called when a process began, ended or changed its mappings. May be NULL. Must not
	 * change the table. */
	void (*changed)(void *ctx, pid_t tgid);
	void *changed_ctx;
	/* Of a program that has moved its code to anonymous memory (see procs_resolve()): true if va is in
	 * code of this mapping's file, by where the mapping lies. Gives the file offset. May be NULL. */
	bool (*is_code_of)(void *ctx, const struct proc_mapping *m, uint64_t va,
			   uint64_t *file_off);
	void *is_code_of_ctx;
};

/* A snapshot: all executable mappings of a process at a time, as a sample reported them. */
struct proc_snapshot {
	pid_t tgid;
	uint64_t t_ns;
	uint32_t version;		     /* names these mappings, see procs_live(); not 0 */
	const struct proc_mapping *mappings; /* by address, without overlaps; since_ns is ignored */
	size_t n;
	uint32_t exe, jitdump; /* file ids, or FILE_NONE */
	int64_t monotonic_ns;  /* as in struct proc_image */
	uint32_t uid;	       /* UINT32_MAX: unknown */
	pid_t ns_tgid;	       /* 0: unknown */
};

/* A program that has forked another one. Code that it made before runs there, too, and its perf map describes it. */
struct proc_forebear {
	uint64_t image;	     /* proc_image.id; IMAGE_NONE: read from /proc */
	uint64_t begin_ns;   /* 0: unknown */
	pid_t tgid, ns_tgid; /* as in struct proc_image; tgid 0: there is none */
	uint32_t uid;
};
#define PROC_FOREBEARS_MAX 3

#define IMAGE_NONE UINT64_MAX

/* An image (procs.h). */
struct proc_image {
	uint64_t id; /* 64 bits: a busy machine begins 4 G images in a month */
	/* Ns_tgid: pid in the process's own pid namespace; 0: unknown. */
	pid_t tgid, parent_tgid, ns_tgid;
	uint32_t uid;		   /* UINT32_MAX: unknown */
	uint64_t begin_ns, end_ns; /* end_ns is UINT64_MAX while it runs */
	uint32_t exe;		   /* file id of its program, or FILE_NONE: not known */
	uint32_t jitdump;	   /* file id of the jitdump that it writes, or FILE_NONE */
	/* How far CLOCK_MONOTONIC is ahead of kiln's where the jitdump is written: another time namespace. */
	int64_t monotonic_ns;
	bool has_anon_exec; /* has mapped executable anonymous memory: probably a JIT */
	bool discovered;    /* begin_ns is its first known event, not its real begin */
	char comm[16];	    /* of the main thread */
	/* Who forked it, and so on up to the last exec, the nearest first; no more are kept. */
	struct proc_forebear forebears[PROC_FOREBEARS_MAX];
};

struct procs_stats {
	uint64_t images, images_alive, mappings, bytes;
	uint64_t evicted;	  /* images dropped early because of max_bytes */
	uint64_t mappings_capped; /* mappings refused: over 65536 in one image, or max_bytes */
	uint64_t threads_refused; /* because of max_bytes */
	uint64_t past_dropped;	  /* replaced mappings dropped: over 16384 in one image */
};

#endif
