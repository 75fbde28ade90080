/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to sample, and how. */
#ifndef KILN_SAMPLER_SAMPLER_OPTS_H
#define KILN_SAMPLER_SAMPLER_OPTS_H

#include <stdbool.h>
#include <stdint.h>

/* The event that triggers samples, and its name. */
#define SAMPLE_EVENTS(X)                                                                           \
	X(AUTO, "auto") /* cycles where there is a PMU, else cpu-clock */                          \
	X(CPU_CLOCK, "cpu-clock")                                                                  \
	X(CYCLES, "cycles")

enum sample_event {
#define X(event, name) EVENT_##event,
	SAMPLE_EVENTS(X)
#undef X
};

/* How user stacks are walked, and the name of the mode. */
#define UNWIND_MODES(X)                                                                            \
	X(AUTO, "auto")	  /* by unwind tables if this machine can, else by frame pointers */       \
	X(FP, "fp")	  /* by frame pointers */                                                  \
	X(DWARF, "dwarf") /* by unwind tables; without them sampling fails */

enum unwind_mode {
#define X(mode, name) MODE_##mode,
	UNWIND_MODES(X)
#undef X
};

/* What this kernel refused to load, as text for the user. "" for everything that was loaded or
 * not asked for. */
struct sampler_refused {
	char tables[256];   /* unwind tables; user stacks are walked by frame pointers instead */
	char mappings[256]; /* samples that report mappings; mapping events are used instead */
	char all[256];	    /* programs that sampling cannot do without; sampler_load() failed */
};

struct sampler_opts {
	uint64_t freq_hz;
	uint64_t window_ns; /* time between drains; it sets the sizes of maps */
	enum sample_event event;
	enum unwind_mode unwind;
	bool user, kernel; /* frames to take */
	/* Sample only targets: what sampler_add_target() adds, and descendants. */
	bool filter_tgids;
	const char *comm_glob; /* or NULL */
	const char *cpus;      /* list of CPUs, or NULL for all */
	char *const *cgroups; /* absolute paths of cgroup v2 directories; NULL-terminated or NULL */
	uint64_t
		unattended_after_ns; /* nothing is sampled when no drain has come for so long; 0: 60 s */
	struct sampler_refused *refused; /* filled by sampler_load(); NULL: it logs them */
};

#endif
