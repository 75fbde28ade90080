// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/outliers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/fleet/deviation.h"

void outliers_release(struct outliers *o)
{
	for (size_t i = 0; i < o->v.len; i++)
		vec_release(&o->v.data[i].functions);
	vec_release(&o->v);
}

struct finding {
	const struct outliers_input *in;
	struct outlier_host *hosts; /* as in->hosts->v */
	size_t n;
	double *shares, *scratch;
	size_t *cells;	 /* indices, by function */
	size_t *host_of; /* of each cell: of the host, or SIZE_MAX */
};

static void finding_release(struct finding *f)
{
	for (size_t i = 0; f->hosts && i < f->n; i++)
		vec_release(&f->hosts[i].functions);
	free(f->hosts);
	free(f->shares);
	free(f->scratch);
	free(f->cells);
	free(f->host_of);
}

static int finding_init(struct finding *f, const struct outliers_input *in)
{
	size_t n = in->hosts->v.len, n_cells = in->cells->v.len;

	*f = (struct finding){.in = in, .n = n};
	f->hosts = calloc(n, sizeof(*f->hosts));
	f->shares = calloc(n, sizeof(*f->shares));
	f->scratch = calloc(n, sizeof(*f->scratch));
	f->cells = calloc(n_cells + 1, sizeof(*f->cells));
	f->host_of = calloc(n_cells + 1, sizeof(*f->host_of));
	if (!f->hosts || !f->shares || !f->scratch || !f->cells || !f->host_of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		f->hosts[i] = (struct outlier_host){.host = in->hosts->v.data[i].name,
						    .cpu_ns = in->hosts->v.data[i].v.self_ns};
	for (size_t i = 0; i < n_cells; i++) {
		f->cells[i] = i;
		f->host_of[i] = costs_find(in->hosts,
					   costs_text(in->cells, in->cells->v.data[i].of), "", "");
	}
	return 0;
}

/* --- functions ------------------------------------------------------------------------------------ */

static int compare_cells(const void *x, const void *y, void *ctx)
{
	const struct costs *cells = ctx;
	const struct cost *a = &cells->v.data[*(const size_t *)x],
			  *b = &cells->v.data[*(const size_t *)y];

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	return (a->module > b->module) - (a->module < b->module);
}

static double value_of(const struct finding *f, const struct cost *c)
{
	return (double)(f->in->by == COSTS_BY_SELF ? c->v.self_ns : c->v.total_ns);
}

static int judge(struct finding *f, size_t host, const struct cost *cell, double median,
		 double spread)
{
	struct outlier_host *h = &f->hosts[host];
	const struct outlier o = {f->shares[host], median, spread, h->cpu_ns, f->in->period_ns};
	const struct outlier_function found = {
		cell->name, cell->module,	    o.share,
		median,	    outlier_deviations(&o), (o.share - median) * (double)h->cpu_ns};

	if (!outlier_differs(&o))
		return 0;
	h->extra_ns += fabs(found.extra_ns);
	return vec_push(&h->functions, found);
}

/* One function on all hosts: cells [first, end). Where it is not among the cells, its share is too small. */
static int compare_hosts(struct finding *f, size_t first, size_t end)
{
	const struct cost *cell = &f->in->cells->v.data[f->cells[first]];
	double median, spread;
	int err = 0;

	memset(f->shares, 0, f->n * sizeof(*f->shares));
	for (size_t i = first; i < end; i++) {
		size_t host = f->host_of[f->cells[i]];

		if (host != SIZE_MAX && f->hosts[host].cpu_ns > 0)
			f->shares[host] = value_of(f, &f->in->cells->v.data[f->cells[i]]) /
					  (double)f->hosts[host].cpu_ns;
	}
	memcpy(f->scratch, f->shares, f->n * sizeof(*f->shares));
	median = deviation_median(f->scratch, f->n);
	spread = deviation_spread(f->scratch, f->n, median);
	for (size_t i = 0; i < f->n && !err; i++)
		err = judge(f, i, cell, median, spread);
	return err;
}

static int compare_all(struct finding *f)
{
	size_t n = f->in->cells->v.len;
	int err = 0;

	qsort_r(f->cells, n, sizeof(*f->cells), compare_cells, (void *)f->in->cells);
	for (size_t first = 0, end; first < n && !err; first = end) {
		end = first + 1;
		while (end < n &&
		       !compare_cells(&f->cells[first], &f->cells[end], (void *)f->in->cells))
			end++;
		err = compare_hosts(f, first, end);
	}
	return err;
}

/* --- CPU time ------------------------------------------------------------------------------------- */

static void find_cores(struct finding *f)
{
	const struct costs *d = f->in->durations;

	for (size_t i = 0; i < f->n; i++) {
		const char *name = costs_text(f->in->hosts, f->hosts[i].host);
		size_t at = costs_find(d, name, "", "");

		if (at != SIZE_MAX && d->v.data[at].v.self_ns > 0)
			f->hosts[i].cores =
				(double)f->hosts[i].cpu_ns / (double)d->v.data[at].v.self_ns;
	}
}

static void compare_cores(struct finding *f)
{
	double median, spread;

	find_cores(f);
	for (size_t i = 0; i < f->n; i++)
		f->scratch[i] = f->hosts[i].cores;
	median = deviation_median(f->scratch, f->n);
	spread = deviation_spread(f->scratch, f->n, median);
	for (size_t i = 0; i < f->n; i++) {
		struct outlier_host *h = &f->hosts[i];
		double samples = fmax(1, (double)h->cpu_ns / (double)f->in->period_ns);
		double sd = sqrt(spread * spread + h->cores * h->cores / samples);

		h->usual_cores = median;
		if (!h->cores || fabs(h->cores - median) < OUTLIER_LEAST_DEVIATIONS * sd)
			continue;
		h->is_busy = h->cores > OUTLIER_LEAST_RATIO * median;
		h->is_idle = h->cores * OUTLIER_LEAST_RATIO < median;
	}
}

/* --- the result ----------------------------------------------------------------------------------- */

static int by_amount(const void *x, const void *y)
{
	double a = fabs(((const struct outlier_function *)x)->extra_ns),
	       b = fabs(((const struct outlier_function *)y)->extra_ns);

	return (a < b) - (a > b);
}

static int by_extra(const void *x, const void *y)
{
	double a = ((const struct outlier_host *)x)->extra_ns,
	       b = ((const struct outlier_host *)y)->extra_ns;

	return (a < b) - (a > b);
}

static int take(struct outliers *out, struct finding *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct outlier_host *h = &f->hosts[i];

		if (!h->functions.len && !h->is_busy && !h->is_idle)
			continue;
		if (h->functions.len)
			qsort(h->functions.data, h->functions.len, sizeof(*h->functions.data),
			      by_amount);
		if (vec_push(&out->v, *h))
			return -ENOMEM;
		h->functions.data = NULL;
		vec_release(&h->functions);
	}
	if (out->v.len)
		qsort(out->v.data, out->v.len, sizeof(*out->v.data), by_extra);
	return 0;
}

int outliers_find(struct outliers *out, const struct outliers_input *in)
{
	struct finding f;
	int err;

	out->n_hosts = in->hosts->v.len;
	if (out->n_hosts < OUTLIER_LEAST_HOSTS || in->period_ns <= 0)
		return -ERANGE;
	err = finding_init(&f, in);
	err = err ?: compare_all(&f);
	if (!err)
		compare_cores(&f);
	err = err ?: take(out, &f);
	finding_release(&f);
	return err;
}
