// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/source.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/procs/sideband.h"
#include "profiler/rootless/rootless.h"
#include "profiler/sampler/drain.h"

/* What one may have of one's own processes without a privilege. */
static const char *beyond_own(const struct sampler_opts *o)
{
	if (!o->filter_tgids)
		return "all processes";
	if (o->comm_glob || o->cpus || (o->cgroups && o->cgroups[0]))
		return "--comm, -C and cgroups";
	if (!o->user)
		return "frames of the kernel";
	if (o->event == EVENT_CYCLES)
		return "cycles";
	return o->unwind == MODE_FP ? "--unwind fp" : NULL;
}

static int open_rootless(struct source *s, const struct sampler_opts *opts, const char **why)
{
	const char *beyond = beyond_own(opts);
	int err;

	if (beyond) {
		log_info("without root kiln records user code of own processes only, not %s",
			 beyond);
		return -EPERM;
	}
	s->period_ns = NS_PER_S / opts->freq_hz;
	err = rootless_open(&s->rootless, opts, why);
	if (!err)
		log_info("without root: user code of own processes, by %s",
			 rootless_way(s->rootless) == ROOTLESS_EVENTS
				 ? "perf events"
				 : "short stops (perf events are refused)");
	return err;
}

/* By privileges, a seccomp filter, or a kernel without BPF; not by the verifier. */
static bool is_not_permitted(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENOSYS;
}

int source_open(struct source *s, const struct sampler_opts *opts, const char **why)
{
	const char *denied;
	int err;

	/* It would only take time to be told so. */
	err = privileges_may_load_bpf() ? -EPERM : open_rootless(s, opts, why);
	if (!is_not_permitted(err))
		return err;
	err = sampler_load(&s->sampler, opts, why);
	if (!err)
		return drain_new(&s->drain, s->sampler);
	if (!is_not_permitted(err) || !privileges_may_load_bpf())
		return err;
	denied = *why;
	if (!open_rootless(s, opts, why))
		return 0;
	*why = denied;
	return err;
}

void source_close(struct source *s)
{
	drain_free(s->drain);
	sampler_free(s->sampler);
	rootless_close(s->rootless);
	*s = (struct source){0};
}

void source_sideband_opts(const struct source *s, struct sideband_opts *opts)
{
	if (!s->rootless)
		return;
	opts->adopts = true;
	opts->seen = rootless_seen;
	opts->seen_ctx = s->rootless;
	opts->ksyms = NULL;
}

void source_connect(struct source *s, struct sideband *sideband)
{
	if (s->rootless)
		rootless_connect(s->rootless, sideband);
}

int source_add_target(struct source *s, pid_t tgid, const char **why)
{
	int err = s->rootless ? rootless_add_target(s->rootless, tgid, why)
			      : sampler_add_target(s->sampler, tgid);

	if (err && !s->rootless)
		*why = strerror(-err);
	return err;
}

int source_start(struct source *s, const char **why)
{
	return s->rootless ? rootless_start(s->rootless, why) : sampler_start(s->sampler, why);
}

void source_stop(struct source *s)
{
	if (s->rootless)
		rootless_stop(s->rootless);
	else
		sampler_stop(s->sampler);
}

/* Only the agent, which has its privileges, changes the frequency. */
void source_pause(struct source *s)
{
	if (s->sampler)
		sampler_pause(s->sampler);
}

int source_resume(struct source *s, uint64_t freq_hz)
{
	return s->sampler ? sampler_resume(s->sampler, freq_hz) : -EOPNOTSUPP;
}

int source_follow_cpus(struct source *s)
{
	return s->sampler ? sampler_follow_cpus(s->sampler) : 0;
}

int source_totals(struct source *s, struct sampler_totals *out)
{
	if (s->sampler)
		return sampler_totals(s->sampler, out);
	rootless_totals(s->rootless, out);
	return 0;
}

bool source_uses_tables(const struct source *s)
{
	return s->rootless || sampler_uses_tables(s->sampler);
}

bool source_reports_mappings(const struct source *s)
{
	return s->sampler && sampler_reports_mappings(s->sampler);
}

uint64_t source_period_ns(const struct source *s)
{
	return s->sampler ? sampler_period_ns(s->sampler) : s->period_ns;
}

const char *source_event_name(const struct source *s)
{
	return s->sampler ? sampler_event_name(s->sampler) : "cpu-clock";
}

size_t source_cpu_count(const struct source *s)
{
	return s->sampler ? sampler_cpu_count(s->sampler) : rootless_cpus(s->rootless);
}

int source_raw_fd(const struct source *s)
{
	return s->drain ? drain_fd(s->drain) : -1;
}

bool source_has_new_file(const struct source *s)
{
	return s->drain && drain_has_new_file(s->drain);
}

int source_take_stacks(struct source *s)
{
	return s->drain ? drain_stacks(s->drain) : 0;
}

struct raw_queue *source_raw(struct source *s)
{
	return s->drain ? drain_raw(s->drain) : rootless_raw(s->rootless);
}

int source_window(struct source *s, struct window **out)
{
	return s->drain ? drain_window(s->drain, out) : rootless_window(s->rootless, out);
}

void source_used(struct source *s, uint64_t used_ns)
{
	if (s->rootless)
		rootless_used(s->rootless, used_ns);
}

const char *source_rootless(const struct source *s)
{
	return s->rootless ? rootless_way_name(rootless_way(s->rootless)) : NULL;
}
