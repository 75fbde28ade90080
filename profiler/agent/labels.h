/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labels that people search by. A window comes with what the collector knows: pid, thread_id, comm,
 * executable, cgroup, unit, container. Here it gets names of pods and containers, a service_name, and what
 * the relabel rules make of it. service_name is the first of these that there is:
 *
 *	1. what a rule sets, or the rule sees the one below
 *	2. the container's name (container_name), else the pod's (pod)
 *	3. the systemd unit, but session-*.scope and user@*.service: those are logins, not services
 *	4. the name that the program was started as, where that is a link to its file (started_as.h), or else the
 *	   last part of the executable's path
 *	5. "kernel" for threads of the kernel
 */
#ifndef KILN_AGENT_LABELS_H
#define KILN_AGENT_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config;
struct labels;
struct profile;
struct quality;

/* For the rules of a configuration, which is borrowed. What runtimes leave is read below `root`: "" but for
 * tests. 0 or -errno. */
int labels_new(struct labels **out, const struct config *c, const char *root);
void labels_free(struct labels *l);
/* Another configuration's rules from now on. 0 or -errno: it is as it was. */
int labels_set_rules(struct labels *l, const struct config *c);

/*
 * Labels all samples of a named window, and takes out those that a rule drops and those of the n processes of
 * `own`: they are counted as filtered in q. Losses have no labels and stay. 0 or -errno.
 */
int labels_apply(struct labels *l, struct profile *p, struct quality *q, const pid_t *own,
		 size_t n);

#endif
