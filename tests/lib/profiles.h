/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles to test with: short-hands, a seeded random one, and a printed form to compare by. */
#ifndef KILN_TESTS_PROFILES_H
#define KILN_TESTS_PROFILES_H

#include <stdio.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/profile/profile.h"

#define MUST(call)                                                                                 \
	do {                                                                                       \
		int must_err = (call);                                                             \
		if (must_err) {                                                                    \
			fprintf(stderr, "%s:%d: " #call ": %d\n", __FILE__, __LINE__, must_err);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline uint32_t str_id(struct profile *p, const char *s)
{
	uint32_t id;

	MUST(profile_string(p, s, &id));
	return id;
}

static inline uint32_t mapping_id(struct profile *p, const char *file, const char *build_id,
				  bool has_functions)
{
	struct profile_mapping m = {.start = 0x1000,
				    .limit = 0x100000,
				    .file = str_id(p, file),
				    .build_id = str_id(p, build_id),
				    .has_functions = has_functions};
	uint32_t id;

	MUST(profile_mapping(p, &m, &id));
	return id;
}

static inline uint32_t function_id(struct profile *p, const char *name, const char *file)
{
	struct profile_function f = {str_id(p, name), str_id(p, name), str_id(p, file), 0};
	uint32_t id;

	MUST(profile_function(p, &f, &id));
	return id;
}

/* A location with one line (name may be NULL: none). */
static inline uint32_t location_id(struct profile *p, uint32_t mapping, uint64_t address,
				   const char *name)
{
	struct profile_line line = {.function = name ? function_id(p, name, "") : 0};
	uint32_t id;

	MUST(profile_location(p, mapping, address, &line, !!name, &id));
	return id;
}

/* xorshift64*: the same numbers everywhere. */
static inline uint64_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static inline uint32_t rnd_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((rnd(state) >> 32) % n);
}

static inline uint32_t random_mapping(struct profile *p, uint64_t *r)
{
	static const char *const files[] = {
		"/usr/bin/burn", "/usr/lib/libc.so.6", "/opt/a b/app", MAPPING_KERNEL,
		MAPPING_VDSO,	 MAPPING_JIT,	       MAPPING_KILN,   "[ext4]"};
	struct profile_mapping m = {0};
	uint32_t id;

	m.start = rnd(r) & 0xffff000;
	m.offset = rnd(r) & 0xff000;
	m.file = str_id(p, files[rnd_below(r, 8)]);
	m.has_filenames = rnd(r) & 1;
	m.has_line_numbers = rnd(r) & 1;
	m.has_inline_frames = rnd(r) & 1;
	m.limit = m.start + 0x100000;
	m.build_id = str_id(p, rnd(r) & 1 ? "00ff17" : "");
	MUST(profile_mapping(p, &m, &id));
	return id;
}

static inline uint32_t random_location(struct profile *p, uint64_t *r)
{
	uint32_t n = rnd_below(r, 4), mapping = PROFILE_NONE, id;
	struct profile_line lines[4];
	uint64_t address = rnd(r);

	address >>= rnd_below(r, 64);
	if (rnd_below(r, 10))
		mapping = rnd_below(r, (uint32_t)p->mappings.len);
	for (uint32_t i = 0; i < n; i++) {
		lines[i].function = rnd_below(r, (uint32_t)p->functions.len);
		lines[i].line = (int64_t)rnd_below(r, 1000) - 1;
	}
	/* What export has to change is tested by itself: names for unnamed, kernel addresses. */
	if (!n && !address)
		address = 1;
	if (n && mapping != PROFILE_NONE) {
		const char *file = profile_text(p, p->mappings.data[mapping].file);

		if (!strcmp(file, MAPPING_KERNEL) || !strcmp(file, "[ext4]"))
			address = 0;
	}
	MUST(profile_location(p, mapping, address, lines, n, &id));
	if (!rnd_below(r, 5))
		p->locations.data[id].is_folded = true;
	return id;
}

static inline uint32_t random_labelset(struct profile *p, uint64_t *r)
{
	static const char *const keys[] = {"comm", "pid", "thread_id", "unit", "bytes"};
	static const char *const values[] = {"burn", "", "nginx", "\xc3\xa9t\xc3\xa9"};
	struct profile_label labels[6];
	uint32_t n = rnd_below(r, 6), id;

	for (uint32_t i = 0; i < n; i++) {
		struct profile_label *l = &labels[i];

		*l = (struct profile_label){.key = str_id(p, keys[rnd_below(r, 5)])};
		l->str = rnd(r) & 1 ? str_id(p, values[rnd_below(r, 4)]) : PROFILE_NONE;
		l->num = (int64_t)rnd_below(r, 3) - 1;
		l->num_unit = l->str == PROFILE_NONE && rnd(r) & 1 ? str_id(p, "bytes") : 0;
		/* pprof cannot tell this one from a plain 0: see export/pprof.c */
		if (l->num_unit == l->key)
			l->num_unit = 0;
	}
	MUST(profile_labelset(p, labels, n, &id));
	return id;
}

static inline void random_tables(struct profile *p, uint64_t *r)
{
	uint32_t n_mappings = 1 + rnd_below(r, 6);
	uint32_t n_functions = 1 + rnd_below(r, 30), id;

	for (uint32_t i = 0; i < n_mappings; i++)
		random_mapping(p, r);
	for (uint32_t i = 0; i < n_functions; i++) {
		char name[32];
		struct profile_function f;

		snprintf(name, sizeof(name), "f%" PRIu32 "<a;b>", rnd_below(r, 20));
		f.name = str_id(p, name);
		f.system_name = rnd(r) & 1 ? f.name : str_id(p, "_Zsys");
		f.file = str_id(p, rnd(r) & 1 ? "src/x.c" : "");
		f.start_line = rnd_below(r, 3);
		MUST(profile_function(p, &f, &id));
	}
}

/* CPU profile with up to n_samples distinct samples. */
static inline struct profile *random_profile(uint64_t seed, uint32_t n_samples)
{
	struct profile *p = profile_new();
	uint64_t r = hash_u64(seed + 1) | 1;

	if (!p)
		abort();
	MUST(profile_init_cpu(p, 10101010));
	random_tables(p, &r);
	p->time_ns = 1700000000000000000 + rnd_below(&r, 1000000);
	p->duration_ns = 1 + rnd_below(&r, 1000000);
	MUST(profile_comment(p, rnd(&r) & 1 ? "a comment" : "another"));
	for (uint32_t i = 0; i < n_samples; i++) {
		uint32_t frames[20], depth = rnd_below(&r, 20), stack;
		int64_t values[2];

		for (uint32_t k = 0; k < depth; k++)
			frames[k] = random_location(p, &r);
		MUST(profile_stack(p, frames, depth, &stack));
		values[0] = 1 + rnd_below(&r, 100);
		values[1] = values[0] * p->period;
		MUST(profile_add(p, stack, random_labelset(p, &r), values));
	}
	return p;
}

/* --- a form that does not depend on ids ---------------------------------------------------------- */

static inline void print_location(struct buf *b, const struct profile *p, uint32_t id)
{
	const struct profile_location *l = &p->locations.data[id];

	buf_printf(b, " @%" PRIx64 "%s", l->address, l->is_folded ? "folded" : "");
	if (l->mapping != PROFILE_NONE) {
		const struct profile_mapping *m = &p->mappings.data[l->mapping];

		buf_printf(b, "{%s %s %" PRIx64 "-%" PRIx64 " %" PRIx64 " %d%d%d%d}",
			   profile_text(p, m->file), profile_text(p, m->build_id), m->start,
			   m->limit, m->offset, m->has_functions, m->has_filenames,
			   m->has_line_numbers, m->has_inline_frames);
	}
	for (uint32_t i = 0; i < l->n_lines; i++) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];

		buf_printf(b, "(%s %s %s:%" PRId64 " %" PRId64 ")", profile_text(p, f->name),
			   profile_text(p, f->system_name), profile_text(p, f->file), f->start_line,
			   line->line);
	}
}

