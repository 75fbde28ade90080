/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds out what works on this machine by trying it. Each check does the very thing that kiln will
 * do. So its answer is right whatever kernel, capabilities, sysctls, security modules and
 * containers are in the way.
 */
#ifndef KILN_DOCTOR_DOCTOR_H
#define KILN_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/doctor/caps.h"
#include "profiler/base/kernel.h"
#include "profiler/sampler/sampler.h"

#define FINDING_STATUSES(X) X(ok) X(warn) X(fail) X(info)
enum finding_status {
#define X(name) FINDING_##name,
	FINDING_STATUSES(X)
#undef X
};
const char *finding_status_name(enum finding_status s);

struct finding {
	enum finding_status status;
	const char *check; /* static and stable, a key in JSON output */
	char *detail;	   /* owned, clean */
	char *cure;	   /* what to do, then commands, a line each; or NULL; owned, clean */
};

struct doctor {
	VEC(struct finding) findings;
	struct caps caps;
	struct kernel_version kernel;
	char program[4096];		/* path of this program, for setcap */
	bool cannot_sample;		/* something fails that every profile needs */
	bool can_sample_own;		/* then: own processes, without root */
	struct sampler_refused refused; /* what the programs of a recording had to leave out */
	int err;			/* -ENOMEM */
};

/* Runs all checks. 0 or -errno. What does not work is a finding, not an error. */
int doctor_run(struct doctor *d);
void doctor_release(struct doctor *d);
size_t doctor_count(const struct doctor *d, enum finding_status status);

/* Adds a finding; for the checks. cure may be NULL. Takes over *cure. */
void doctor_add(struct doctor *d, enum finding_status status, const char *check, struct buf *cure,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The cure that gives these capabilities, for doctor_add(). */
struct buf doctor_caps_cure(const struct doctor *d, uint64_t wanted);
/* A cure with this text, for doctor_add(). */
struct buf doctor_cure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The checks, in the order of output. */
void check_kernel(struct doctor *d);
void check_lockdown(struct doctor *d);
void check_bpf_maps(struct doctor *d);
void check_bpf_programs(struct doctor *d);
void check_sampler(struct doctor *d);
void check_bpf_jit(struct doctor *d);
void check_perf_clock(struct doctor *d);
void check_perf_cycles(struct doctor *d);
void check_perf_sideband(struct doctor *d);
void check_own_processes(struct doctor *d);
void check_kernel_symbols(struct doctor *d);
void check_other_processes(struct doctor *d);
void check_other_files(struct doctor *d);
void check_deleted_files(struct doctor *d);
void check_stacks(struct doctor *d);
void check_namespaces(struct doctor *d);
void check_sandbox(struct doctor *d);
void check_cgroups(struct doctor *d);
void check_tracefs(struct doctor *d);
void check_memlock(struct doctor *d);
void check_debuginfo(struct doctor *d);
void check_directory(struct doctor *d);
void check_agent(struct doctor *d);

#endif
