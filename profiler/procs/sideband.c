// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/kernel.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"
#include "profiler/procs/events.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/ring.h"
#include "profiler/procs/sideband.h"
#include "profiler/base/cpus.h"

/* With the control page, exactly what perf_event_mlock_kb allows for a CPU (516 KiB by default). */
#define RING_BYTES (512u * 1024)

/* A record appears in its ring microseconds after its time stamp, with preemption off. Events
 * are applied this long after their time, when all CPUs have written theirs. */
#define SETTLE_NS 1000000ull

#define CPUS_EVERY_NS NS_PER_S

struct cpu {
	int cpu; /* -1: the ring is adopted */
	int fd;
	struct perf_event_mmap_page *page;
	size_t map_len;
	struct ring ring;
	bool have; /* event and len are those of the record at the tail */
	struct event event;
	size_t len;
	uint64_t applied_ns; /* time of the last event applied, or when it was opened */
};

struct sideband {
	struct sideband_opts opts;
	bool build_id;	   /* the kernel supports them */
	int64_t offset_ns; /* from times of the kernel to ours */
	int epoll_fd;
	VEC(struct cpu *) cpus;
	VEC(struct cpu *) heap; /* CPUs that have an event, earliest first */
	uint64_t latest_ns;	/* of the events applied */
	uint64_t read_ns;      /* when the ends of the rings were read: no event in them is later */
	uint64_t loss_from_ns; /* events after this time were lost; 0: none were */
	uint64_t cpus_seen_ns; /* time of the last look for online CPUs */
	struct sideband_stats stats;
};

/* --- events on CPUs --------------------------------------------------------------------------- */

