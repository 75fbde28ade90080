// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/self_cost.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/sampler/run_time.h"
#include "profiler/sampler/sampler.h"

#define CHILDREN_CAP 65536 /* bytes of /proc/PID/task/TID/children */
#define LEAST_PART   20	   /* a twentieth of all is told */
#define COMM_CAP     64
#define DEPTH_MAX    4 /* supervisor, sampler, reader, builder */

void self_cost_init(struct self_cost *c, pid_t root, uint64_t now_ns)
{
	*c = (struct self_cost){
		.root = root,
		.run_time_fd = -1,
		.sample_ns = SELF_COST_SAMPLE_NS,
	};
	self_cost_restart(c, now_ns);
}

static void stop_counting(struct self_cost *c)
{
	if (c->run_time_fd >= 0)
		close(steal_fd(&c->run_time_fd));
}

void self_cost_release(struct self_cost *c)
{
	stop_counting(c);
	vec_release(&c->children);
}

void self_cost_restart(struct self_cost *c, uint64_t now_ns)
{
	stop_counting(c);
	c->used_ticks = 0;
	/* The first measurement is soon, when what is there has been named. */
	c->measure_ns = now_ns - SELF_COST_EVERY_NS + SELF_COST_MEASURE_NS;
}

/* --- processes --------------------------------------------------------------------------------- */

static uint64_t cpu_time_ns(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) ? 0 : clock_ns(clock);
}

static void see(struct self_cost *c, pid_t pid, enum self_part part)
{
	uint64_t ns = cpu_time_ns(pid);

	for (size_t i = 0; i < c->children.len; i++) {
		struct self_process *p = &c->children.data[i];

		if (p->pid != pid)
			continue;
		if (ns < p->cpu_ns) /* another one, of the same number */
			c->gone_ns[p->part] += p->cpu_ns;
		p->part = part;
		p->cpu_ns = ns;
		p->seen = true;
		return;
	}
	if (c->children.len < SELF_COST_MAX)
		(void)vec_push(&c->children, (struct self_process){pid, part, ns, true});
}

static const struct {
	const char *name, *comm;
} parts[] = {
#define X(id, comm) [SELF_PART_##id] = {#id, comm},
	SELF_COST_PARTS(X)
#undef X
};

const char *self_part_name(enum self_part part)
{
	return parts[part].name;
}

/* The supervisor's children have names. */
static enum self_part part_of(pid_t pid)
{
	_cleanup_free_ char *comm = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (io_read_file(path, COMM_CAP, &comm, &len))
		return SELF_PART_other;
	comm[strcspn(comm, "\n")] = '\0';
	for (int i = SELF_PART_sampler; i < SELF_PART_other; i++)
		if (!strcmp(comm, parts[i].comm))
			return (enum self_part)i;
	return SELF_PART_other;
}

/* Children of its first thread: who forks here. */
static void see_children(struct self_cost *c, pid_t pid, enum self_part part, int depth)
{
	_cleanup_free_ char *text = NULL;
	char path[64], *at;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (io_read_file(path, CHILDREN_CAP, &text, &len))
		return;
	at = text;
	for (;;) {
		char *end;
		pid_t child = (pid_t)strtol(at, &end, 10);

		if (end == at || child <= 0)
			return;
		if (pid == c->root)
			part = part_of(child);
		see(c, child, part);
		if (depth < DEPTH_MAX)
			see_children(c, child, part, depth + 1);
		at = end;
	}
}

static void look_at_processes(struct self_cost *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->children.len; i++)
		c->children.data[i].seen = false;
	see(c, c->root, SELF_PART_supervisor);
	see_children(c, c->root, SELF_PART_other, 1);
	memset(c->part_ns, 0, sizeof(c->part_ns));
	for (size_t i = 0; i < c->children.len; i++) {
		struct self_process *p = &c->children.data[i];

		if (p->seen) {
			c->part_ns[p->part] += p->cpu_ns;
			c->children.data[kept++] = *p;
		} else {
			c->gone_ns[p->part] += p->cpu_ns;
		}
	}
	c->children.len = kept;
	for (int i = 0; i < SELF_PARTS; i++)
		c->part_ns[i] += c->gone_ns[i];
}

