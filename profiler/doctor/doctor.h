/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What works on this machine, found out by doing it: each check tries the very thing kiln will do,
 * so that an answer holds whatever mixture of kernel, capabilities, sysctls, security modules and
 * container is in the way.
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
	const char *check; /* static, stable: JSON users look it up */
	char *detail;	   /* owned, clean */
	char *cure;	   /* what to do, or NULL; owned, clean */
};

struct doctor {
	VEC(struct finding) findings;
	struct caps caps;
	struct kernel_version kernel;
	char program[4096]; /* path of this program, for setcap */
	bool cannot_sample; /* something failed without which there is no profile at all */
	struct sampler_refused refused; /* what the programs of a recording had to do without */
	int err;			/* -ENOMEM */
};

/* Runs all checks. 0 or -errno; what does not work is a finding, not an error. */
int doctor_run(struct doctor *d);
void doctor_release(struct doctor *d);
size_t doctor_count(const struct doctor *d, enum finding_status status);

/* For the checks. cure may be NULL, or is taken over from a buf. */
void doctor_add(struct doctor *d, enum finding_status status, const char *check, struct buf *cure,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The cure that gives these capabilities, in a buf for doctor_add(). */
struct buf doctor_caps_cure(const struct doctor *d, uint64_t wanted);
/* A cure of these words. */
struct buf doctor_cure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The checks, in the order they are shown. */
void check_kernel(struct doctor *d);
void check_lockdown(struct doctor *d);
void check_bpf_maps(struct doctor *d);
void check_bpf_programs(struct doctor *d);
void check_sampler(struct doctor *d);
void check_bpf_jit(struct doctor *d);
void check_perf_clock(struct doctor *d);
void check_perf_cycles(struct doctor *d);
void check_perf_sideband(struct doctor *d);
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

#endif
