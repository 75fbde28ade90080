// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/governor.h"

#include <string.h>

/* A frequency that runs in step with other timers sees the same moment again and again: it is prime. */
static bool is_prime(uint64_t n)
{
	for (uint64_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

static uint64_t lower(uint64_t hz)
{
	uint64_t next = hz * 2 / 3;

	while (next > 1 && !is_prime(next))
		next--;
	return next ?: 1;
}

static uint64_t higher(uint64_t hz, uint64_t wanted_hz)
{
	uint64_t next = hz + hz / 2 + 1;

	while (next < wanted_hz && !is_prime(next))
		next++;
	return next < wanted_hz ? next : wanted_hz;
}

static uint64_t limit_of(uint64_t share_ppm, size_t n_cpus)
{
	uint64_t limit = share_ppm * n_cpus / 2;

	return limit ?: 1;
}

void governor_init(struct governor *g, uint64_t share_ppm, size_t n_cpus, uint64_t wanted_hz,
		   uint64_t now_ns, uint64_t used_ns)
{
	*g = (struct governor){
		.every_ns = GOVERNOR_LOOK_NS,
		.limit_ppm = limit_of(share_ppm, n_cpus),
		.wanted_hz = wanted_hz,
		.hz = wanted_hz,
		.look_ns = now_ns,
		.used_ns = used_ns,
		.wait = GOVERNOR_START,
		.trial_after = GOVERNOR_TRIAL,
		.stay_after = GOVERNOR_TRIAL,
	};
}

static void forget(struct governor *g, size_t wait)
{
	g->n = 0;
	g->wait = g->wait > wait ? g->wait : wait;
}

void governor_set(struct governor *g, uint64_t share_ppm, size_t n_cpus, uint64_t wanted_hz)
{
	if (wanted_hz != g->wanted_hz)
		g->hz = wanted_hz;
	g->wanted_hz = wanted_hz;
	g->limit_ppm = limit_of(share_ppm, n_cpus);
	g->is_over = false;
	g->stay = g->from_hz = 0;
	forget(g, GOVERNOR_SETTLE);
}

uint64_t governor_cost_ppm(const struct governor *g)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < g->n; i++)
		sum += g->cost_ppm[i];
	return g->n ? sum / g->n : 0;
}

static void note(struct governor *g, uint64_t cost_ppm)
{
	if (g->wait) {
		g->wait--;
		return;
	}
	if (g->n == GOVERNOR_LOOKS)
		memmove(g->cost_ppm, g->cost_ppm + 1, --g->n * sizeof(*g->cost_ppm));
	g->cost_ppm[g->n++] = cost_ppm;
}

static void end_trial(struct governor *g, bool failed)
{
	size_t longer = 2 * g->trial_after;

	if (g->on_trial && failed)
		g->trial_after = longer < GOVERNOR_TRIAL_MOST ? longer : GOVERNOR_TRIAL_MOST;
	else if (g->on_trial)
		g->trial_after = GOVERNOR_TRIAL;
	g->on_trial = false;
	g->calm = 0;
}

static uint64_t maybe_higher(struct governor *g, uint64_t cost)
{
	uint64_t next = higher(g->hz, g->wanted_hz), calm = g->limit_ppm * GOVERNOR_CALM / 100;

	g->calm = cost < calm ? g->calm + 1 : 0;
	/* As if all of the cost grew with the frequency. */
	if (cost * next / g->hz < calm)
		return next;
	if (g->calm < g->trial_after || next == g->hz)
		return g->hz;
	g->on_trial = true;
	g->calm = 0;
	return next;
}

static bool was_in_vain(const struct governor *g, uint64_t cost)
{
	uint64_t hoped, saved = cost < g->from_ppm ? g->from_ppm - cost : 0;

	if (g->from_hz <= g->hz)
		return false;
	hoped = g->from_ppm * (g->from_hz - g->hz) / g->from_hz;
	return saved * 100 < hoped * GOVERNOR_IN_VAIN;
}

static uint64_t take_back(struct governor *g)
{
	uint64_t hz = g->from_hz;
	size_t longer = 2 * g->stay_after;

	g->is_over = true;
	g->from_hz = 0;
	g->stay = g->stay_after;
	g->stay_after = longer < GOVERNOR_TRIAL_MOST ? longer : GOVERNOR_TRIAL_MOST;
	return hz;
}

static uint64_t maybe_lower(struct governor *g, uint64_t cost)
{
	end_trial(g, true);
	if (was_in_vain(g, cost))
		return take_back(g);
	g->is_over = g->hz == 1 || g->stay;
	if (g->is_over)
		return g->hz;
	g->from_hz = g->hz;
	g->from_ppm = cost;
	return lower(g->hz);
}

/* The frequency that the cost of the last minute asks for. */
static uint64_t judge(struct governor *g)
{
	uint64_t cost = governor_cost_ppm(g);

	g->judged_ppm = cost;
	g->stay -= g->stay > 0;
	if (cost > g->limit_ppm)
		return maybe_lower(g, cost);
	if (g->on_trial)
		end_trial(g, false);
	if (g->is_over && g->hz == g->wanted_hz)
		g->stay_after = GOVERNOR_TRIAL;
	g->is_over = false;
	g->from_hz = 0;
	return maybe_higher(g, cost);
}

bool governor_look(struct governor *g, uint64_t now_ns, uint64_t used_ns)
{
	uint64_t passed_ns = now_ns - g->look_ns, hz = g->hz;
	uint64_t used = used_ns > g->used_ns ? used_ns - g->used_ns : 0;

	if (passed_ns < g->every_ns)
		return false;
	if (g->hz < g->wanted_hz)
		g->throttled_ns += passed_ns;
	note(g, (uint64_t)((unsigned __int128)used * 1000000 / passed_ns));
	g->look_ns = now_ns;
	g->used_ns = used_ns;
	if (g->n == GOVERNOR_LOOKS)
		hz = judge(g);
	if (hz == g->hz)
		return false;
	g->hz = hz;
	forget(g, GOVERNOR_SETTLE);
	return true;
}
