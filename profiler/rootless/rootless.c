// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/rootless.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/cpus.h"
#include "profiler/base/log.h"
#include "profiler/procs/events.h"
#include "profiler/rootless/comms.h"
#include "profiler/rootless/sample_record.h"
#include "profiler/rootless/thread_facts.h"
#include "profiler/rootless/way.h"
#include "profiler/sampler/drained_window.h"

struct rootless {
	struct sampler_opts opts;
	enum rootless_way kind;
	const struct way *way;
	void *state; /* of the way */
	struct sideband *sideband;
	struct window *filling;
	struct raw_queue raw;
	struct comms comms;
	size_t cpus;
	uint64_t period_ns, owed_ns; /* owed: less than a period, of samples so far */
	uint64_t next_word;
	bool sampling;
	uint64_t recorded, lost, no_stack; /* lost: records that found no room */
	uint64_t told_ns;		   /* rootless_used() */
	bool has_privileged;		   /* a thread went on without its events */
};

static const struct way *const ways[] = {
	[ROOTLESS_EVENTS] = &way_events,
	[ROOTLESS_STOPS] = &way_stops,
};

const char *rootless_way_name(enum rootless_way way)
{
	return ways[way]->name;
}

/* --- opening ------------------------------------------------------------------------------------ */

static bool is_refused(int err)
{
	return err == -EACCES || err == -EPERM || err == -ENOSYS;
}

/* Takes the first way that works. For tests KILN_TEST_REFUSE=events leaves the first one out. */
static int choose_way(struct rootless *r, const char **why)
{
	const char *refuse = getenv("KILN_TEST_REFUSE");
	int err = -EPERM;

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (refuse && !strcmp(refuse, ways[i]->name))
			continue;
		r->kind = (enum rootless_way)i;
		r->way = ways[i];
		err = r->way->open(&r->state, &r->opts, why);
		if (!is_refused(err))
			break;
		log_debug("sampling by %s is refused: %s", ways[i]->name, strerror(-err));
	}
	return err;
}

DEFINE_CLEANUP(rootless, rootless_close)

int rootless_open(struct rootless **out, const struct sampler_opts *opts, const char **why)
{
	_cleanup_(rootless_freep) struct rootless *r = calloc(1, sizeof(*r));
	_cleanup_(cpu_list_release) struct cpu_list online = {0};
	int err;

	*why = "out of memory";
	if (!r)
		return -ENOMEM;
	r->opts = *opts;
	r->period_ns = NS_PER_S / opts->freq_hz;
	r->next_word = KILN_STACK_WORDS;
	r->filling = window_new();
	if (!r->filling)
		return -ENOMEM;
	r->cpus = cpu_list_online(&online) ? 1 : online.cpus.len;
	err = choose_way(r, why);
	if (err)
		return err;
	*out = steal_ptr(r);
	return 0;
}

void rootless_close(struct rootless *r)
{
	if (!r)
		return;
	if (r->state)
		r->way->close(r->state);
	window_free(r->filling);
	raw_queue_release(&r->raw);
	comms_release(&r->comms);
	free(r);
}

void rootless_connect(struct rootless *r, struct sideband *s)
{
	r->sideband = s;
}

int rootless_add_target(struct rootless *r, pid_t tgid, const char **why)
{
	int err = r->way->add_target(r->state, r->sideband, tgid, why);

	if (!err)
		comms_read(&r->comms, tgid);
	return err;
}

int rootless_start(struct rootless *r, const char **why)
{
	int err = r->way->start(r->state, why);

	r->sampling = !err;
	return err;
}

void rootless_stop(struct rootless *r)
{
	if (r->state)
		r->way->stop(r->state);
}

/* --- samples ------------------------------------------------------------------------------------ */

static uint64_t stack_base(const struct rootless *r, const struct sample_record *s)
{
	uint64_t sp = s->regs[UNWIND_RSP];

	return r->way->red_zone ? KILN_RAW_BASE(sp) : sp;
}

/* Queues the stack for the raw walk. Returns the word of the stack. */
static uint64_t queue_stack(struct rootless *r, const struct event *e,
			    const struct sample_record *s)
{
	int err = 0;
	struct raw_sample *raw = raw_queue_add(&r->raw, s->stack_len, &err);

	if (!raw)
		return KILN_STACK_MISSED;
	raw->into = r->filling;
	raw->word = r->next_word++;
	raw->time_ns = e->t_ns;
	raw->tgid = (uint32_t)e->tgid;
	raw->owner = getuid(); /* only his own are sampled */
	raw->why = UNWIND_ON;
	raw->is_compat = s->is_compat;
	raw->base = stack_base(r, s);
	memcpy(raw->regs, s->regs, sizeof(raw->regs));
	if (s->stack_len)
		memcpy(raw->stack, s->stack, s->stack_len);
	return raw->word;
}

