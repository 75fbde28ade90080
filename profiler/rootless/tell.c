// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/tell.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/procs/maps.h"
#include "profiler/rootless/record_ring.h"
#include "profiler/rootless/sample_record.h"
#include "profiler/rootless/stop_one.h"

#define MAPS_CAP (16u << 20)

static void tell_task(struct record_ring *r, uint32_t type, uint64_t t_ns, pid_t tgid, pid_t tid,
		      pid_t parent)
{
	struct {
		uint32_t tgid, parent_tgid, tid, parent_tid;
		uint64_t t_ns;
	} task = {(uint32_t)tgid, (uint32_t)parent, (uint32_t)tid, (uint32_t)parent, t_ns};
	struct iovec part = {&task, sizeof(task)};

	record_ring_put(r, type, 0, t_ns, tgid, tid, &part, 1);
}

void tell_fork(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid, pid_t parent_tgid)
{
	tell_task(r, PERF_RECORD_FORK, t_ns, tgid, tid, parent_tgid);
}

void tell_exit(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid)
{
	tell_task(r, PERF_RECORD_EXIT, t_ns, tgid, tid, tgid);
}

void tell_comm(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid, const char *comm,
	       bool exec)
{
	uint32_t who[2] = {(uint32_t)tgid, (uint32_t)tid};
	struct iovec parts[] = {{who, sizeof(who)}, {(void *)comm, strlen(comm) + 1}};

	record_ring_put(r, PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0, t_ns, tgid, tid,
			parts, 2);
}

void tell_sample(struct record_ring *r, pid_t tgid, pid_t tid, uint64_t ns, struct stopped *s)
{
	uint64_t head[2 + UNWIND_REGS], size = (s->stack_len + 7u) & ~7u, used = s->stack_len;
	struct iovec parts[] = {{head, sizeof(head)},
				{&size, sizeof(size)},
				{s->stack, s->stack_len},
				{&used, sizeof(used)}};

	head[0] = ns;
	head[1] = s->is_compat ? PERF_SAMPLE_REGS_ABI_32 : PERF_SAMPLE_REGS_ABI_64;
	sample_record_put_regs(head + 2, s->regs);
	record_ring_put_sample(r, s->t_ns, tgid, tid, parts, size ? 4 : 2);
}

/* --- mappings ----------------------------------------------------------------------------------- */

struct telling {
	struct record_ring *ring;
	uint64_t t_ns;
	pid_t tgid;
	const struct told_maps *old;
	size_t at; /* in old, which is by address, as the text is */
	struct told_maps fresh;
};

static void tell_map(const struct telling *t, const struct maps_entry *e)
{
	struct {
		uint32_t tgid, tid;
		uint64_t start, len, file_off;
		uint32_t major, minor;
		uint64_t inode, generation;
		uint32_t prot, flags;
	} map = {
		.tgid = (uint32_t)t->tgid,
		.tid = (uint32_t)t->tgid,
		.start = e->start,
		.len = e->end - e->start,
		.file_off = e->file_off,
		.major = e->major,
		.minor = e->minor,
		.inode = e->inode,
		.prot = PROT_READ | PROT_EXEC,
		.flags = MAP_PRIVATE,
	};
	struct iovec parts[] = {{&map, sizeof(map)}, {(void *)e->path, strlen(e->path) + 1}};

	record_ring_put(t->ring, PERF_RECORD_MMAP2, 0, t->t_ns, t->tgid, t->tgid, parts, 2);
}

static bool was_told(struct telling *t, const struct told_map *m)
{
	while (t->at < t->old->all.len && t->old->all.data[t->at].start < m->start)
		t->at++;
	return t->at < t->old->all.len && !memcmp(&t->old->all.data[t->at], m, sizeof(*m));
}

static int on_map(void *ctx, const struct maps_entry *e)
{
	struct telling *t = ctx;
	struct told_map m = {e->start, e->end, e->file_off, e->inode};

	if (!was_told(t, &m))
		tell_map(t, e);
	return vec_push(&t->fresh.all, m);
}

void tell_maps(struct record_ring *r, uint64_t t_ns, pid_t tgid, struct told_maps *told)
{
	struct telling t = {.ring = r, .t_ns = t_ns, .tgid = tgid, .old = told};
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)tgid);
	if (io_read_file(path, MAPS_CAP, &text, &len))
		return;
	maps_parse(text, len, on_map, &t);
	vec_release(&told->all);
	*told = t.fresh;
}

bool told_maps_have(const struct told_maps *told, uint64_t va)
{
	for (size_t i = 0; i < told->all.len; i++)
		if (va - told->all.data[i].start < told->all.data[i].end - told->all.data[i].start)
			return true;
	return false;
}
