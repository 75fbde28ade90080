// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/kernel.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/sampler/cpu_stat.h"
#include "profiler/base/cpus.h"
#include "profiler/base/min.h"
#include "profiler/sampler/programs.h"
#include "profiler/sampler/sampler.h"

#define CPU_CHECK_NS 1000000000ull

struct cpu_event {
	int cpu, fd;
	struct bpf_link *link;
	struct cpu_stat start;
	uint64_t start_ns; /* its value then */
};

struct sampler {
	struct profile_bpf *skel;
	struct sampler_opts opts;
	struct cpu_list wanted; /* -C, or empty for all */
	enum sample_event event;
	uint64_t period_ns;
	bool started, tables, reports;
	VEC(struct cpu_event) events;
	int n_possible;
	uint64_t last_check_ns, gap_ns; /* gap: time in which CPUs were online and not sampled */
	/* for each possible CPU: totals of events that are closed */
	struct cpu_past {
		uint64_t value_ns, idle_ns, steal_ns;
		uint64_t ticks, idle_ticks; /* of earlier periods, which are settled */
	} * past;
	struct cpu_stat *stat; /* for each possible CPU, as last read */
	/* Of all CPUs, since the beginning: periods of other lengths than the present one. */
	struct sampler_totals settled;
};

static int add_cgroups(struct sampler *s, const char **why)
{
	int map = bpf_map__fd(s->skel->maps.kiln_cgroups);

	for (uint32_t i = 0; s->opts.cgroups && s->opts.cgroups[i]; i++) {
		_cleanup_close_ int fd =
			open(s->opts.cgroups[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || bpf_map_update_elem(map, &i, &fd, BPF_ANY)) {
			*why = "the cgroup is not a cgroup v2 directory; see cgroups(7)";
			return -errno;
		}
	}
	return 0;
}

/* From now on, before sampling starts: a target may fork during --delay. */
static int follow_forks(struct sampler *s, const char **why)
{
	*why = "cannot follow forks: `kiln doctor` says what is missing";
	s->skel->links.kiln_fork = bpf_program__attach(s->skel->progs.kiln_fork);
	if (!s->skel->links.kiln_fork)
		return -errno;
	s->skel->links.kiln_free = bpf_program__attach(s->skel->progs.kiln_free);
	return s->skel->links.kiln_free ? 0 : -errno;
}

static int load_into(struct sampler *s, const char **why)
{
	struct programs programs;
	int err;

	s->n_possible = libbpf_num_possible_cpus();
	if (s->n_possible < 0)
		return s->n_possible;
	s->past = calloc((size_t)s->n_possible, sizeof(*s->past));
	s->stat = calloc((size_t)s->n_possible, sizeof(*s->stat));
	if (!s->past || !s->stat)
		return -ENOMEM;
	if (s->opts.cpus && cpu_list_parse(&s->wanted, s->opts.cpus)) {
		*why = "-C takes a list of CPUs, such as 0-3,8";
		return -EINVAL;
	}
	err = programs_load(&programs, &s->opts, (uint32_t)s->n_possible, why);
	if (err)
		return err;
	s->skel = programs.skel;
	s->tables = programs.tables;
	s->reports = programs.reports;
	err = add_cgroups(s, why);
	return err || !s->opts.filter_tgids ? err : follow_forks(s, why);
}

int sampler_load(struct sampler **out, const struct sampler_opts *opts, const char **why)
{
	struct sampler *s = calloc(1, sizeof(*s));
	int err;

	*why = "out of memory";
	if (!s)
		return -ENOMEM;
	s->opts = *opts;
	s->period_ns = 1000000000ull / opts->freq_hz;
	err = load_into(s, why);
	if (err) {
		sampler_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	sampler_stop(s);
	profile_bpf__destroy(s->skel);
	cpu_list_release(&s->wanted);
	vec_release(&s->events);
	free(s->past);
	free(s->stat);
	free(s);
}

int sampler_add_target(struct sampler *s, pid_t tgid)
{
	struct bpf_map *map =
		s->skel->rodata->pidns ? s->skel->maps.kiln_targets_ns : s->skel->maps.kiln_targets;
	uint32_t key = (uint32_t)tgid;
	uint64_t not_seen_yet = 0;

	return bpf_map_update_elem(bpf_map__fd(map), &key, &not_seen_yet, BPF_ANY) ? -errno : 0;
}

size_t sampler_targets(struct sampler *s, pid_t *out, size_t max)
{
	int fd = bpf_map__fd(s->skel->maps.kiln_targets);
	uint32_t key, *prev = NULL, next;
	size_t n = 0;

	while (!bpf_map_get_next_key(fd, prev, &next)) {
		key = next;
		prev = &key;
		if (n < max)
			out[n] = (pid_t)next;
		n++;
	}
	return n;
}

bool sampler_numbers_are_own(const struct sampler *s)
{
	return !s->skel->rodata->pidns;
}

static int open_event(enum sample_event event, uint64_t freq_hz, uint64_t period_ns, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = event == EVENT_CYCLES ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.config =
			event == EVENT_CYCLES ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
	};
	int fd;

	if (event == EVENT_CYCLES) {
		attr.freq = 1;
		attr.sample_freq = freq_hz;
	} else {
		attr.sample_period = period_ns;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Resolves `auto`: cycles need a PMU, which many virtual machines lack. */
static int choose_event(struct sampler *s, int cpu)
{
	int fd;

	if (s->opts.event != EVENT_AUTO) {
		s->event = s->opts.event;
		return 0;
	}
	fd = open_event(EVENT_CYCLES, s->opts.freq_hz, s->period_ns, cpu);
	s->event = fd < 0 ? EVENT_CPU_CLOCK : EVENT_CYCLES;
	if (fd >= 0)
		close(fd);
	return 0;
}

static int start_cpu(struct sampler *s, int cpu)
{
	struct cpu_event e = {.cpu = cpu, .start = s->stat[cpu]};
	int err;

	e.fd = open_event(s->event, s->opts.freq_hz, s->period_ns, cpu);
	if (e.fd < 0)
		return e.fd;
	e.link = bpf_program__attach_perf_event(
		s->reports ? s->skel->progs.kiln_sample_rep : s->skel->progs.kiln_sample, e.fd);
	if (!e.link) {
		err = -errno;
		close(e.fd);
		return err;
	}
	err = vec_push(&s->events, e);
	if (err)
		bpf_link__destroy(e.link); /* closes the descriptor, too */
	return err;
}

/* Time in ns that passed on a CPU's event. */
static uint64_t event_value(const struct cpu_event *e)
{
	uint64_t value;

	return read(e->fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static void add_past(struct cpu_past *past, const struct sampler *s, const struct cpu_event *e)
{
	past->value_ns += event_value(e) - e->start_ns;
	past->idle_ns += s->stat[e->cpu].idle_ns - e->start.idle_ns;
	past->steal_ns += s->stat[e->cpu].steal_ns - e->start.steal_ns;
}

static void stop_event(struct sampler *s, size_t i)
{
	struct cpu_event *e = &s->events.data[i];

	ioctl(e->fd, PERF_EVENT_IOC_DISABLE, 0);
	add_past(&s->past[e->cpu], s, e);
	bpf_link__destroy(e->link); /* closes the descriptor, too */
	s->events.data[i] = s->events.data[--s->events.len];
}

static bool has_event(const struct sampler *s, int cpu)
{
	for (size_t i = 0; i < s->events.len; i++)
		if (s->events.data[i].cpu == cpu)
			return true;
	return false;
}

static const char *start_advice(const struct sampler *s, int err)
{
	if (err == -EACCES || err == -EPERM)
		return "not permitted to sample all CPUs: run as root, or give kiln CAP_PERFMON "
		       "(kernel.perf_event_paranoid forbids it otherwise)";
	if (err == -EMFILE)
		return "too many open files for one perf event per CPU: raise `ulimit -n`";
	if (s->opts.event == EVENT_CYCLES && (err == -ENOENT || err == -EOPNOTSUPP))
		return "this machine has no PMU (a virtual machine?): use -e cpu-clock";
	return "cannot open perf events: `kiln doctor` says what is missing";
}

static const char *online_advice(int err)
{
	if (err == -EMFILE || err == -ENFILE)
		return "too many open files to read which CPUs are online: raise `ulimit -n`";
	if (err == -ENOENT)
		return "/sys/devices/system/cpu/online is missing: mount sysfs";
	return "cannot read /sys/devices/system/cpu/online";
}

int sampler_start(struct sampler *s, const char **why)
{
	struct cpu_list online = {0};
	int err = cpu_list_online(&online);

	if (err) {
		*why = online_advice(err);
		return err;
	}
	cpu_stat_read(s->stat, (size_t)s->n_possible);
	choose_event(s, online.cpus.data[0]);
	__atomic_store_n(&s->skel->bss->unread_since_ns, 0, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < online.cpus.len && !err; i++) {
		if (s->wanted.cpus.len && !cpu_list_has(&s->wanted, online.cpus.data[i]))
			continue;
		err = start_cpu(s, online.cpus.data[i]);
		if (err == -ENODEV) /* went offline meanwhile */
			err = 0;
	}
	cpu_list_release(&online);
	if (!err && !s->events.len) {
		*why = "none of the CPUs of -C is online";
		return -ENODEV;
	}
	if (err)
		*why = start_advice(s, err);
	s->started = !err;
	s->last_check_ns = boottime_ns();
	return err;
}

void sampler_stop(struct sampler *s)
{
	if (s->events.len)
		cpu_stat_read(s->stat, (size_t)s->n_possible);
	while (s->events.len)
		stop_event(s, 0);
	s->started = false;
}

int sampler_follow_cpus(struct sampler *s)
{
	uint64_t now = boottime_ns();
	struct cpu_list online = {0};
	int err;

	if (!s->started || now - s->last_check_ns < CPU_CHECK_NS)
		return 0;
	err = cpu_list_online(&online);
	if (err)
		return err;
	cpu_stat_read(s->stat, (size_t)s->n_possible);
	for (size_t i = s->events.len; i--;)
		if (!cpu_list_has(&online, s->events.data[i].cpu))
			stop_event(s, i);
	for (size_t i = 0; i < online.cpus.len; i++) {
		int cpu = online.cpus.data[i];

		if (has_event(s, cpu) || (s->wanted.cpus.len && !cpu_list_has(&s->wanted, cpu)))
			continue;
		if (!start_cpu(s, cpu)) /* else the CPU is gone again; the next check tries it */
			s->gap_ns += now - s->last_check_ns;
	}
	s->last_check_ns = now;
	cpu_list_release(&online);
	return 0;
}

const char *sampler_event_name(const struct sampler *s)
{
	static const char *const names[] = {
#define X(event, name) [EVENT_##event] = name,
		SAMPLE_EVENTS(X)
#undef X
	};

	return names[s->event];
}

bool sampler_uses_tables(const struct sampler *s)
{
	return s->tables;
}

bool sampler_reports_mappings(const struct sampler *s)
{
	return s->reports;
}

int sampler_watch_perf_map(struct sampler *s, pid_t tgid, int fd)
{
	uint64_t args[] = {(uint64_t)tgid, (uint64_t)fd};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.kiln_perf_map), &run))
		return -errno;
	return run.retval ? -EBADF : 0;
}

void sampler_forget_perf_map(struct sampler *s, pid_t tgid)
{
	bpf_map_delete_elem(bpf_map__fd(s->skel->maps.kiln_perf_maps), &tgid);
}

uint64_t sampler_period_ns(const struct sampler *s)
{
	return s->period_ns;
}

size_t sampler_cpu_count(const struct sampler *s)
{
	return s->events.len;
}

struct profile_bpf *sampler_skeleton(struct sampler *s)
{
	return s->skel;
}

/* Periods in a time, rounded up, so that the clock's resolution does not count as a loss. */
static uint64_t periods_up(const struct sampler *s, uint64_t ns)
{
	return ns ? (ns + cpu_stat_resolution_ns()) / s->period_ns + 1 : 0;
}

/* Adds the periods of one CPU so far: those with a tick, and the others by reason. */
static void add_cpu_totals(struct sampler_totals *out, const struct sampler *s, int cpu,
			   const struct kiln_counters *counters)
{
	struct cpu_past t = s->past[cpu];
	uint64_t ticks = counters->v[KILN_CTR_ticks] - t.ticks;
	uint64_t idle_ticks = counters->v[KILN_CTR_idle] - t.idle_ticks;
	uint64_t periods, missing, asleep, stolen;

	for (size_t i = 0; i < s->events.len; i++)
		if (s->events.data[i].cpu == cpu)
			add_past(&t, s, &s->events.data[i]);
	/* With cycles the period varies: only ticks that came were expected. */
	periods = s->event == EVENT_CYCLES ? ticks : t.value_ns / s->period_ns;
	missing = periods > ticks ? periods - ticks : 0;
	stolen = min_u64(periods_up(s, t.steal_ns), missing);
	asleep = periods_up(s, t.idle_ns);
	asleep = min_u64(asleep > idle_ticks ? asleep - idle_ticks : 0, missing - stolen);
	out->expected += ticks + missing;
	out->idle += idle_ticks + asleep;
	out->stolen += stolen;
	out->timer_overrun += missing - stolen - asleep;
	for (int c = 0; c < KILN_CTR_COUNT; c++)
		out->counters[c] += counters->v[c];
	for (int e = 0; e < UNWIND_END_COUNT; e++)
		out->walk_end[e] += counters->walk_end[e];
}

/* What the programs have counted on each possible CPU; the caller's, malloc'd. */
static int read_counters(const struct sampler *s, struct kiln_counters **out)
{
	uint32_t zero = 0;
	_cleanup_free_ struct kiln_counters *per_cpu =
		calloc((size_t)s->n_possible, sizeof(*per_cpu));

	if (!per_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.kiln_counters), &zero, per_cpu))
		return -errno;
	*out = steal_ptr(per_cpu);
	return 0;
}

