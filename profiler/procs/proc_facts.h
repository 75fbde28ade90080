/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process table (procs.h) is told, and what it answers. Times are as there. */
#ifndef KILN_PROCS_PROC_FACTS_H
#define KILN_PROCS_PROC_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/files/files.h"

struct procs_opts {
	struct files *files; /* where file identities are interned (files.h); borrowed */
	uint64_t linger_ns;  /* how long a dead image is kept; 0 = 10 s */
	size_t max_bytes;    /* of the table; the images that died first go first; 0 = 64 MiB */
	/* Called when a process has begun, ended, or changed what it has mapped; may be NULL. It must
	 * not change the table. */
	void (*changed)(void *ctx, pid_t tgid);
	void *changed_ctx;
};

struct proc_mapping {
	uint64_t start, len, file_off;
	uint32_t file; /* id in files, FILE_NONE for anonymous executable memory, or FILE_VDSO */
	uint64_t since_ns; /* when it was made */
};

/* All that a process has mapped to be run at that time: seen by a sample of it, or by whoever knows
 * as exactly. */
struct proc_snapshot {
	pid_t tgid;
	uint64_t t_ns;
	uint32_t version; /* names this set of mappings, see procs_live(); not 0 */
	const struct proc_mapping *mappings; /* by address, without overlaps; since_ns is ignored */
	size_t n;
	uint32_t exe, jitdump; /* file ids, or FILE_NONE */
};

/* An image (procs.h). */
struct proc_image {
	uint64_t id;			  /* a busy machine begins 4 G of them in a month */
	pid_t tgid, parent_tgid, ns_tgid; /* ns_tgid: in its own pid namespace; 0 unknown */
	uint32_t uid;			  /* UINT32_MAX unknown */
	uint64_t begin_ns, end_ns;	  /* end UINT64_MAX while alive */
	uint32_t exe;	    /* file id of the first executable mapping, or FILE_NONE */
	uint32_t jitdump;   /* file id of what its JIT compiler writes, or FILE_NONE */
	bool has_anon_exec; /* made executable anonymous memory: probably a JIT */
	char comm[16];	    /* of the main thread */
};

struct procs_stats {
	uint64_t images, images_alive, mappings, bytes;
	uint64_t evicted;	  /* images dropped for max_bytes before their time */
	uint64_t mappings_capped; /* mappings refused: over 65536 in one image, or for max_bytes */
	uint64_t threads_refused; /* for max_bytes */
	uint64_t past_dropped;	  /* replaced mappings dropped: over 16384 in one image */
};

#endif
