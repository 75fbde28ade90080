// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/sampler/programs.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/kernel.h"
#include "profiler/base/log.h"
#include "profiler/sampler/glob.h"
#include "profiler/sampler/kernel_calls.h"
#include "profiler/sampler/map_sizes.h"
#include "profiler/sampler/sampler_opts.h"
#include "bpf/abi.h"
#include "profiler/sampler/verifier_log.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* State of loading, over several attempts. */
struct loading {
	const struct sampler_opts *opts;
	uint32_t n_cpus, pidns;
	struct programs now; /* features of this attempt */
	struct sampler_refused refused;
	bool by_verifier; /* the verifier refused the last attempt */
};

static int set_config(struct loading *l, const char **why)
{
	struct profile_bpf *k = l->now.skel;
	struct glob g;
	size_t n = 0;

	k->rodata->want_user = l->opts->user;
	k->rodata->want_kernel = l->opts->kernel;
	k->rodata->unwind_tables = l->now.tables;
	bpf_program__set_autoload(l->now.reports ? k->progs.kiln_sample : k->progs.kiln_sample_rep,
				  false);
	bpf_program__set_autoload(k->progs.kiln_perf_map, l->now.reports);
	k->rodata->filter_tgids = l->opts->filter_tgids;
	k->rodata->pidns = l->pidns;
	if (l->opts->unattended_after_ns)
		k->rodata->unattended_after_ns = l->opts->unattended_after_ns;
	if (!l->opts->filter_tgids) {
		bpf_program__set_autoload(k->progs.kiln_fork, false);
		bpf_program__set_autoload(k->progs.kiln_free, false);
	}
	if (l->opts->comm_glob) {
		int err = glob_compile(&g, l->opts->comm_glob);

		if (err) {
			*why = "the --comm pattern is not a glob: close its bracket, or escape it";
			return err;
		}
		memcpy((void *)k->rodata->comm_step, g.step, sizeof(g.step));
		k->rodata->comm_star = g.star;
		k->rodata->comm_start = g.start;
		k->rodata->comm_final = g.final;
		k->rodata->filter_comm = true;
	}
	while (l->opts->cgroups && l->opts->cgroups[n])
		n++;
	if (n > KILN_MAX_CGROUPS) {
		*why = "at most 64 cgroups can be sampled at once";
		return -E2BIG;
	}
	k->rodata->n_cgroups = (uint32_t)n;
	return map_sizes_set(k, &(struct map_sizes){
					.per_s = l->opts->freq_hz * (uint64_t)l->n_cpus,
					.window_ns = l->opts->window_ns,
					.cpus = l->n_cpus,
					.tables = l->now.tables,
					.reports = l->now.reports,
					.targets = l->opts->filter_tgids,
					.foreign_targets = l->opts->filter_tgids && l->pidns,
				});
}

static const char *load_advice(int err)
{
	switch (err) {
	case -EPERM:
		return "not permitted to load BPF programs: run as root (sudo kiln ...), or give "
		       "kiln "
		       "CAP_BPF and CAP_PERFMON; `kiln doctor` says more";
	case -ESRCH:
	case -ENOENT:
		return "this kernel has no BTF (/sys/kernel/btf/vmlinux): kiln needs "
		       "CONFIG_DEBUG_INFO_BTF, Linux 5.10 or newer";
	case -ENOMEM:
		return "not enough memory for the BPF maps: raise RLIMIT_MEMLOCK or the memory "
		       "cgroup "
		       "limit";
	default:
		return "the kernel refused the BPF programs: `kiln doctor` says what is missing, "
		       "`kiln record -v` shows the kernel's log";
	}
}

static int quiet_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (log_level() < LOG_VERBOSE || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, fmt, ap);
}

static bool may_use_tables(struct loading *l)
{
#if defined(__x86_64__)
	struct kernel_version v;

	/* A kernel of unknown version is treated as one that locks up. */
	if (!kernel_version_get(&v) && !kernel_walk_can_lock_up(&v))
		return true;
	if (l->opts->unwind == MODE_AUTO)
		snprintf(l->refused.tables, sizeof(l->refused.tables),
			 "this kernel can lock up when a profiler reads user stacks (fixed in "
			 "6.1.36, 6.3.10, 6.4)");
#endif
	return l->opts->unwind == MODE_DWARF;
}

static bool may_report_mappings(void)
{
	struct kernel_version v;

	return !getenv("KILN_TEST_MAPPING_EVENTS") && !kernel_version_get(&v) &&
	       kernel_can_report_mappings(&v);
}

/* Keeps the verifier's reason if it got as far as checking a program, else the meaning of the
 * error. */