static void sum_up(struct sampler *s, const struct kiln_counters *per_cpu,
		   struct sampler_totals *out)
{
	uint64_t gap = s->gap_ns / s->period_ns;

	*out = s->settled;
	if (s->events.len)
		cpu_stat_read(s->stat, (size_t)s->n_possible);
	for (int cpu = 0; cpu < s->n_possible; cpu++)
		add_cpu_totals(out, s, cpu, &per_cpu[cpu]);
	out->cpu_gap += gap;
	out->expected += gap;
}

int sampler_totals(struct sampler *s, struct sampler_totals *out)
{
	_cleanup_free_ struct kiln_counters *per_cpu = NULL;
	int err = read_counters(s, &per_cpu);

	if (!err)
		sum_up(s, per_cpu, out);
	return err;
}

/* Everything up to now becomes a sum of periods; from here on they have another length. */
static void settle(struct sampler *s, const struct kiln_counters *per_cpu)
{
	struct sampler_totals t;

	sum_up(s, per_cpu, &t);
	/* Counters go on counting by themselves. */
	memset(t.counters, 0, sizeof(t.counters));
	memset(t.walk_end, 0, sizeof(t.walk_end));
	s->settled = t;
	s->gap_ns = 0;
	for (int cpu = 0; cpu < s->n_possible; cpu++)
		s->past[cpu] = (struct cpu_past){
			.ticks = per_cpu[cpu].v[KILN_CTR_ticks],
			.idle_ticks = per_cpu[cpu].v[KILN_CTR_idle],
		};
	for (size_t i = 0; i < s->events.len; i++) {
		struct cpu_event *e = &s->events.data[i];

		e->start = s->stat[e->cpu];
		e->start_ns = event_value(e);
	}
}

