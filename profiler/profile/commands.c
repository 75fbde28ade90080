// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/base/strtab.h"
#include "profiler/profile/commands.h"

/* A process of a command. */
struct pair {
	uint32_t command, host; /* row; string, or PROFILE_NONE */
	int64_t pid;
};

struct builder {
	const struct profile *p;
	struct commands *out;
	VEC(uint32_t) row_of; /* by string of out->names, plus one; 0: none yet */
	VEC(struct pair) pairs;
	struct htab by_pair;
	uint64_t seed;	     /* pids of a foreign file may be chosen to collide */
	VEC(int64_t) values; /* by label set */
};

static void builder_release(struct builder *b)
{
	vec_release(&b->row_of);
	vec_release(&b->pairs);
	htab_release(&b->by_pair);
	vec_release(&b->values);
}

static int sum_labelsets(struct builder *b, size_t value)
{
	const struct profile *p = b->p;

	if (vec_reserve(&b->values, p->labelsets.len + 1))
		return -ENOMEM;
	memset(b->values.data, 0, (p->labelsets.len + 1) * sizeof(*b->values.data));
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		int64_t *sum = &b->values.data[s->labelset];

		*sum = saturating_sum(*sum, p->values.data[s->first_value + value]);
	}
	return 0;
}

static int get_row(struct builder *b, const char *name, uint32_t *row)
{
	uint32_t id;
	int err = strtab_add(b->out->names, name, &id);

	while (!err && b->row_of.len <= id)
		err = vec_push(&b->row_of, 0);
	if (err)
		return err;
	if (!b->row_of.data[id]) {
		struct command_sum fresh = {.name = strtab_get(b->out->names, id)};

		err = vec_push(&b->out->rows, fresh);
		b->row_of.data[id] = (uint32_t)b->out->rows.len;
	}
	*row = b->row_of.data[id] - 1;
	return err;
}

struct search {
	const struct builder *b;
	struct pair pair;
};

static bool same_pair(const void *ctx, uint32_t id)
{
	const struct search *s = ctx;
	const struct pair *have = &s->b->pairs.data[id];

	return have->command == s->pair.command && have->host == s->pair.host &&
	       have->pid == s->pair.pid;
}

static int count_process(struct builder *b, uint32_t row, uint32_t labelset)
{
	const struct profile_label *pid = profile_find_label(b->p, labelset, LABEL_PID);
	const struct profile_label *host = profile_find_label(b->p, labelset, LABEL_HOST);
	struct search search = {b, {row, host ? host->str : PROFILE_NONE}};
	uint64_t hash;

	if (!pid || pid->str != PROFILE_NONE)
		return 0;
	search.pair.pid = pid->num;
	hash = hash_mix(hash_mix(b->seed ^ row, search.pair.host), (uint64_t)pid->num);
	if (htab_find(&b->by_pair, hash, same_pair, &search) != HTAB_NONE)
		return 0;
	b->out->rows.data[row].n_processes++;
	return vec_push(&b->pairs, search.pair)
		       ?: htab_insert(&b->by_pair, hash, (uint32_t)b->pairs.len - 1);
}

static int add_labelset(struct builder *b, uint32_t labelset)
{
	int64_t value = b->values.data[labelset];
	struct command_sum *sum;
	uint32_t row;
	const char *name = b->out->processes.names[labelset].command;
	int err =
		get_row(b, *name ? name : NO_PROCESS, &row) ?: vec_push(&b->out->of_labelset, row);

	if (err)
		return err;
	sum = &b->out->rows.data[row];
	sum->value = saturating_sum(sum->value, value);
	return value ? count_process(b, row, labelset) : 0;
}

static int compare_rows(const void *x, const void *y)
{
	const struct command_sum *a = x, *b = y;

	return compare_sizes(a->value, b->value) ?: strcmp(a->name, b->name);
}

/* Heaviest first. Of each row its first place is remembered, so that label sets find it again. */
static int sort_rows(struct builder *b)
{
	struct commands *c = b->out;
	VEC(uint32_t) place = {0};
	int err = vec_reserve(&place, c->rows.len + 1);

	for (size_t i = 0; i < c->rows.len; i++)
		c->rows.data[i].place = (uint32_t)i;
	if (!err && c->rows.len)
		qsort(c->rows.data, c->rows.len, sizeof(*c->rows.data), compare_rows);
	for (size_t i = 0; !err && i < c->rows.len; i++)
		place.data[c->rows.data[i].place] = (uint32_t)i;
	for (size_t i = 0; !err && i < c->of_labelset.len; i++)
		c->of_labelset.data[i] = place.data[c->of_labelset.data[i]];
	vec_release(&place);
	return err;
}

int commands_build(struct commands *out, const struct profile *p, size_t value)
{
	_cleanup_(builder_release) struct builder b = {
		.p = p, .out = out, .seed = hash_random_seed()};
	int err;

	*out = (struct commands){.names = strtab_new()};
	if (!out->names)
		return -ENOMEM;
	err = processes_load(&out->processes, p) ?: sum_labelsets(&b, value);
	for (size_t i = 0; !err && i < p->labelsets.len; i++)
		err = add_labelset(&b, (uint32_t)i);
	return err ?: sort_rows(&b);
}

void commands_release(struct commands *c)
{
	processes_release(&c->processes);
	strtab_free(c->names);
	vec_release(&c->rows);
	vec_release(&c->of_labelset);
	*c = (struct commands){0};
}

size_t commands_named(const struct commands *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->rows.len; i++)
		n += strcmp(c->rows.data[i].name, NO_PROCESS) && c->rows.data[i].value;
	return n;
}