/* Periods that a sample stands for; what is left over counts for the next one. */
static uint64_t periods_of(struct rootless *r, uint64_t ns)
{
	uint64_t n;

	r->owed_ns += ns;
	n = r->owed_ns / r->period_ns;
	r->owed_ns %= r->period_ns;
	return n;
}

static void count(struct rootless *r, const struct event *e, const struct sample_record *s)
{
	struct window_row row = {
		.key = {.tgid = (uint32_t)e->tgid,
			.tid = (uint32_t)e->tid,
			.user_stack = KILN_STACK_MISSED,
			.in_user = 1},
		.value = {.count = periods_of(r, s->period_ns), .first_ns = e->t_ns},
	};

	if (!row.value.count)
		return;
	if (s->has_regs)
		row.key.user_stack = queue_stack(r, e, s);
	r->no_stack += row.key.user_stack == KILN_STACK_MISSED ? row.value.count : 0;
	comms_copy(&r->comms, e->tid, row.key.comm);
	if (vec_push(&r->filling->rows, row)) {
		r->lost += row.value.count;
		return;
	}
	r->filling->samples += row.value.count;
	r->recorded += row.value.count;
}

static void take_sample(struct rootless *r, const struct event *e)
{
	struct sample_record s;

	if (!r->sampling)
		return;
	if (sample_record_parse(&s, e->body))
		r->lost++;
	else
		count(r, e, &s);
}

/* The kernel takes events from a program that gains privileges by exec: to them that is its end. */
static void look_for_privileges(struct rootless *r, const struct event *e)
{
	struct thread_facts facts;

	if (r->kind == ROOTLESS_EVENTS && !r->has_privileged &&
	    !thread_facts_read(NULL, e->tgid, e->tid, &facts))
		r->has_privileged = !facts.is_dead;
}

static void follow_comms(struct rootless *r, const struct event *e)
{
	char parents[KILN_COMM_LEN];

	switch (e->kind) {
	case EVENT_FORK:
		comms_copy(&r->comms, e->parent_tid, parents);
		comms_set(&r->comms, e->tid, parents);
		break;
	case EVENT_COMM:
	case EVENT_EXEC:
		comms_set(&r->comms, e->tid, e->name);
		break;
	case EVENT_EXIT:
		comms_drop(&r->comms, e->tid);
		look_for_privileges(r, e);
		break;
	default:
		break;
	}
}

void rootless_seen(void *ctx, const struct event *e)
{
	struct rootless *r = ctx;

	if (e->kind == EVENT_SAMPLE)
		take_sample(r, e);
	else if (e->kind == EVENT_LOST)
		r->lost += r->sampling ? e->lost : 0;
	else
		follow_comms(r, e);
}

struct raw_queue *rootless_raw(struct rootless *r)
{
	return &r->raw;
}

int rootless_window(struct rootless *r, struct window **out)
{
	struct window *fresh = window_new();

	if (!fresh)
		return -ENOMEM;
	r->filling->end_ns = fresh->begin_ns;
	*out = r->filling;
	r->filling = fresh;
	return 0;
}

/* --- sums --------------------------------------------------------------------------------------- */

void rootless_used(struct rootless *r, uint64_t used_ns)
{
	r->told_ns = used_ns;
}

/* Less may be the beginning and the end of processes, which events do not count either. */
#define PRIVILEGED_LEAST 10 /* periods */

static uint64_t privileged(const struct rootless *r, uint64_t used_ns)
{
	uint64_t n = r->told_ns > used_ns ? (r->told_ns - used_ns) / r->period_ns : 0;

	if (r->kind != ROOTLESS_EVENTS || n < PRIVILEGED_LEAST || !r->has_privileged)
		return 0;
	return n;
}

/*
 * Every period of CPU time that the targets used. By perf events, what has no sample was spent in the kernel.
 */
void rootless_totals(struct rootless *r, struct sampler_totals *out)
{
	struct way_totals t;
	uint64_t used, known;

	r->way->totals(r->state, &t);
	used = t.used_ns / r->period_ns;
	*out = (struct sampler_totals){
		.unseen = t.lost_ns / r->period_ns,
		.privileged = privileged(r, t.used_ns),
		.ring_full = r->lost,
		.stops = t.stops,
	};
	out->counters[KILN_CTR_recorded] = r->recorded;
	out->counters[KILN_CTR_user_missing] = r->no_stack;
	known = r->recorded + out->unseen + out->ring_full;
	out->expected = used > known ? used : known;
	if (r->kind == ROOTLESS_EVENTS)
		out->counters[KILN_CTR_filtered] = out->expected - known;
	else
		out->expected = known;
	out->expected += out->privileged;
}

enum rootless_way rootless_way(const struct rootless *r)
{
	return r->kind;
}

size_t rootless_cpus(const struct rootless *r)
{
	return r->cpus;
}