static inline void print_sample(struct buf *b, const struct profile *p, size_t i)
{
	const struct profile_sample *s = &p->samples.data[i];
	const struct profile_stack *stack = &p->stacks.data[s->stack];
	const struct profile_labelset *set = &p->labelsets.data[s->labelset];

	for (uint32_t k = 0; k < stack->len; k++)
		print_location(b, p, p->frames.data[stack->first + k]);
	for (uint32_t k = 0; k < set->len; k++) {
		const struct profile_label *l = &p->labels.data[set->first + k];

		buf_printf(b, " %s=", profile_text(p, l->key));
		if (l->str != PROFILE_NONE)
			buf_printf(b, "'%s'", profile_text(p, l->str));
		else
			buf_printf(b, "%" PRId64 "%s", l->num, profile_text(p, l->num_unit));
	}
	for (size_t t = 0; t < p->sample_types.len; t++)
		buf_printf(b, " %" PRId64, p->values.data[s->first_value + t]);
}

static inline int compare_lines_of_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Header, then one sorted line a sample; the caller frees it. */
static inline char *print_profile(const struct profile *p)
{
	char **lines = calloc(p->samples.len + 1, sizeof(*lines));
	struct buf b = {0};

	if (!lines)
		abort();
	for (size_t i = 0; i < p->sample_types.len; i++)
		buf_printf(&b, "%s/%s ", profile_text(p, p->sample_types.data[i].type),
			   profile_text(p, p->sample_types.data[i].unit));
	buf_printf(&b, "[%s] %s/%s %" PRId64 " %" PRId64 " %" PRId64 " %s %s %s\n",
		   profile_text(p, p->default_sample_type), profile_text(p, p->period_type.type),
		   profile_text(p, p->period_type.unit), p->period, p->time_ns, p->duration_ns,
		   profile_text(p, p->drop_frames), profile_text(p, p->keep_frames),
		   profile_text(p, p->doc_url));
	for (size_t i = 0; i < p->comments.len; i++)
		buf_printf(&b, "# %s\n", profile_text(p, p->comments.data[i]));
	for (size_t i = 0; i < p->samples.len; i++) {
		struct buf line = {0};

		print_sample(&line, p, i);
		lines[i] = buf_take(&line);
	}
	qsort(lines, p->samples.len, sizeof(*lines), compare_lines_of_text);
	for (size_t i = 0; i < p->samples.len; i++) {
		buf_printf(&b, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	return buf_take(&b);
}

static inline int64_t total_of_type(const struct profile *p, size_t type)
{
	int64_t total = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		total += p->values.data[p->samples.data[i].first_value + type];
	return total;
}

#endif