void sampler_pause(struct sampler *s)
{
	for (size_t i = 0; i < s->events.len; i++)
		ioctl(s->events.data[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

/* On failure all events have the period that they had before. */
static int set_periods(struct sampler *s, uint64_t freq_hz)
{
	uint64_t value = s->event == EVENT_CYCLES ? freq_hz : NS_PER_S / freq_hz;
	uint64_t old = s->event == EVENT_CYCLES ? s->opts.freq_hz : s->period_ns;

	for (size_t i = 0; i < s->events.len; i++) {
		int err;

		if (!ioctl(s->events.data[i].fd, PERF_EVENT_IOC_PERIOD, &value))
			continue;
		err = -errno;
		while (i--)
			ioctl(s->events.data[i].fd, PERF_EVENT_IOC_PERIOD, &old);
		return err;
	}
	return 0;
}

int sampler_resume(struct sampler *s, uint64_t freq_hz)
{
	_cleanup_free_ struct kiln_counters *per_cpu = NULL;
	int err = read_counters(s, &per_cpu) ?: set_periods(s, freq_hz);

	if (!err) {
		settle(s, per_cpu);
		s->opts.freq_hz = freq_hz;
		s->period_ns = NS_PER_S / freq_hz;
	}
	for (size_t i = 0; i < s->events.len; i++)
		ioctl(s->events.data[i].fd, PERF_EVENT_IOC_ENABLE, 0);
	return err;
}
