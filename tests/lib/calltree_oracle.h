/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call tree the slow way: every prefix of every stack, as text, in a list. */
#ifndef KILN_TESTS_CALLTREE_ORACLE_H
#define KILN_TESTS_CALLTREE_ORACLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/profile/calltree.h"

struct path_sum {
	char *path;
	int64_t self, total;
	int64_t own; /* inverted: of stacks whose leaf is the function that all are callers of */
	bool seen;
};

struct oracle {
	VEC(struct path_sum) sums;
	int64_t root_self, total;
	size_t n_nodes;
};

static inline struct path_sum *oracle_at(struct oracle *o, const char *path)
{
	for (size_t i = 0; i < o->sums.len; i++)
		if (!strcmp(o->sums.data[i].path, path))
			return &o->sums.data[i];
	assert_int_equal(vec_push(&o->sums, (struct path_sum){.path = strdup(path)}), 0);
	return &vec_last(&o->sums);
}

static inline void oracle_release(struct oracle *o)
{
	for (size_t i = 0; i < o->sums.len; i++)
		free(o->sums.data[i].path);
	vec_release(&o->sums);
}

/* One path element; unit separators keep its parts apart. */
static inline char *element(const char *name, const char *module, int kind, bool inlined)
{
	struct buf b = {0};

	buf_printf(&b, "%s\x1f%s\x1f%d\x1f%d\x1e", name, module, kind, inlined);
	return buf_take(&b);
}

struct strings {
	char *name[64]; /* of the function alone */
	char *text[64];
	size_t n;
};

static inline void strings_add(struct strings *s, const char *name, const char *module, int kind,
			       bool inlined)
{
	assert_true(s->n < 64);
	s->name[s->n] = strdup(name);
	s->text[s->n++] = element(name, module, kind, inlined);
}

static inline void expand_location(struct strings *s, const struct profile *p, uint32_t id)
{
	const struct profile_location *l = &p->locations.data[id];
	const char *module = profile_module(p, l->mapping);
	int kind = (int)profile_frame_kind(p, id);
	char bare[64];

	for (uint32_t i = l->n_lines; i-- > 0;) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];
		uint32_t name = p->functions.data[line->function].name;

		strings_add(s, profile_text(p, name), module, kind, i + 1 < l->n_lines);
	}
	if (l->n_lines)
		return;
	profile_unresolved(p, id, bare, sizeof(bare));
	strings_add(s, bare, module, kind, false);
}

static inline void expand_sample(struct strings *s, const struct profile *p, size_t sample,
				 const struct calltree_opts *o)
{
	uint32_t set = p->samples.data[sample].labelset;
	const struct profile_stack *stack = &p->stacks.data[p->samples.data[sample].stack];
	const struct profile_label *comm = profile_find_label(p, set, LABEL_COMM);
	char root[64];

	if (!comm && o->roots == ROOTS_GROUP)
		strings_add(s, "[no process]", "", FRAME_ROOT_KIND, false);
	if (comm && o->roots != ROOTS_NONE) {
		snprintf(root, sizeof(root), "%s", profile_text(p, comm->str));
		if (o->roots == ROOTS_GROUP)
			snprintf(root, sizeof(root), "%s-%d/%d", profile_text(p, comm->str),
				 (int)profile_find_label(p, set, LABEL_PID)->num,
				 (int)profile_find_label(p, set, LABEL_TID)->num);
		strings_add(s, root, "", FRAME_ROOT_KIND, false);
	}
	for (uint32_t i = stack->len; i-- > 0;)
		expand_location(s, p, p->frames.data[stack->first + i]);
}

static inline void oracle_add(struct oracle *oracle, const struct strings *s, size_t from, size_t n,
			      int step, bool own, int64_t value)
{
	struct buf path = {0};

	for (size_t i = 0; i < n; i++) {
		buf_str(&path, s->text[step > 0 ? from + i : from - i]);
		oracle_at(oracle, buf_cstr(&path));
		if (!i && step < 0 && own)
			oracle_at(oracle, buf_cstr(&path))->own += value;
	}
	if (n)
		oracle_at(oracle, buf_cstr(&path))->self += value;
	else
		oracle->root_self += value;
	buf_release(&path);
}

/* Leaves sums below zero out, and adds the others to all that they are below. */
static inline void oracle_finish(struct oracle *o)
{
	o->total = o->root_self > 0 ? o->root_self : 0;
	for (size_t i = 0; i < o->sums.len; i++) {
		struct path_sum *s = &o->sums.data[i];

		if (s->self < 0)
			s->self = 0;
		o->total += s->self;
		for (size_t k = 0; k < o->sums.len; k++)
			if (!strncmp(s->path, o->sums.data[k].path, strlen(o->sums.data[k].path)))
				o->sums.data[k].total += s->self;
	}
	for (size_t i = 0; i < o->sums.len; i++)
		o->n_nodes += o->sums.data[i].total > 0;
}

static inline void oracle_of(struct oracle *oracle, const struct profile *p,
			     const struct calltree_opts *o)
{
	for (size_t i = 0; i < p->samples.len; i++) {
		int64_t value = p->values.data[p->samples.data[i].first_value + o->value];
		struct strings s = {0};
		size_t hit = 0;

		expand_sample(&s, p, i, o);
		while (o->through && hit < s.n &&
		       (strcmp(s.name[hit], o->through) || strstr(s.text[hit], "\x1f\x1f")))
			hit++;
		if (!value || (o->through && hit == s.n))
			;
		else if (!o->inverted)
			oracle_add(oracle, &s, hit, s.n - hit, 1, false, value);
		else if (o->through)
			oracle_add(oracle, &s, hit, hit + 1, -1,
				   !strcmp(s.name[s.n - 1], o->through), value);
		else
			oracle_add(oracle, &s, s.n - 1, s.n, -1, true, value);
		for (size_t k = 0; k < s.n; k++) {
			free(s.name[k]);
			free(s.text[k]);
		}
	}
}

static inline void check_against_oracle(const struct calltree *t, const struct profile *p,
					const struct calltree_opts *o)
{
	char **paths = calloc(t->n_nodes, sizeof(*paths));
	struct oracle oracle = {0};

	oracle_of(&oracle, p, o);
	oracle_finish(&oracle);
	assert_int_equal(t->total, oracle.total);
	assert_int_equal(t->n_nodes, oracle.n_nodes + 1);
	paths[0] = strdup("");
	for (size_t i = 1; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];
		char *last = element(calltree_text(t, n->name), calltree_text(t, n->module),
				     n->kind, n->inlined);
		struct buf b = {0};
		struct path_sum *sum;

		buf_printf(&b, "%s%s", paths[n->parent], last);
		paths[i] = buf_take(&b);
		free(last);
		sum = oracle_at(&oracle, paths[i]);
		assert_false(sum->seen);
		sum->seen = true;
		assert_int_equal(n->total, sum->total);
		if (o->inverted)
			assert_int_equal(n->self, sum->own < 0		  ? 0
						  : sum->own > sum->total ? sum->total
									  : sum->own);
		else
			assert_int_equal(n->self, sum->self);
	}
	for (size_t i = 0; i < t->n_nodes; i++)
		free(paths[i]);
	free(paths);
	oracle_release(&oracle);
}

#endif
