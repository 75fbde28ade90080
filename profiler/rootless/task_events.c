// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Perf events of the targets' threads, which threads and processes that these start inherit. An event
 * that is inherited has a ring only on one CPU, so there is an event for each thread and CPU; those of a CPU share one
 * ring.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/cpus.h"
#include "profiler/base/vec.h"
#include "profiler/procs/sideband.h"
#include "profiler/rootless/sample_record.h"
#include "profiler/rootless/threads.h"
#include "profiler/rootless/way.h"
#include "profiler/sampler/sampler_opts.h"

/* A plain user's rings count against kernel.perf_event_mlock_kb and RLIMIT_MEMLOCK: so much if they allow it, or
 * half of it, and so on. The least holds two samples of full size. */
#define RING_MOST  (2u << 20)
#define RING_LEAST (128u << 10)

/* Threads that start while others are opened are found by looking again. */
#define LOOKS_MAX 8

struct cpu_ring {
	int cpu, fd; /* fd: the event that the ring belongs to */
	void *pages;
};

struct task_event {
	pid_t tid;
	int cpu, fd;
	uint64_t start_ns; /* its value then */
};

struct task_events {
	struct sampler_opts opts;
	struct cpu_list cpus;
	uint32_t stack_bytes;
	size_t ring_bytes;
	VEC(struct cpu_ring) rings; /* one a CPU, or none yet */
	VEC(struct task_event) events;
};

/* More samples a second leave less room in the ring for each. */
static uint32_t stack_bytes(uint64_t freq_hz)
{
	return freq_hz <= 250 ? SAMPLE_STACK_MAX : freq_hz <= 1000 ? 24 * 1024 : 8 * 1024;
}

static int open_event(const struct task_events *t, pid_t tid, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = NS_PER_S / t->opts.freq_hz,
		.sample_type = SAMPLE_RECORD_TYPE,
		.sample_regs_user = sample_record_regs(),
		.sample_stack_user = t->stack_bytes,
		.inherit = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_BOOTTIME,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)t->ring_bytes / 4,
	};
	long fd = syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static void drop_rings(struct task_events *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < t->rings.len; i++)
		munmap(t->rings.data[i].pages, page + t->ring_bytes);
	for (size_t i = 0; i < t->events.len; i++)
		close(t->events.data[i].fd);
	t->rings.len = t->events.len = 0;
}

static void close_events(void *way)
{
	struct task_events *t = way;

	if (!t)
		return;
	drop_rings(t);
	vec_release(&t->rings);
	vec_release(&t->events);
	cpu_list_release(&t->cpus);
	free(t);
}
DEFINE_CLEANUP(task_events, close_events)

/* Whether perf events are allowed at all: tries one of this process. */
static int probe(const struct task_events *t)
{
	int fd = open_event(t, 0, t->cpus.cpus.data[0]);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int open_events(void **out, const struct sampler_opts *opts, const char **why)
{
	_cleanup_(task_events_freep) struct task_events *t = calloc(1, sizeof(*t));
	int err;

	*why = "out of memory";
	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	t->stack_bytes = stack_bytes(opts->freq_hz);
	t->ring_bytes = RING_MOST;
	*why = "cannot read which CPUs are online (/sys/devices/system/cpu/online)";
	err = cpu_list_online(&t->cpus);
	if (err)
		return err;
	*why = "perf events of own processes are refused: `kiln doctor` says what is missing";
	err = probe(t);
	if (err)
		return err;
	*out = steal_ptr(t);
	return 0;
}

/* --- rings -------------------------------------------------------------------------------------- */

static struct cpu_ring *ring_of(const struct task_events *t, int cpu)
{
	for (size_t i = 0; i < t->rings.len; i++)
		if (t->rings.data[i].cpu == cpu)
			return &t->rings.data[i];
	return NULL;
}

/* The first event of a CPU brings the ring. */
static int map_ring(struct task_events *t, int cpu, int fd)
{
	size_t len = (size_t)sysconf(_SC_PAGESIZE) + t->ring_bytes;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int err;

	if (p == MAP_FAILED)
		return -errno;
	err = vec_push(&t->rings, (struct cpu_ring){cpu, fd, p});
	if (err)
		munmap(p, len);
	return err;
}

static int use_ring(struct task_events *t, int cpu, int fd)
{
	const struct cpu_ring *ring = ring_of(t, cpu);

	if (!ring)
		return map_ring(t, cpu, fd);
	return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) ? -errno : 0;
}

