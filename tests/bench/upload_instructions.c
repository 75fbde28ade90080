// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the agent's uploader costs: the windows of a store, and their way to one destination.
 *
 *	upload_instructions STORE DIR URL BATCH_S
 *
 * The windows of STORE are appended to a new store below DIR one after the other, as an agent does, and delivered from
 * there. The clock is simulated, so nobody waits; the network and the server are real. What is measured is measured():
 * reading back, packing, sending, and looking for the next window. Prints lines KEY VALUE.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/net/net.h"
#include "profiler/store/spool.h"
#include "profiler/store/store_internal.h"
#include "profiler/upload/clickhouse.h"
#include "profiler/upload/clickhouse_state.h"
#include "profiler/upload/cursor.h"
#include "profiler/upload/delivery.h"

#define WINDOW_NS   (10 * NS_PER_S)
#define LOOK_MS	    1000 /* as the agent's uploader has it */
#define COUNT_NS    (2 * NS_PER_S)
#define MOST_S	    7200
#define MAX_WINDOWS 300 /* nothing is older than Pyroscope takes */

static struct {
	struct net *net;
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	int64_t unix_offset_ns;
} sim = {.now_ns = NS_PER_S};

static void die(const char *what, int err, const char *why)
{
	fprintf(stderr, "upload_instructions: %s: %s (%s)\n", what, strerror(-err), why);
	exit(1);
}

/* --- the world -------------------------------------------------------------------------------------- */

static int64_t unix_now(void *ctx)
{
	(void)ctx;
	return sim.unix_offset_ns + (int64_t)sim.now_ns;
}

static uint64_t monotonic(void *ctx)
{
	(void)ctx;
	return sim.now_ns;
}

/* The same each time. */
static uint64_t chance(void *ctx)
{
	static uint64_t state;

	(void)ctx;
	return state += 0x9e3779b97f4a7c15;
}

static int turn(void *ctx, int timeout_ms, int fd)
{
	(void)ctx;
	if (net_running(sim.net))
		return net_turn(sim.net, timeout_ms, fd);
	sim.now_ns += (uint64_t)timeout_ms * 1000000;
	return net_turn(sim.net, 0, fd);
}

static struct moment store_clock(void)
{
	return (struct moment){.unix_ns = unix_now(NULL), .boot_ns = (int64_t)sim.now_ns};
}

/* --- windows ---------------------------------------------------------------------------------------- */

struct windows {
	struct spool_window v[MAX_WINDOWS];
	size_t n;
};

static void load(struct windows *all, const char *path)
{
	const struct store_opts opts = {.access = STORE_READ};
	struct spool_place at = {0};
	struct store *s = NULL;
	struct spool *spool = NULL;
	struct why why = {""};
	uint64_t too_old;
	int err = store_open(&s, path, &opts, &why) ?: spool_open(&spool, s);

	while (!err && all->n < MAX_WINDOWS &&
	       (err = spool_next(spool, &at, 0, &all->v[all->n], &too_old)) == 1) {
		at = all->v[all->n++].behind;
		err = 0;
	}
	if (err || !all->n)
		die(path, err ?: -ENODATA, why.text);
	spool_close(spool);
	store_close(s);
}

static void append(struct store *s, const struct spool_window *w)
{
	int err = store_append(s, w->profile, &w->quality, unix_now(NULL) - (int64_t)WINDOW_NS,
			       WINDOW_NS);

	if (err)
		die("append", err, "");
}

/* --- the uploader ----------------------------------------------------------------------------------- */

static struct upload_target *make_target(const char *url)
{
	const struct upload_target_opts o = {.name = "d", .url = url};
	struct upload_target *t = NULL;
	struct why why = {""};
	int err = upload_target_new(&t, &o, &why);

	if (err)
		die(url, err, why.text);
	/* Windows of a simulated clock are none that another process may have sent. */
	if (upload_is_clickhouse(t))
		((struct clickhouse_state *)t->state)->begun_ns = 0;
	return t;
}

/* A destination that has got nothing so far, of a store that is empty. */
static struct delivery *make_delivery(const char *store, const char *url, uint64_t batch_s)
{
	const struct delivery_bounds bounds = {.batch_ns = batch_s * NS_PER_S};
	struct delivery_opts o = {.host = "bench", .store_path = store, .window_ns = WINDOW_NS};
	struct delivery *d = NULL;
	struct why why = {""};
	char *cursors;
	int err;

	if (asprintf(&cursors, "%s/upload", store) < 0)
		die("memory", -ENOMEM, "");
	o.cursor_dir = cursors;
	err = net_new(&sim.net, NULL, &why);
	o.world = delivery_real_world(sim.net);
	o.world.turn = turn;
	o.world.monotonic_ns = o.world.boottime_ns = monotonic;
	o.world.unix_ns = unix_now;
	o.world.chance = chance;
	err = err ?: delivery_new(&d, &o, &why) ?: delivery_add(d, make_target(url), &bounds, &why);
	if (err)
		die(url, err, why.text);
	free(cursors);
	return d;
}

/* All that is counted. Its name is for callgrind --toggle-collect. */
__attribute__((noinline)) void measured(struct delivery *d, struct delivery_stats *stats);
void measured(struct delivery *d, struct delivery_stats *stats)
{
	static uint64_t counted_ns;
	int err = delivery_turn(d, LOOK_MS, -1);

	if (err)
		die("turn", err, "");
	if (sim.now_ns - counted_ns < COUNT_NS)
		return;
	counted_ns = sim.now_ns;
	delivery_stats(d, 0, stats);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run(struct store *s, struct delivery *d, const struct windows *all)
{
	struct delivery_stats stats = {0};
	uint64_t begin_ns = sim.now_ns, turns = 0, wanted = all->n;
	double sum_ms = 0;

	/* The last batch may stay open. */
	for (size_t n = 0; stats.windows < wanted; turns++) {
		double before_ms;

		if (n < all->n && sim.now_ns >= begin_ns + (n + 1) * WINDOW_NS)
			append(s, &all->v[n++]);
		before_ms = cpu_ms();
		measured(d, &stats);
		sum_ms += cpu_ms() - before_ms;
		if (sim.now_ns - begin_ns > MOST_S * NS_PER_S || stats.failures)
			die("not all windows arrived", -ETIME, "");
	}
	printf("windows %" PRIu64 "\nrequests %" PRIu64 "\nbytes %" PRIu64 "\nturns %" PRIu64
	       "\nsimulated_s %llu\ncpu_ms_a_window %.3f\n",
	       stats.windows, stats.requests, stats.bytes, turns,
	       (sim.now_ns - begin_ns) / NS_PER_S, sum_ms / (double)stats.windows);
}

int main(int argc, char **argv)
{
	const struct store_opts opts = {.access = STORE_WRITE};
	static struct windows all;
	struct store *s = NULL;
	struct delivery *d;
	struct why why = {""};
	int err;

	if (argc != 5) {
		fprintf(stderr, "usage: upload_instructions STORE DIR URL BATCH_S\n");
		return 2;
	}
	log_set_level(LOG_WARNINGS);
	load(&all, argv[1]);
	/* The last one is of now. */
	sim.unix_offset_ns = unix_ns() - (int64_t)(all.n * WINDOW_NS);
	err = store_open(&s, argv[2], &opts, &why);
	if (err)
		die(argv[2], err, why.text);
	s->clock = store_clock;
	d = make_delivery(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	run(s, d, &all);
	delivery_free(d);
	net_free(sim.net);
	store_close(s);
	for (size_t i = 0; i < all.n; i++)
		spool_window_release(&all.v[i]);
	return 0;
}
