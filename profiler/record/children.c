// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/children.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/rootless/thread_facts.h"
#include "profiler/rootless/threads.h"

/* Workers of a large server. */
#define CHILDREN_MAX 4096
/* A sample at 99 Hz. Who wakes and sleeps again uses less. */
#define BUSY_NS 10000000ull

static bool cpu_ns_of(pid_t tgid, uint64_t *ns)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(tgid, &clock) || clock_gettime(clock, &t))
		return false;
	*ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	return true;
}

static void add(void *ctx, pid_t tgid)
{
	struct children *c = ctx;
	struct child new = {.tgid = tgid};

	if (c->found.len < CHILDREN_MAX && cpu_ns_of(tgid, &new.cpu_ns))
		vec_push(&c->found, new); /* without memory: what was found is found */
}

static int add_of_thread(void *ctx, pid_t tgid, pid_t tid)
{
	thread_children(NULL, tgid, tid, add, ctx);
	return 0;
}

static void drop_targets(struct children *c, const pid_t *tgids, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->found.len; i++) {
		bool is_target = false;

		for (size_t k = 0; k < n; k++)
			is_target |= tgids[k] == c->found.data[i].tgid;
		if (!is_target)
			c->found.data[kept++] = c->found.data[i];
	}
	c->found.len = kept;
}

void children_find(struct children *c, const pid_t *tgids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		threads_each(tgids[i], add_of_thread, c);
	for (size_t i = 0; i < c->found.len; i++)
		threads_each(c->found.data[i].tgid, add_of_thread, c);
	drop_targets(c, tgids, n);
}

static int busier(const void *x, const void *y)
{
	const struct child *a = x, *b = y;

	if (a->busy_ns != b->busy_ns)
		return a->busy_ns > b->busy_ns ? -1 : 1;
	return a->tgid < b->tgid ? -1 : a->tgid > b->tgid;
}

void children_busiest(struct children *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->found.len; i++) {
		struct child child = c->found.data[i];
		uint64_t now_ns;

		if (!cpu_ns_of(child.tgid, &now_ns) || now_ns < child.cpu_ns + BUSY_NS)
			continue;
		child.busy_ns = now_ns - child.cpu_ns;
		c->found.data[n++] = child;
	}
	c->found.len = n;
	if (n)
		qsort(c->found.data, n, sizeof(*c->found.data), busier);
}

void children_add_alive(struct children *c, const pid_t *tgids, size_t n)
{
	struct thread_facts facts;

	for (size_t i = 0; i < n; i++)
		if (!thread_facts_read(NULL, tgids[i], tgids[i], &facts) && !facts.is_dead)
			add(c, tgids[i]);
}

void children_release(struct children *c)
{
	vec_release(&c->found);
}
