/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc says of a thread of the user's own (proc_pid_stat(5), proc_pid_schedstat(5)). */
#ifndef KILN_ROOTLESS_THREAD_FACTS_H
#define KILN_ROOTLESS_THREAD_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"
#include "profiler/rootless/thread_files.h"

struct thread_facts {
	bool on_cpu; /* runs, or waits for a CPU */
	bool is_dead;
	int cpu; /* where it runs, or ran last; -1: unknown */
	char comm[KILN_COMM_LEN];
	pid_t parent_tgid;
	uint64_t cpu_ns; /* in clock ticks only */
	uint64_t
		children_ns; /* CPU time of children that its process has waited for; in ticks, too */
	uint64_t threads;    /* of its process */
	uint64_t program;    /* differs after an exec: where the stack began */
};

/* files, here and below: NULL, or those that stay open for the next time. 0, -ESRCH, or another -errno. */
int thread_facts_read(struct thread_files *files, pid_t tgid, pid_t tid, struct thread_facts *out);
/* The same from the text of the file. 0 or -EBADMSG. */
int thread_facts_parse(const char *text, struct thread_facts *out);

/* CPU time of a thread: exact, or where the kernel does not count that, in clock ticks. 0, -ESRCH, or another -errno. */
int thread_cpu_ns(struct thread_files *files, pid_t tgid, pid_t tid, uint64_t *ns);

/* Calls fn for each child of a thread. Kernels without CONFIG_PROC_CHILDREN tell of none. */
void thread_children(struct thread_files *files, pid_t tgid, pid_t tid,
		     void (*fn)(void *ctx, pid_t child), void *ctx);
/* The same from the text of the file, which may be cut. */
void thread_children_parse(const char *text, void (*fn)(void *ctx, pid_t child), void *ctx);

/* Differs between files that processes execute. 0: unknown. */
uint64_t thread_executable(pid_t tgid);

/* Who traces a process; 0: nobody. */
pid_t thread_tracer(pid_t tid);

#endif
