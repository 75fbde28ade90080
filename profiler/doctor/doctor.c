// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <unistd.h>

#include "profiler/doctor/doctor.h"

static void (*const checks[])(struct doctor *d) = {
	check_kernel,	     check_lockdown,	  check_bpf_maps,	check_bpf_programs,
	check_sampler,	     check_bpf_jit,	  check_perf_clock,	check_perf_cycles,
	check_perf_sideband, check_own_processes, check_kernel_symbols, check_other_processes,
	check_other_files,   check_deleted_files, check_namespaces,	check_stacks,
	check_sandbox,	     check_cgroups,	  check_tracefs,	check_memlock,
	check_debuginfo,     check_directory,	  check_agent,
};

int doctor_run(struct doctor *d)
{
	ssize_t len = readlink("/proc/self/exe", d->program, sizeof(d->program) - 1);
	int err = caps_get(&d->caps);

	d->program[len < 0 ? 0 : len] = '\0';
	err = err ?: kernel_version_get(&d->kernel);
	for (size_t i = 0; !err && i < sizeof(checks) / sizeof(*checks); i++) {
		checks[i](d);
		err = d->err;
	}
	return err;
}
