// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fills a store with windows from files (KILN_TEST_KEEP_WINDOWS makes them), as an agent does:
 *
 *	store DIR REPEATS FILE...
 *
 * They are appended REPEATS times, one after the other in time without gaps, and the store is looked after once
 * a minute of that time; at the end the last segment is closed, and looked after. Processes that are not in the
 * first and in the last file get other numbers each time, as on a host where programs come and go. Prints lines
 * KEY VALUE.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/text.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/store/store_internal.h"

#define MAX_PID	    (1 << 22)
#define PID_STEP    10007 /* new processes while the files were recorded, about */
#define MINUTE_NS   60000000000ll
#define NS_OF_CLOCK 1000000000000000ll /* boot_ns: any */

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what, int err, const char *why)
{
	fprintf(stderr, "store: %s: %s (%s)\n", what, strerror(-err), why);
	exit(1);
}

/* --- windows from files --------------------------------------------------------------------------- */

/* A file's quality is in its comments: an agent has it beside the profile. */
static void drop_quality(struct profile *p)
{
	static const char *const kept[] = {"kiln.event", "kiln.freq", "kiln.kernel"};
	size_t n = 0;

	for (size_t i = 0; i < p->comments.len; i++) {
		const char *text = profile_text(p, p->comments.data[i]);
		bool keep = !text_has_prefix(text, "kiln.");

		for (size_t k = 0; k < sizeof(kept) / sizeof(*kept); k++)
			keep |= text_has_prefix(text, kept[k]);
		if (keep)
			p->comments.data[n++] = p->comments.data[i];
	}
	p->comments.len = n;
}

static struct profile *load(const char *path, struct quality *q)
{
	const char *why = "";
	struct profile *p;
	int err = import_file(&p, path, &why);

	if (!err && quality_load(q, p) == -ENOMEM)
		err = -ENOMEM;
	if (err)
		die(path, err, why);
	drop_quality(p);
	return p;
}

static bool is_process(const struct profile *p, const struct profile_label *l)
{
	const char *key = profile_text(p, l->key);

	return l->str == PROFILE_NONE && (!strcmp(key, LABEL_PID) || !strcmp(key, LABEL_TID));
}

/* Counts in which of two files a process is. */
static void note_processes(uint8_t *seen, const char *path)
{
	struct quality q = {0};
	struct profile *p = load(path, &q);
	uint8_t *here = calloc(MAX_PID, 1);

	for (size_t i = 0; i < p->labels.len; i++) {
		const struct profile_label *l = &p->labels.data[i];

		if (is_process(p, l) && l->num >= 0 && l->num < MAX_PID && !here[l->num]++)
			seen[l->num]++;
	}
	free(here);
	profile_free(p);
	quality_release(&q);
}

static void renumber(struct profile *p, const uint8_t *seen, long repeat)
{
	for (size_t i = 0; i < p->labels.len; i++) {
		struct profile_label *l = &p->labels.data[i];

		if (is_process(p, l) && l->num > 0 && l->num < MAX_PID && seen[l->num] < 2)
			l->num = (l->num + repeat * PID_STEP) % MAX_PID;
	}
}

/* --- filling -------------------------------------------------------------------------------------- */

static struct moment simulated;

static struct moment simulated_clock(void)
{
	return simulated;
}

struct filling {
	struct store *s;
	char **files;
	int n_files;
	uint8_t *seen;
	double *cpu_ms;
	size_t n, n_upkeeps;
	double wall_ms_most, upkeep_ms;
	int64_t first_ns, next_ns; /* where windows begin */
};

static void append(struct filling *f, int file, long repeat)
{
	struct quality q = {0};
	struct profile *p = load(f->files[file], &q);
	double wall, cpu;
	int err;

	if (!f->n)
		f->first_ns = f->next_ns = p->time_ns;
	renumber(p, f->seen, repeat);
	wall = now_ms(CLOCK_MONOTONIC);
	cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	err = store_append(f->s, p, &q, f->next_ns, (uint64_t)p->duration_ns);
	if (err)
		die("append", err, "");
	f->cpu_ms[f->n++] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = now_ms(CLOCK_MONOTONIC) - wall;
	f->wall_ms_most = wall > f->wall_ms_most ? wall : f->wall_ms_most;
	f->next_ns += p->duration_ns;
	quality_release(&q);
	profile_free(p);
}

static void look_after(struct filling *f)
{
	double cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	int got;

	simulated.boot_ns += f->next_ns - simulated.unix_ns;
	simulated.unix_ns = f->next_ns;
	while ((got = store_maintain(f->s)) > 0)
		f->n_upkeeps++;
	if (got)
		die("maintain", got, "");
	f->upkeep_ms += now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

static void fill(struct filling *f, long repeats)
{
	for (long r = 0; r < repeats; r++) {
		for (int i = 0; i < f->n_files; i++) {
			append(f, i, r);
			if (!simulated.unix_ns)
				simulated = (struct moment){f->next_ns, NS_OF_CLOCK};
			if (f->next_ns - simulated.unix_ns >= MINUTE_NS)
				look_after(f);
		}
	}
	store_end_segment(f->s);
	look_after(f);
}

static int compare_doubles(const void *va, const void *vb)
{
	const double *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

static void print(struct filling *f)
{
	struct store_stats stats;
	double sum = 0;

	store_stats(f->s, &stats);
	qsort(f->cpu_ms, f->n, sizeof(*f->cpu_ms), compare_doubles);
	for (size_t i = 0; i < f->n; i++)
		sum += f->cpu_ms[i];
	printf("windows %zu\ncpu_ms_mean %.2f\ncpu_ms_median %.2f\ncpu_ms_p99 %.2f\n", f->n,
	       sum / (double)f->n, f->cpu_ms[f->n / 2], f->cpu_ms[f->n * 99 / 100]);
	printf("wall_ms_most %.1f\nupkeeps %zu\nupkeep_cpu_ms %.0f\nsegments %" PRIu64
	       "\nindex_full %" PRIu64 "\n",
	       f->wall_ms_most, f->n_upkeeps, f->upkeep_ms, stats.segments_begun, stats.index_full);
	printf("since_ns %" PRId64 "\nuntil_ns %" PRId64 "\n", f->first_ns, f->next_ns);
}

int main(int argc, char **argv)
{
	const struct store_opts opts = {.access = STORE_WRITE};
	struct filling f = {.files = argv + 3, .n_files = argc - 3};
	struct why why = {""};
	long repeats;
	int err;

	if (argc < 4) {
		fprintf(stderr, "usage: store DIR REPEATS FILE...\n");
		return 2;
	}
	repeats = atol(argv[2]);
	f.seen = calloc(MAX_PID, 1);
	f.cpu_ms = calloc((size_t)f.n_files * (size_t)repeats + 1, sizeof(*f.cpu_ms));
	err = store_open(&f.s, argv[1], &opts, &why);
	if (err)
		die(argv[1], err, why.text);
	f.s->clock = simulated_clock;
	note_processes(f.seen, f.files[0]);
	note_processes(f.seen, f.files[f.n_files - 1]);
	fill(&f, repeats);
	print(&f);
	store_close(f.s);
	free(f.seen);
	free(f.cpu_ms);
	return 0;
}
