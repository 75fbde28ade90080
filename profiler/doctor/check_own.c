// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may not sample the machine may still sample own processes: tries how. */
#include <string.h>

#include "profiler/base/io.h"
#include "profiler/doctor/doctor.h"
#include "profiler/rootless/rootless.h"

static void say_way(struct doctor *d, enum rootless_way way, const char *paranoid)
{
	struct buf cure;

	if (way == ROOTLESS_EVENTS) {
		doctor_add(d, FINDING_ok, "own process", NULL,
			   "perf events of user code (perf_event_paranoid=%s): record -- COMMAND, "
			   "and -p of what is yours",
			   paranoid);
		return;
	}
	/* Debian and Ubuntu have levels above 2 that forbid even own events. */
	cure = doctor_cure("sysctl kernel.perf_event_paranoid=2, if no filter refuses perf events: "
			   "these disturb less");
	doctor_add(d, FINDING_warn, "own process", &cure,
		   "perf events are refused (perf_event_paranoid=%s), so record -- COMMAND, and -p "
		   "of what is yours, stop threads for 0.1 ms",
		   paranoid);
}

void check_own_processes(struct doctor *d)
{
	const struct sampler_opts opts = {.freq_hz = 99, .user = true, .filter_tgids = true};
	char paranoid[16] = "?";
	struct rootless *r;
	struct buf cure;
	const char *why;
	int err;

	/* What the verifier refuses is no matter of permission: then record fails, too. */
	if (!d->cannot_sample || d->refused.all[0])
		return;
	io_read_line("/proc/sys/kernel/perf_event_paranoid", paranoid, sizeof(paranoid));
	err = rootless_open(&r, &opts, &why);
	d->can_sample_own = !err;
	if (!err) {
		say_way(d, rootless_way(r), paranoid);
		rootless_close(r);
		return;
	}
	cure = doctor_cure("sysctl kernel.perf_event_paranoid=2, or a container that allows "
			   "ptrace(2)");
	doctor_add(d, FINDING_warn, "own process", &cure,
		   "you may not sample even your own programs: %s (perf_event_paranoid=%s)",
		   strerror(-err), paranoid);
}
