// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads the BPF programs of a recording, with the table walk. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "profiler/doctor/doctor.h"

static int try_loading(struct sampler_refused *refused)
{
	const struct sampler_opts opts = {
		.freq_hz = 99,
		.window_ns = 1000000000,
		.event = EVENT_CPU_CLOCK,
		.unwind = MODE_AUTO,
		.user = true,
		.kernel = true,
		.filter_tgids = true, /* includes the programs that follow descendants */
		.refused = refused,
	};
	struct rlimit locked;
	struct sampler *s;
	const char *why;
	int err;

	getrlimit(RLIMIT_MEMLOCK, &locked);
	err = sampler_load(&s, &opts, &why);
	if (!err)
		sampler_free(s);
	/* Loading has raised it, and check_memlock() checks it. */
	setrlimit(RLIMIT_MEMLOCK, &locked);
	return err;
}

void check_sampler(struct doctor *d)
{
	struct sampler_refused *refused = &d->refused;
	struct buf cure;
	int err;

	if (d->cannot_sample)
		return;
	err = try_loading(refused);
	if (err) {
		cure = doctor_cure("update the kernel, or kiln; `kiln record -v` shows the "
				   "kernel's log");
		d->cannot_sample = true;
		doctor_add(d, FINDING_fail, "sampling programs", &cure, "they do not load: %s",
			   refused->all[0] ? refused->all : strerror(-err));
		return;
	}
	doctor_add(d, FINDING_ok, "sampling programs", NULL, "they load%s",
		   refused->tables[0] ? ", without the unwinder" : ", with the unwinder");
}