static void explain(struct loading *l, const char *log, int err)
{
	bool got_there = log && err != -EPERM && err != -ENOMEM;
	char *text = l->refused.all;
	size_t len, size = sizeof(l->refused.all);
	const char *reason = got_there ? verifier_log_reason(log, &len) : NULL;

	l->by_verifier = reason;
	if (reason) {
		snprintf(text, size, "the kernel's verifier says: %.*s", (int)len, reason);
		log_debug("the verifier's log:\n%s", log);
	} else {
		snprintf(text, size, "%s", strerror(-err));
	}
	if (l->now.tables)
		memcpy(l->refused.tables, text, size);
	if (l->now.reports)
		memcpy(l->refused.mappings, text, size);
}

/* On failure, the reason goes to `refused` for everything that was attempted. */
static int load_skeleton(struct loading *l, const char **why)
{
	_cleanup_free_ char *log = calloc(1, VERIFIER_LOG_BYTES);
	/*
	 * Some types of the programs are of newer kernels. libbpf looks for those that the kernel lacks in
	 * its modules, too, which takes CAP_SYS_ADMIN; but not if it is told where the kernel's types are.
	 */
	LIBBPF_OPTS(bpf_object_open_opts, open_opts, .kernel_log_buf = log,
		    .kernel_log_size = log ? VERIFIER_LOG_BYTES : 0, .btf_custom_path = KERNEL_BTF);
	int err;

	profile_bpf__destroy(l->now.skel);
	l->now.skel = profile_bpf__open_opts(&open_opts);
	if (!l->now.skel) {
		err = -errno;
		*why = load_advice(err);
		return err;
	}
	err = set_config(l, why);
	if (err)
		return err;
	err = profile_bpf__load(l->now.skel);
	if (!err)
		return 0;
	explain(l, log, err);
	/* The verifier's EACCES is about memory that a program reads, not about permissions. */
	if (l->by_verifier && err == -EACCES)
		err = -EINVAL;
	*why = load_advice(err);
	return err;
}

/*
 * Leaves out what this kernel may refuse: first each feature alone, then both. So an attempt
 * without one feature gives the reason for the other.
 */
static int load_what_works(struct loading *l, const char **why)
{
	static const struct {
		bool tables, reports;
	} tries[] = {{true, true}, {true, false}, {false, true}, {false, false}};
	bool may_skip_tables = l->now.tables && l->opts->unwind == MODE_AUTO;
	bool tables = l->now.tables, reports = l->now.reports;
	int err = 0;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		if ((!tries[i].tables && !may_skip_tables) || (!tries[i].reports && !reports))
			continue;
		l->now.tables = tables && tries[i].tables;
		l->now.reports = reports && tries[i].reports;
		err = load_skeleton(l, why);
		if (!err || err == -EPERM)
			break;
	}
	if (err)
		return err;
	l->refused.all[0] = '\0';
	if (l->now.tables)
		l->refused.tables[0] = '\0';
	if (l->now.reports)
		l->refused.mappings[0] = '\0';
	return 0;
}

/* Gives the reasons to the caller, or logs them. The caller logs the meaning of errors. */
static void report_refused(const struct loading *l)
{
	const struct sampler_refused *refused = &l->refused;

	if (l->opts->refused) {
		*l->opts->refused = *refused;
		return;
	}
	if (refused->all[0]) {
		if (l->by_verifier)
			log_error("the BPF programs do not load: %s", refused->all);
		return;
	}
	if (refused->mappings[0])
		log_info("mappings are followed by events, because samples cannot report them: %s",
			 refused->mappings);
	if (refused->tables[0])
		log_info("user stacks are walked by frame pointers, not by unwind tables: %s",
			 refused->tables);
}

int programs_load(struct programs *out, const struct sampler_opts *opts, uint32_t n_cpus,
		  const char **why)
{
	/*
	 * Before 5.11 maps count against RLIMIT_MEMLOCK. Later, failing to raise it does no harm.
	 */
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct loading l = {.opts = opts, .n_cpus = n_cpus, .pidns = kernel_pid_namespace()};
	int err;

	libbpf_set_print(quiet_print);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	l.now.tables = opts->user && opts->unwind != MODE_FP && may_use_tables(&l);
	l.now.reports = opts->user && may_report_mappings();
	err = kernel_calls_register();
	if (err) {
		*why = load_advice(err);
		return err;
	}
	err = load_what_works(&l, why);
	report_refused(&l);
	if (err) {
		profile_bpf__destroy(l.now.skel);
		return err;
	}
	*out = l.now;
	malloc_trim(0); /* libbpf needed 11 MB for a moment */
	return 0;
}
