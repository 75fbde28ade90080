// SPDX-License-Identifier: GPL-2.0-or-later
/* Tries perf events: the clock, the cycle counter, mapping events. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/kernel.h"
#include "profiler/doctor/check_bpf.h"
#include "profiler/doctor/doctor.h"
#include "profiler/base/cpus.h"

#define TRIED_HZ   99
#define RING_PAGES 8 /* data pages; the smallest kernel.perf_event_mlock_kb allows so many */

static int open_event(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

static struct perf_event_attr clock_attr(void)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = TRIED_HZ,
		.disabled = 1,
	};
}

static struct buf perf_cure(const struct doctor *d, int err)
{
	char rate[32];

	if ((err == -EACCES || err == -EPERM) && d->caps.effective & CAP_MASK(perfmon) &&
	    kernel_perf_wants_admin())
		return doctor_cure("sysctl kernel.perf_event_paranoid=2: above it, this kernel "
				   "wants CAP_SYS_ADMIN");
	if (err == -EACCES || err == -EPERM)
		return doctor_caps_cure(d, CAP_MASK(perfmon));
	if (err == -EINVAL &&
	    !io_read_line("/proc/sys/kernel/perf_event_max_sample_rate", rate, sizeof(rate)) &&
	    atoi(rate) < TRIED_HZ)
		return doctor_cure("sysctl kernel.perf_event_max_sample_rate=100000 (it is %s)",
				   rate);
	if (err == -EMFILE)
		return doctor_cure("ulimit -n 65536: there is one descriptor per CPU and event");
	return doctor_cure("a kernel with CONFIG_PERF_EVENTS=y");
}

static int open_on_all(const struct cpu_list *cpus, struct perf_event_attr *attr, int *cpu)
{
	for (size_t i = 0; i < cpus->cpus.len; i++) {
		int fd;

		*cpu = cpus->cpus.data[i];
		fd = open_event(attr, -1, *cpu);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

static void check_attached(struct doctor *d, size_t n_cpus)
{
	struct perf_event_attr attr = clock_attr();
	_cleanup_close_ int prog = doctor_load_perf_program(), fd = open_event(&attr, -1, 0);
	char rate[32] = "?";

	if (prog >= 0 && fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog)) {
		struct buf cure = doctor_cure("a kernel with CONFIG_BPF_EVENTS=y");

		d->cannot_sample = true;
		doctor_add(d, FINDING_fail, "perf events", &cure,
			   "a BPF program cannot be attached to cpu-clock: %s", strerror(errno));
		return;
	}
	io_read_line("/proc/sys/kernel/perf_event_max_sample_rate", rate, sizeof(rate));
	doctor_add(d, FINDING_ok, "perf events", NULL, "cpu-clock on %zu CPU%s, at most %s Hz",
		   n_cpus, n_cpus == 1 ? "" : "s", rate);
}

void check_perf_clock(struct doctor *d)
{
	struct perf_event_attr attr = clock_attr();
	struct cpu_list cpus = {0};
	struct buf cure;
	int err = cpu_list_online(&cpus), cpu = 0;

	err = err ?: open_on_all(&cpus, &attr, &cpu);
	if (!err) {
		check_attached(d, cpus.cpus.len);
	} else {
		cure = perf_cure(d, err);
		d->cannot_sample = true;
		doctor_add(d, FINDING_fail, "perf events", &cure, "cpu-clock on CPU %d: %s", cpu,
			   strerror(-err));
	}
	cpu_list_release(&cpus);
}

void check_perf_cycles(struct doctor *d)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.freq = 1,
		.sample_freq = TRIED_HZ,
		.disabled = 1,
	};
	_cleanup_close_ int fd = open_event(&attr, -1, 0);

	if (fd >= 0)
		doctor_add(d, FINDING_ok, "pmu", NULL, "hardware cycles can be sampled");
	else if (fd == -EACCES || fd == -EPERM)
		return; /* check_perf_events() reports it */
	else
		doctor_add(d, FINDING_warn, "pmu", NULL,
			   "no hardware cycle counter (virtual machine?): cpu-clock is used");
}

/* Opens an event for mappings, names and forks with build ids, and maps its ring. */
static int try_sideband(bool with_build_id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.build_id = with_build_id,
		.disabled = 1,
	};
	_cleanup_close_ int fd = open_event(&attr, -1, 0);
	size_t len = (1 + RING_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	void *ring;

	if (fd < 0)
		return fd;
	ring = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	munmap(ring, len);
	return 0;
}

void check_perf_sideband(struct doctor *d)
{
	int err = try_sideband(true);
	struct kernel_version v;
	struct buf cure;

	if (!err && d->refused.mappings[0]) {
		cure = doctor_cure("update the kernel, or kiln; until then mappings are followed "
				   "by events");
		doctor_add(d, FINDING_warn, "process events", &cure,
			   "names, forks, exits; samples cannot report mappings: %s",
			   d->refused.mappings);
	} else if (!err && !kernel_version_get(&v) && kernel_can_report_mappings(&v)) {
		doctor_add(d, FINDING_ok, "process events", NULL,
			   "names, forks, exits; samples report mappings");
	} else if (!err) {
		doctor_add(d, FINDING_ok, "process events", NULL,
			   "mappings with build ids, names, forks, exits");
	} else if (!try_sideband(false)) {
		cure = doctor_cure("a kernel of 5.12 or newer");
		doctor_add(d, FINDING_warn, "process events", &cure,
			   "mapping events lack build ids: files replaced while they run may get "
			   "wrong names");
	} else {
		cure = err == -EPERM ? doctor_cure("sysctl kernel.perf_event_mlock_kb=1024, or %s",
						   "capability IPC_LOCK")
				     : perf_cure(d, err);
		doctor_add(d, FINDING_fail, "process events", &cure,
			   "%s: programs that end before kiln reads their mappings stay unnamed",
			   strerror(-err));
	}
}
