/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a way of sampling without root has to do (rootless.h). Internal to the room. */
#ifndef KILN_ROOTLESS_WAY_H
#define KILN_ROOTLESS_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/sampler/sampler.h"

struct sideband;

struct way_totals {
	uint64_t used_ns; /* CPU time of the targets since the start */
	uint64_t lost_ns; /* of these, without a sample, though it should have one */
	struct sampler_stops stops;
};

struct way {
	const char *name;
	bool red_zone; /* copies of stacks begin at KILN_RAW_BASE(sp), not at sp */
	/* 0 or -errno; -EACCES, -EPERM and -ENOSYS: this way is refused here. */
	int (*open)(void **out, const struct sampler_opts *opts, const char **why);
	void (*close)(void *way);
	/* Adds a process, and gives its rings to the sideband (sideband_adopt()). 0 or -errno. */
	int (*add_target)(void *way, struct sideband *s, pid_t tgid, const char **why);
	int (*start)(void *way, const char **why);
	void (*stop)(void *way);
	void (*totals)(void *way, struct way_totals *out);
};

extern const struct way way_events, way_stops;

#endif
