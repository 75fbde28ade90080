// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/processes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/thread_names.h"

/* Best last. */
enum source { BY_WORKER, BY_THREAD, BY_EXECUTABLE, BY_MAIN_THREAD };

/* A label set as a candidate for its process's name. */
struct candidate {
	uint32_t labelset, host, executable; /* the latter strings, or PROFILE_NONE */
	int64_t pid;
	enum source source;
	const char *name, *own;
	double weight;
};

static bool number_label(const struct profile *p, uint32_t labelset, const char *key, int64_t *n)
{
	const struct profile_label *l = profile_find_label(p, labelset, key);

	if (!l || l->str != PROFILE_NONE)
		return false;
	*n = l->num;
	return true;
}

static uint32_t text_of(const struct profile_label *l)
{
	return l ? l->str : PROFILE_NONE;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* False if it is of no process. */
static bool candidate_of(struct candidate *c, const struct profile *p, uint32_t labelset)
{
	const char *exe = base_name(profile_text_label(p, labelset, LABEL_EXECUTABLE));
	int64_t tid;

	*c = (struct candidate){
		.labelset = labelset,
		.host = text_of(profile_find_label(p, labelset, LABEL_HOST)),
		.executable = text_of(profile_find_label(p, labelset, LABEL_EXECUTABLE)),
		.own = profile_text_label(p, labelset, LABEL_COMM),
	};
	c->name = c->own;
	if (!number_label(p, labelset, LABEL_PID, &c->pid))
		return false;
	if (number_label(p, labelset, LABEL_TID, &tid) && tid == c->pid && *c->own) {
		c->source = BY_MAIN_THREAD;
	} else if (*exe) {
		c->source = BY_EXECUTABLE;
		c->name = exe;
	} else {
		c->source = thread_is_numbered(c->own) ? BY_WORKER : BY_THREAD;
	}
	return true;
}

static int compare_pids(const struct candidate *a, const struct candidate *b)
{
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->host < b->host ? -1 : a->host > b->host;
}

/* By pid, there by executable, those without one last, and there by name, best source first. */
static int compare_sources(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;
	int order = compare_pids(a, b);

	if (!order && a->executable != b->executable)
		return a->executable < b->executable ? -1 : 1;
	return order ?: (int)b->source - (int)a->source ?: strcmp(a->name, b->name);
}

struct choice {
	const char *name;
	double weight;
};

/* The name of n candidates of one program, sorted, and the weight of all. */
static struct choice choose(const struct candidate *c, size_t n)
{
	struct choice of = {.name = c->name};
	double most = -1, sum = 0;

	for (size_t i = 0; i < n; i++) {
		of.weight += c[i].weight;
		if (c[i].source != c->source)
			continue;
		sum = i && !strcmp(c[i].name, c[i - 1].name) ? sum + c[i].weight : c[i].weight;
		if (sum <= most)
			continue;
		most = sum;
		of.name = c[i].name;
	}
	return of;
}

static void name_program(struct processes *s, const struct candidate *c, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		s->names[c[i].labelset] = (struct process_names){
			name, c[i].source == BY_MAIN_THREAD ? c[i].own : name};
}

static int compare_with_own(const void *name, const void *candidate)
{
	return strcmp(name, ((const struct candidate *)candidate)->own);
}

/* Without executables, each name of a main thread is a program, and threads of that name are its own. */
static void name_programs(struct processes *s, const struct candidate *c, size_t n,
			  const char *heaviest)
{
	size_t n_main = 0;

	while (n_main < n && c[n_main].source == BY_MAIN_THREAD)
		n_main++;
	for (size_t i = 0; i < n; i++) {
		const char *own = c[i].own;
		bool is_of_own =
			i < n_main || bsearch(own, c, n_main, sizeof(*c), compare_with_own);

		name_program(s, &c[i], 1, is_of_own ? own : heaviest);
	}
}

/* n candidates of one pid, sorted. */
static void name_pid(struct processes *s, const struct candidate *c, size_t n)
{
	struct choice heaviest = {.weight = -1}, of;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && c[end].executable == c[i].executable; end++)
			;
		of = choose(c + i, end - i);
		if (c[i].executable == PROFILE_NONE)
			name_programs(s, c + i, end - i, heaviest.name ?: of.name);
		else
			name_program(s, c + i, end - i, of.name);
		if (of.weight > heaviest.weight)
			heaviest = of;
	}
}