/* --- targets ------------------------------------------------------------------------------------ */

static int add_event(struct task_events *t, pid_t tid, int cpu)
{
	struct task_event e = {.tid = tid, .cpu = cpu, .fd = open_event(t, tid, cpu)};
	int err;

	if (e.fd < 0)
		return e.fd == -ENODEV || e.fd == -ESRCH ? 0 : e.fd; /* it went meanwhile */
	err = use_ring(t, cpu, e.fd) ?: vec_push(&t->events, e);
	if (err)
		close(e.fd);
	return err;
}

static bool knows(const struct task_events *t, pid_t tid)
{
	for (size_t i = 0; i < t->events.len; i++)
		if (t->events.data[i].tid == tid)
			return true;
	return false;
}

struct adding {
	struct task_events *t;
	size_t added;
};

static int add_thread(void *ctx, pid_t tgid, pid_t tid)
{
	struct adding *a = ctx;
	int err = 0;

	(void)tgid;
	if (knows(a->t, tid))
		return 0;
	for (size_t i = 0; i < a->t->cpus.cpus.len && !err; i++)
		err = add_event(a->t, tid, a->t->cpus.cpus.data[i]);
	a->added++;
	return err;
}

static int add_threads(struct task_events *t, pid_t tgid)
{
	struct adding a = {t, 1};
	int err = 0;

	for (int look = 0; look < LOOKS_MAX && a.added && !err; look++) {
		a.added = 0;
		err = threads_each(tgid, add_thread, &a);
	}
	return err;
}

/* The kernel says EPERM when a user has locked too much memory. */
static int add_first(struct task_events *t, pid_t tgid)
{
	int err = add_threads(t, tgid);

	while ((err == -EPERM || err == -ENOMEM) && t->ring_bytes > RING_LEAST) {
		drop_rings(t);
		t->ring_bytes /= 2;
		err = add_threads(t, tgid);
	}
	return err;
}

static const char *advice(int err)
{
	if (err == -EMFILE)
		return "too many open files for a perf event per thread and CPU: raise `ulimit -n`";
	if (err == -EACCES)
		return "not permitted to sample this process: it is another user's, or it has "
		       "privileges of its own; run as root";
	if (err == -EPERM)
		return "no room for a ring of samples: raise `ulimit -l` or "
		       "kernel.perf_event_mlock_kb";
	return "cannot open perf events of this process";
}

static int add_target(void *way, struct sideband *s, pid_t tgid, const char **why)
{
	struct task_events *t = way;
	bool first = !t->rings.len;
	int err = first ? add_first(t, tgid) : add_threads(t, tgid);

	*why = advice(err);
	for (size_t i = 0; first && i < t->rings.len && !err; i++)
		err = sideband_adopt(s, t->rings.data[i].fd, t->rings.data[i].pages, t->ring_bytes);
	return err;
}

/* --- sampling ----------------------------------------------------------------------------------- */

/* Time that the thread, and all it has started, ran on the CPU. */
static uint64_t value_of(const struct task_event *e)
{
	uint64_t value;

	return read(e->fd, &value, sizeof(value)) == sizeof(value) ? value : e->start_ns;
}

/* Events run from the beginning, because they follow processes, too. */
static int start(void *way, const char **why)
{
	struct task_events *t = way;

	(void)why;
	for (size_t i = 0; i < t->events.len; i++)
		t->events.data[i].start_ns = value_of(&t->events.data[i]);
	return 0;
}

static void stop(void *way)
{
	struct task_events *t = way;

	for (size_t i = 0; i < t->events.len; i++)
		ioctl(t->events.data[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

static void totals(void *way, struct way_totals *out)
{
	const struct task_events *t = way;

	*out = (struct way_totals){0};
	for (size_t i = 0; i < t->events.len; i++)
		out->used_ns += value_of(&t->events.data[i]) - t->events.data[i].start_ns;
}

const struct way way_events = {
	.name = "events",
	.open = open_events,
	.close = close_events,
	.add_target = add_target,
	.start = start,
	.stop = stop,
	.totals = totals,
};
