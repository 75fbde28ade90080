/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads of a process, from /proc. */
#ifndef KILN_ROOTLESS_THREADS_H
#define KILN_ROOTLESS_THREADS_H

#include <sys/types.h>

/* Calls fn for each thread that is there. A result of fn that is not 0 ends it. That result, or -errno if
 * there is no such process. */
typedef int (*threads_fn)(void *ctx, pid_t tgid, pid_t tid);
int threads_each(pid_t tgid, threads_fn fn, void *ctx);

#endif