static void name_processes(struct processes *s, const struct candidate *c, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && !compare_pids(&c[i], &c[end]); end++)
			;
		name_pid(s, c + i, end - i);
	}
}

static int weigh(double **out, const struct profile *p)
{
	double *weights = calloc(p->labelsets.len + 1, sizeof(*weights));
	size_t value = profile_default_type(p);

	*out = weights;
	if (!weights)
		return -ENOMEM;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		double v = (double)p->values.data[s->first_value + value];

		weights[s->labelset] += v < 0 ? -v : v;
	}
	return 0;
}

int processes_load(struct processes *out, const struct profile *p)
{
	_cleanup_free_ struct candidate *c = malloc((p->labelsets.len + 1) * sizeof(*c));
	_cleanup_free_ double *weights = NULL;
	struct processes s = {calloc(p->labelsets.len + 1, sizeof(*s.names))};
	size_t n = 0;

	if (!c || !s.names || weigh(&weights, p)) {
		processes_release(&s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->labelsets.len; i++) {
		bool of_process = candidate_of(&c[n], p, (uint32_t)i);

		s.names[i] = (struct process_names){c[n].own, c[n].own};
		c[n].weight = weights[i];
		n += of_process;
	}
	qsort(c, n, sizeof(*c), compare_sources);
	name_processes(&s, c, n);
	*out = s;
	return 0;
}

bool processes_have_commands(const struct processes *s, const struct profile *p)
{
	const char *first = NULL;

	for (size_t i = 0; i < p->samples.len; i++) {
		const char *command = s->names[p->samples.data[i].labelset].command;

		if (profile_stack_is_lost(p, p->samples.data[i].stack))
			continue;
		if (first && first != command && strcmp(first, command) != 0)
			return true;
		first = command;
	}
	return false;
}

/* --- whose module it is -------------------------------------------------------------------------- */

#define SOLE_SHARE 0.9

static bool has_frame_of(const struct profile *p, uint32_t stack, const bool *is_module)
{
	const struct profile_stack *s = &p->stacks.data[stack];

	for (uint32_t i = 0; i < s->len; i++) {
		uint32_t mapping = p->locations.data[p->frames.data[s->first + i]].mapping;

		if (mapping < p->mappings.len && is_module[mapping])
			return true;
	}
	return false;
}

/* Who has more than half is left over when different ones cancel each other out. */
static const char *vote(const struct processes *s, const struct profile *p, const double *weights)
{
	const char *best = NULL;
	double left = 0;

	for (size_t i = 0; i < p->labelsets.len; i++) {
		const char *command = s->names[i].command;

		if (best && !strcmp(best, command))
			left += weights[i];
		else
			left -= weights[i];
		if (left < 0) {
			best = command;
			left = -left;
		}
	}
	return best;
}

static const char *sole_command(const struct processes *s, const struct profile *p,
				const double *weights)
{
	const char *best = vote(s, p, weights);
	double all = 0, its = 0;

	for (size_t i = 0; i < p->labelsets.len && best; i++) {
		all += weights[i];
		its += strcmp(best, s->names[i].command) ? 0 : weights[i];
	}
	return best && *best && all > 0 && its >= SOLE_SHARE * all ? best : NULL;
}

static const char *command_of_module(const struct processes *s, const struct profile *p,
				     const char *module)
{
	_cleanup_free_ bool *is_module = calloc(p->mappings.len + 1, sizeof(*is_module));
	_cleanup_free_ double *weights = calloc(p->labelsets.len + 1, sizeof(*weights));
	size_t value = profile_default_type(p);

	if (!is_module || !weights || !p->sample_types.len)
		return NULL;
	for (uint32_t m = 0; m < p->mappings.len; m++)
		is_module[m] = !strcmp(profile_module(p, m), module);
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *sample = &p->samples.data[i];
		double v = (double)p->values.data[sample->first_value + value];

		if (has_frame_of(p, sample->stack, is_module))
			weights[sample->labelset] += v < 0 ? -v : v;
	}
	return sole_command(s, p, weights);
}

void processes_add_alias(struct buf *out, const struct processes *s, const struct profile *p,
			 const char *module)
{
	const char *command;

	if (!s->names || *module == '[' || profile_module_is_library(module))
		return;
	command = command_of_module(s, p, module);
	if (!command || text_has_prefix(module, command) || !strcmp(command, "MainThread"))
		return;
	buf_str(out, " (");
	text_add_clean(out, command, strlen(command));
	buf_char(out, ')');
}

void processes_release(struct processes *s)
{
	free(s->names);
	s->names = NULL;
}