static int open_event(const struct sideband *s, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = EVENT_SAMPLE_TYPE,
		.disabled = 1,
		.exclude_kernel = 1,
		.mmap = !s->opts.no_mappings,
		.mmap2 = !s->opts.no_mappings,
		.build_id = s->build_id,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.ksymbol = s->opts.ksyms != NULL,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_BOOTTIME,
		.watermark = 1,
		.wakeup_watermark = s->opts.ring_bytes / 4,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static void cpu_close(struct cpu *c)
{
	if (!c)
		return;
	if (c->page && c->cpu >= 0)
		munmap(c->page, c->map_len);
	if (c->fd >= 0 && c->cpu >= 0)
		close(c->fd);
	free(c->ring.scratch);
	free(c);
}
DEFINE_CLEANUP(cpu, cpu_close)

static int use_ring(struct cpu *c, void *pages, size_t ring_bytes)
{
	c->page = pages;
	c->ring.scratch = malloc(RING_SCRATCH);
	c->ring.data = (const uint8_t *)pages + sysconf(_SC_PAGESIZE);
	c->ring.size = ring_bytes;
	return c->ring.scratch ? 0 : -ENOMEM;
}

static int map_ring(struct sideband *s, struct cpu *c)
{
	void *p;

	c->map_len = (size_t)sysconf(_SC_PAGESIZE) + s->opts.ring_bytes;
	p = mmap(NULL, c->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (p == MAP_FAILED) /* here that is no lack of privileges (perf_event_open(2)) */
		return errno == EPERM ? -ENOBUFS : -errno;
	return use_ring(c, p, s->opts.ring_bytes);
}

static int add_cpu(struct sideband *s, int cpu)
{
	_cleanup_(cpu_freep) struct cpu *c = calloc(1, sizeof(*c));
	struct epoll_event ev = {.events = EPOLLIN};
	int err;

	if (!c)
		return -ENOMEM;
	c->cpu = cpu;
	c->applied_ns = boottime_ns();
	c->fd = open_event(s, cpu);
	if (c->fd == -EINVAL && s->build_id) { /* before 5.12 */
		s->build_id = false;
		c->fd = open_event(s, cpu);
	}
	if (c->fd < 0)
		return c->fd;
	err = map_ring(s, c);
	if (err)
		return err;
	ev.data.fd = c->fd;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) ||
	    ioctl(c->fd, PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	err = vec_reserve(&s->heap, s->cpus.len + 1) ?: vec_push(&s->cpus, c);
	if (!err)
		c = NULL;
	return err;
}

/* Edge-triggered: the event of a task that has ended would be ready for ever. */
int sideband_adopt(struct sideband *s, int fd, void *pages, size_t ring_bytes)
{
	_cleanup_(cpu_freep) struct cpu *c = calloc(1, sizeof(*c));
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
	int err;

	if (!c)
		return -ENOMEM;
	c->cpu = c->fd = -1;
	c->applied_ns = boottime_ns();
	err = use_ring(c, pages, ring_bytes) ?: vec_reserve(&s->heap, s->cpus.len + 1);
	if (!err && fd >= 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		err = -errno;
	err = err ?: vec_push(&s->cpus, c);
	if (!err)
		c = NULL;
	return err;
}

static bool has_cpu(const struct sideband *s, int cpu)
{
	for (size_t i = 0; i < s->cpus.len; i++)
		if (s->cpus.data[i]->cpu == cpu)
			return true;
	return false;
}

/* Opens events on CPUs without one. A CPU that goes offline meanwhile is no error. */
static int add_new_cpus(struct sideband *s, const struct cpu_list *online)
{
	for (size_t i = 0; i < online->cpus.len; i++) {
		int cpu = online->cpus.data[i];
		int err = has_cpu(s, cpu) ? 0 : add_cpu(s, cpu);

		if (err && err != -ENODEV)
			return err;
	}
	return 0;
}

/* An offline CPU's event stays silent for ever, even if the CPU comes back. So its descriptor is
 * closed. */
static int drop_gone_cpus(struct sideband *s, const struct cpu_list *online)
{
	size_t kept = 0, gone = 0;
	int err;

	for (size_t i = 0; i < s->cpus.len; i++)
		gone += !cpu_list_has(online, s->cpus.data[i]->cpu);
	if (!gone)
		return 0;
	err = sideband_poll(s, 0); /* reads the rest of their rings */
	for (size_t i = 0; i < s->cpus.len; i++) {
		if (cpu_list_has(online, s->cpus.data[i]->cpu))
			s->cpus.data[kept++] = s->cpus.data[i];
		else
			cpu_close(s->cpus.data[i]);
	}
	s->cpus.len = kept;
	return err;
}

int sideband_update_cpus(struct sideband *s)
{
	_cleanup_(cpu_list_release) struct cpu_list online = {0};
	uint64_t now = boottime_ns();
	int err;

	if (s->opts.adopts || (s->cpus_seen_ns && now - s->cpus_seen_ns < CPUS_EVERY_NS))
		return 0;
	s->cpus_seen_ns = now;
	err = cpu_list_online(&online);
	return err ?: drop_gone_cpus(s, &online) ?: add_new_cpus(s, &online);
}

static void say_denied(void)
{
	if (kernel_perf_wants_admin())
		log_error("kernel.perf_event_paranoid is above 2, where this kernel wants "
			  "CAP_SYS_ADMIN: sysctl kernel.perf_event_paranoid=2, or run as root");
	else
		log_error("following processes needs CAP_PERFMON: run as root, or see "
			  "`kiln doctor`");
}

int sideband_open(struct sideband **out, const struct sideband_opts *opts)
{
	struct sideband *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->opts = *opts;
	s->opts.ring_bytes = s->opts.ring_bytes ?: RING_BYTES;
	s->build_id = !opts->no_mappings;
	s->offset_ns = kernel_boottime_offset_ns();
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = s->epoll_fd < 0 ? -errno : sideband_update_cpus(s);
	if (!err && !s->cpus.len && !opts->adopts)
		err = -ENODEV;
	if (err) {
		sideband_close(s);
		if (err == -EACCES || err == -EPERM)
			say_denied();
		if (err == -ENOBUFS)
			log_error("the rings of perf events do not fit into what this user may "
				  "lock: raise the limit (`ulimit -l`) or "
				  "kernel.perf_event_mlock_kb, or end other profilers");
		return err;
	}
	*out = s;
	return 0;
}

void sideband_close(struct sideband *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->cpus.len; i++)
		cpu_close(s->cpus.data[i]);
	vec_release(&s->cpus);
	vec_release(&s->heap);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}

int sideband_fd(const struct sideband *s)
{
	return s->epoll_fd;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Makes the next valid record of a ring the CPU's event. False: there is none. */
static bool next_event(struct sideband *s, struct cpu *c)
{
	const void *record;

	while (!c->have) {
		record = ring_peek(&c->ring, &c->len);
		if (!record) {
			s->stats.malformed += c->len != 0;
			return false;
		}
		if (event_parse(&c->event, record, c->len)) {
			s->stats.malformed++;
			ring_skip(&c->ring, c->len);
			continue;
		}
		c->event.t_ns += (uint64_t)s->offset_ns;
		/* Nothing waits for a time that is not to come: all behind it in the ring would, too. */
		if (c->event.t_ns > s->read_ns) {
			s->stats.from_the_future++;
			c->event.t_ns = s->read_ns;
		}
		c->have = true;
	}
	return true;
}

static bool earlier(const struct cpu *a, const struct cpu *b)
{
	return a->event.t_ns < b->event.t_ns;
}

static void sift_up(struct sideband *s, size_t i)
{
	struct cpu **h = s->heap.data, *c = h[i];

	for (; i && earlier(c, h[(i - 1) / 2]); i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = c;
}

static void sift_down(struct sideband *s, size_t i)
{
	struct cpu **h = s->heap.data, *c = h[i];
	size_t n = s->heap.len;

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && earlier(h[child + 1], h[child]))
			child++;
		if (!earlier(h[child], c))
			break;
		h[i] = h[child];
	}
	h[i] = c;
}

static void apply(struct sideband *s, const struct event *e)
{
	s->stats.events++;
	s->stats.lost += e->lost;
	s->stats.out_of_order += e->t_ns < s->latest_ns;
	if (e->t_ns > s->latest_ns)
		s->latest_ns = e->t_ns;
	if (e->kind == EVENT_CODE_BEGIN)
		ksyms_begin(s->opts.ksyms, e->t_ns, e->start, e->len, e->name);
	else if (e->kind == EVENT_CODE_END)
		ksyms_end(s->opts.ksyms, e->t_ns, e->start, e->len, e->name);
	else
		event_apply(e, s->opts.procs, s->opts.files);
	if (s->opts.seen)
		s->opts.seen(s->opts.seen_ctx, e);
}

/* Applies the events of the heap up to a time, and refills the heap from the rings. */
static void merge(struct sideband *s, uint64_t up_to_ns)
{
	while (s->heap.len && s->heap.data[0]->event.t_ns <= up_to_ns) {
		struct cpu *c = s->heap.data[0];

		if (c->event.lost && (!s->loss_from_ns || c->applied_ns < s->loss_from_ns))
			s->loss_from_ns = c->applied_ns; /* the ring was full then */
		apply(s, &c->event);
		c->applied_ns = c->event.t_ns;
		c->have = false;
		ring_skip(&c->ring, c->len);
		if (!next_event(s, c))
			s->heap.data[0] = s->heap.data[--s->heap.len];
		if (s->heap.len)
			sift_down(s, 0);
	}
}

int sideband_poll(struct sideband *s, uint64_t up_to_ns)
{
	uint64_t now = boottime_ns();
	struct epoll_event ev[64];

	if (!up_to_ns || up_to_ns > now)
		up_to_ns = now;
	if (now - up_to_ns < SETTLE_NS) {
		struct timespec ts = {.tv_nsec = (long)(SETTLE_NS - (now - up_to_ns))};

		nanosleep(&ts, NULL);
	}
	epoll_wait(s->epoll_fd, ev, 64, 0); /* resets the wake-ups */
	s->heap.len = 0;
	for (size_t i = 0; i < s->cpus.len; i++)
		s->cpus.data[i]->ring.head =
			__atomic_load_n(&s->cpus.data[i]->page->data_head, __ATOMIC_ACQUIRE);
	s->read_ns = boottime_ns();
	for (size_t i = 0; i < s->cpus.len; i++) {
		struct cpu *c = s->cpus.data[i];

		if (next_event(s, c)) {
			s->heap.data[s->heap.len++] = c;
			sift_up(s, s->heap.len - 1);
		}
	}
	merge(s, up_to_ns);
	for (size_t i = 0; i < s->cpus.len; i++) {
		struct cpu *c = s->cpus.data[i];

		__atomic_store_n(&c->page->data_tail, c->ring.tail, __ATOMIC_RELEASE);
	}
	return 0;
}

bool sideband_take_loss(struct sideband *s, uint64_t *from_ns)
{
	*from_ns = s->loss_from_ns;
	s->loss_from_ns = 0;
	return *from_ns != 0;
}

void sideband_stats(const struct sideband *s, struct sideband_stats *out)
{
	*out = s->stats;
}