/* --- BPF programs ------------------------------------------------------------------------------ */

static void begin_to_count(struct self_cost *c, struct sampler *s, uint64_t ticks, uint64_t now_ns)
{
	int err = run_time_count(&c->run_time_fd) ?: run_time_read(sampler_skeleton(s), &c->run_ns);

	c->ticks = ticks;
	c->measure_ns = now_ns;
	if (!err)
		return;
	stop_counting(c);
	log_debug("the run time of BPF programs is not measured: %d", -err);
}

static void end_count(struct self_cost *c, struct sampler *s, uint64_t ticks, uint64_t now_ns)
{
	uint64_t run_ns;

	/* All programs' time, as if samples cost it: what else there is comes with load, as they do. */
	if (!run_time_read(sampler_skeleton(s), &run_ns) && ticks > c->ticks)
		c->sample_ns = (run_ns - c->run_ns) / (ticks - c->ticks);
	stop_counting(c);
	c->measure_ns = now_ns;
	log_debug("a sample costs %llu ns in the kernel", (unsigned long long)c->sample_ns);
}

static void add_programs(struct self_cost *c, struct sampler *s, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - c->measure_ns, ticks;
	struct sampler_totals t;

	if (sampler_totals(s, &t))
		return;
	ticks = t.counters[KILN_CTR_ticks];
	if (c->run_time_fd < 0 && passed_ns >= SELF_COST_EVERY_NS)
		begin_to_count(c, s, ticks, now_ns);
	else if (c->run_time_fd >= 0 && passed_ns >= SELF_COST_MEASURE_NS)
		end_count(c, s, ticks, now_ns);
	if (ticks > c->used_ticks)
		c->used_ns += (ticks - c->used_ticks) * c->sample_ns;
	c->used_ticks = ticks;
}

uint64_t self_cost_ns(struct self_cost *c, struct sampler *s, uint64_t now_ns)
{
	uint64_t sum = 0;

	add_programs(c, s, now_ns);
	look_at_processes(c);
	c->part_ns[SELF_PART_bpf] = c->used_ns;
	for (int i = 0; i < SELF_PARTS; i++)
		sum += c->part_ns[i];
	memmove(c->looks, c->looks + 1, SELF_COST_LOOKS * sizeof(*c->looks));
	memcpy(c->looks[SELF_COST_LOOKS].part_ns, c->part_ns, sizeof(c->part_ns));
	c->looks[SELF_COST_LOOKS].at_ns = now_ns;
	return sum;
}

void self_cost_print(const struct self_cost *c, size_t n, struct buf *out)
{
	uint64_t used_ns[SELF_PARTS], sum_ns = 0, passed_ns;
	size_t before = out->len, first = SELF_COST_LOOKS - n;

	for (int i = 0; i < SELF_PARTS; i++)
		sum_ns += used_ns[i] =
			c->looks[SELF_COST_LOOKS].part_ns[i] - c->looks[first].part_ns[i];
	passed_ns = c->looks[SELF_COST_LOOKS].at_ns - c->looks[first].at_ns;
	for (int i = 0; i < SELF_PARTS && c->looks[first].at_ns; i++)
		if (used_ns[i] && used_ns[i] >= sum_ns / LEAST_PART)
			buf_printf(out, "%s%s %.2f", out->len > before ? ", " : " (",
				   self_part_name((enum self_part)i),
				   (double)used_ns[i] * 100 / (double)passed_ns);
	buf_str(out, out->len > before ? ")" : "");
}

size_t self_cost_pids(const struct self_cost *c, pid_t *pids, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->children.len && n < max; i++)
		pids[n++] = c->children.data[i].pid;
	return n;
}
