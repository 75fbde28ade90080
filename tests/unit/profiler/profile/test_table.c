// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables against a plain reading of their definition, over random profiles. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "profiler/profile/table.h"

#define TEST(name)  static void name(void **state __attribute__((unused)))
#define N_FUNCTIONS 6
#define N_LOCATIONS 24
#define MAX_STACK   12
#define MAX_ROWS    400

static const char *const files[] = {"/usr/bin/app", "/lib/libc.so.6", "/lib/libm.so.6",
				    MAPPING_KERNEL, "[ext4]",	      MAPPING_JIT,
				    MAPPING_KILN};
static const char *const modules[] = {"app",	"libc.so.6", "libm.so.6", "[kernel]",
				      "[ext4]", "[jit]",     "[kiln]"};
#define N_FILES (sizeof(files) / sizeof(*files))

/* --- making profiles --------------------------------------------------------------------------- */

static uint32_t text_id(struct profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(profile_string(p, s, &id), 0);
	return id;
}

static uint32_t add_mapping(struct profile *p, const char *file)
{
	struct profile_mapping m = {.file = text_id(p, file)};
	uint32_t id;

	assert_int_equal(profile_mapping(p, &m, &id), 0);
	return id;
}

static uint32_t add_function(struct profile *p, const char *name)
{
	struct profile_function f = {.name = text_id(p, name), .file = text_id(p, "/src/x.c")};
	uint32_t id;

	assert_int_equal(profile_function(p, &f, &id), 0);
	return id;
}

static struct profile *random_profile(unsigned *seed)
{
	struct profile *p = profile_new();
	uint32_t mapping[N_FILES], function[N_FUNCTIONS], location[N_LOCATIONS];

	assert_int_equal(profile_init_cpu(p, 10000000), 0);
	for (size_t i = 0; i < N_FILES; i++)
		mapping[i] = add_mapping(p, files[i]);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		function[i] = add_function(p, (const char[]){'f', (char)('0' + i), 0});
	for (size_t i = 0; i < N_LOCATIONS; i++) {
		uint32_t m = rand_r(seed) % 8 ? mapping[rand_r(seed) % N_FILES] : PROFILE_NONE;
		struct profile_line lines[3];
		size_t n = (size_t)rand_r(seed) % 4;

		for (size_t j = 0; j < n; j++)
			lines[j] = (struct profile_line){function[rand_r(seed) % N_FUNCTIONS],
							 rand_r(seed) % 2 + 1};
		assert_int_equal(profile_location(p, m, i + 1, lines, n, &location[i]), 0);
	}
	for (int i = rand_r(seed) % 20; i-- > 0;) {
		uint32_t frames[MAX_STACK], stack, labelset;
		size_t n = (size_t)rand_r(seed) % MAX_STACK;
		struct profile_label label = {
			.key = text_id(p, LABEL_PID), .str = PROFILE_NONE, .num = rand_r(seed) % 3};
		int64_t values[2] = {rand_r(seed) % 5 + 1, rand_r(seed) % 1000 + 1};

		for (size_t j = 0; j < n; j++)
			frames[j] = location[rand_r(seed) % N_LOCATIONS];
		assert_int_equal(profile_stack(p, frames, n, &stack), 0);
		assert_int_equal(profile_labelset(p, &label, 1, &labelset), 0);
		assert_int_equal(profile_add(p, stack, labelset, values), 0);
	}
	return p;
}

/* --- the definition, word by word ---------------------------------------------------------------- */

struct frame {
	char name[64], function[16];
	const char *module;
	bool named;
};

struct oracle_row {
	char name[64];
	const char *module;
	int64_t self, total;
};

struct oracle {
	struct oracle_row rows[MAX_ROWS];
	size_t n;
};

static const char *module_of(const struct profile *p, uint32_t mapping)
{
	for (size_t i = 0; i < N_FILES && mapping != PROFILE_NONE; i++) {
		if (!strcmp(profile_text(p, p->mappings.data[mapping].file), files[i]))
			return modules[i];
	}
	return "[unknown]";
}

/* All frames of a sample, leaf first. */
static size_t spell(const struct profile *p, const struct profile_sample *s, enum table_by by,
		    struct frame *out)
{
	const struct profile_stack *stack = &p->stacks.data[s->stack];
	size_t n = 0;

	for (uint32_t i = 0; i < stack->len; i++) {
		const struct profile_location *l =
			&p->locations.data[p->frames.data[stack->first + i]];
		const char *module = module_of(p, l->mapping);
		bool bracketed = module[0] == '[';

		for (uint32_t j = 0; j < l->n_lines; j++) {
			const struct profile_line *line = &p->lines.data[l->first_line + j];
			const char *name = profile_text(p, p->functions.data[line->function].name);
			struct frame f = {.module = module, .named = strcmp(module, "[kiln]") != 0};

			strcpy(f.function, name);
			if (by == TABLE_LINE)
				snprintf(f.name, sizeof(f.name), "%s (x.c:%d)", name,
					 (int)line->line);
			else
				strcpy(f.name, by == TABLE_MODULE ? module : name);
			out[n++] = f;
		}
		if (!l->n_lines) {
			struct frame f = {.module = module};

			snprintf(f.function, sizeof(f.function), bracketed ? "%s" : "[%s]", module);
			if (by == TABLE_LINE)
				snprintf(f.name, sizeof(f.name), "%s+0x%x", f.function,
					 (unsigned)l->address);
			else
				strcpy(f.name, by == TABLE_MODULE ? module : f.function);
			out[n++] = f;
		}
	}
	for (size_t i = 0; by == TABLE_MODULE && i < n; i++)
		out[i].module = "";
	return n;
}

static struct oracle_row *find(struct oracle *o, const char *name, const char *module)
{
	for (size_t i = 0; i < o->n; i++) {
		if (!strcmp(o->rows[i].name, name) && !strcmp(o->rows[i].module, module))
			return &o->rows[i];
	}
	assert_true(o->n < MAX_ROWS);
	strcpy(o->rows[o->n].name, name);
	o->rows[o->n].module = module;
	return &o->rows[o->n++];
}

static bool same(const struct frame *a, const struct frame *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->module, b->module);
}

static bool among(const struct frame *f, const struct frame *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (same(f, &list[i]))
			return true;
	}
	return false;
}

static void oracle_all(struct oracle *o, const struct frame *f, size_t n, int64_t value)
{
	if (n)
		find(o, f[0].name, f[0].module)->self += value;
	for (size_t i = 0; i < n; i++) {
		if (!among(&f[i], f, i))
			find(o, f[i].name, f[i].module)->total += value;
	}
}

static void oracle_related(struct oracle *o, const struct frame *f, size_t n, bool callers,
			   const char *of, int64_t value)
{
	static const struct frame no_caller = {TABLE_NO_CALLER, "", "[kiln]", true},
				  itself = {TABLE_ITSELF, "", "[kiln]", true};
	struct frame seen[3 * MAX_STACK];
	size_t n_seen = 0;

	for (size_t i = 0; i < n; i++) {
		const struct frame *row;

		if (strcmp(f[i].function, of))
			continue;
		if (callers)
			row = i + 1 < n ? &f[i + 1] : &no_caller;
		else
			row = i ? &f[i - 1] : &itself;
		if (callers ? i == 0 : i < 2)
			find(o, row->name, row->module)->self += value;
		if (!among(row, seen, n_seen))
			find(o, row->name, row->module)->total += value;
		seen[n_seen++] = *row;
	}
}

static void assert_tables_equal(const struct table *t, struct oracle *o)
{
	assert_int_equal(t->rows.len, o->n);
	for (size_t i = 0; i < t->rows.len; i++) {
		const struct table_row *row = &t->rows.data[i];
		struct oracle_row *want =
			find(o, table_text(t, row->name), table_text(t, row->module));

		assert_int_equal(t->rows.len, o->n);
		assert_int_equal(row->self, want->self);
		assert_int_equal(row->total, want->total);
	}
}

static void assert_sorted(const struct table *t, enum table_sort sort)
{
	for (size_t i = 1; i < t->rows.len; i++) {
		const struct table_row *a = &t->rows.data[i - 1], *b = a + 1;

		if (sort == TABLE_SORT_SELF)
			assert_true(llabs(a->self) >= llabs(b->self));
		else
			assert_true(llabs(a->total) >= llabs(b->total));
	}
}

static void compare_one(const struct profile *p, const struct table_opts *opts)
{
	struct oracle *o = calloc(1, sizeof(*o));
	struct table *t;
	int64_t total = 0;

	assert_int_equal(table_build(&t, p, opts), 0);
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		int64_t value = p->values.data[s->first_value + opts->value];
		struct frame f[3 * MAX_STACK];
		size_t n = spell(p, s, opts->by, f);

		total += value;
		if (opts->relation == TABLE_ALL)
			oracle_all(o, f, n, value);
		else
			oracle_related(o, f, n, opts->relation == TABLE_CALLERS, opts->of, value);
	}
	assert_int_equal(t->total, total);
	assert_tables_equal(t, o);
	assert_sorted(t, opts->sort);
	table_free(t);
	free(o);
}

TEST(test_tables_against_definition)
{
	for (unsigned round = 0; round < 300; round++) {
		unsigned seed = round;
		struct profile *p = random_profile(&seed);

		static const enum table_by bys[] = {TABLE_FUNCTION, TABLE_LINE, TABLE_MODULE};

		for (int k = 0; k < 3; k++) {
			enum table_by by = bys[k];
			struct table_opts opts = {
				.value = round % 2, .by = by, .sort = round / 2 % 2, .of = "f1"};

			compare_one(p, &opts);
			if (by == TABLE_MODULE)
				continue;
			opts.relation = TABLE_CALLERS;
			compare_one(p, &opts);
			opts.relation = TABLE_CALLEES;
			compare_one(p, &opts);
		}
		profile_free(p);
	}
}

/* --- best-known caller ---------------------------------------------------------------------------- */

static const char *domain(const struct frame *f)
{
	return !strcmp(f->module, "[ext4]") ? "[kernel]" : f->module;
}

/* Of the two libraries of C. */
static bool is_plumbing(const struct frame *f)
{
	return text_has_prefix(f->module, "lib");
}

/* The caller of frame i, or NULL. */
static const struct frame *blamed(const struct frame *f, size_t n, size_t i)
{
	bool foreign = strstr(f[i].module, ".so") || !strcmp(domain(&f[i]), "[kernel]");
	const struct frame *outermost = NULL;

	for (size_t j = i + 1; foreign && j < n; j++) {
		if (f[j].named && !is_plumbing(&f[j]) && strcmp(domain(&f[j]), domain(&f[i])))
			return &f[j];
	}
	for (size_t j = i + 1; j < n; j++) {
		if (f[j].named && !is_plumbing(&f[j]) && !same(&f[j], &f[i]))
			return &f[j];
	}
	for (size_t j = i + 1; j < n; j++) {
		if (f[j].named && is_plumbing(&f[j]))
			outermost = &f[j];
	}
	return outermost && !same(outermost, &f[i]) ? outermost : NULL;
}

/* What a function spent under each caller, over all samples. */
static void sum_callers(struct oracle *o, const struct profile *p, const struct frame *of)
{
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		struct frame f[3 * MAX_STACK];
		size_t n = spell(p, s, TABLE_FUNCTION, f), at = 0;
		const struct frame *caller;

		while (at < n && !same(&f[at], of))
			at++;
		caller = at < n ? blamed(f, n, at) : NULL;
		if (caller)
			find(o, caller->name, caller->module)->total +=
				p->values.data[s->first_value];
	}
}

TEST(test_callers_against_definition)
{
	size_t checked = 0;

	for (unsigned round = 0; round < 300; round++) {
		unsigned seed = round + 1000;
		struct profile *p = random_profile(&seed);
		struct table_opts opts = {.value = 0};
		struct table *t;

		assert_int_equal(table_build(&t, p, &opts), 0);
		for (size_t i = 0; i < t->rows.len; i++) {
			const struct table_row *row = &t->rows.data[i];
			struct oracle *o = calloc(1, sizeof(*o));
			struct frame of = {.module = table_text(t, row->module)};
			const char *best = "";
			int64_t most = 0, called = 0;

			strcpy(of.name, table_text(t, row->name));
			sum_callers(o, p, &of);
			for (size_t j = 0; j < o->n; j++) {
				called += o->rows[j].total;
				if (o->rows[j].total < most ||
				    (o->rows[j].total == most && strcmp(o->rows[j].name, best) > 0))
					continue;
				most = o->rows[j].total;
				best = o->rows[j].name;
			}
			if (4 * most < row->total || most < row->total - called)
				best = "";
			assert_string_equal(table_text(t, row->caller), best);
			checked += *best != '\0';
			free(o);
		}
		table_free(t);
		profile_free(p);
	}
	assert_true(checked > 1000);
}

static const char *caller_of(const struct profile *p, const char *name)
{
	static char caller[64];
	struct table_opts opts = {.value = 0};
	struct table *t;

	assert_int_equal(table_build(&t, p, &opts), 0);
	strcpy(caller, "not in the table");
	for (size_t i = 0; i < t->rows.len; i++)
		if (!strcmp(table_text(t, t->rows.data[i].name), name))
			strcpy(caller, table_text(t, t->rows.data[i].caller));
	table_free(t);
	return caller;
}

/* A stack of "name@file" words, outermost first. */
static void add_words(struct profile *p, const char *words)
{
	char copy[512];
	uint32_t frames[MAX_STACK], none, stack;
	size_t n = MAX_STACK;

	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
		char *file = strchr(w, '@');
		struct profile_line line;

		*file++ = '\0';
		line = (struct profile_line){add_function(p, w), 1};
		assert_int_equal(
			profile_location(p, add_mapping(p, file), 1, &line, 1, &frames[--n]), 0);
	}
	assert_int_equal(profile_stack(p, frames + n, MAX_STACK - n, &stack), 0);
	assert_int_equal(profile_labelset(p, NULL, 0, &none), 0);
	assert_int_equal(profile_add(p, stack, none, (int64_t[]){1, 1}), 0);
}

/* Who is to blame: no standard library, no runtime, no engine, and nobody above one. */
TEST(test_callers_to_blame)
{
	struct profile *p = profile_new();

	assert_int_equal(profile_init_cpu(p, 10), 0);
	add_words(p, "_start@/bin/rsx std::rt::lang_start@/bin/rsx rsx::main@/bin/rsx "
		     "rsx::words@/bin/rsx core::ptr::copy@/bin/rsx memcpy@/lib/libc.so.6");
	add_words(p, "runtime.goexit@/bin/go runtime.gcBgMarkWorker@/bin/go "
		     "runtime.gcDrain@/bin/go runtime.scanobject@/bin/go");
	add_words(p, "main@/bin/python Py_RunMain@/bin/python fallback@/bin/python "
		     "_PyEval_EvalFrameDefault@/bin/python long_add@/bin/python");
	add_words(p, "main@/bin/c load@/bin/c read@/lib/libc.so.6 "
		     "do_syscall_64@[kernel.kallsyms] "
		     "vfs_read@[kernel.kallsyms] copy@[kernel.kallsyms]");
	add_words(p, "main@/bin/s parse@/bin/s s+sub_10@/bin/s s+sub_20@/bin/s near@/bin/s");
	add_words(p, "main@/bin/s parse@/bin/s s+sub_10@/bin/s s+sub_20@/bin/s s+sub_30@/bin/s "
		     "s+sub_40@/bin/s far@/bin/s");
	assert_string_equal(caller_of(p, "near"), "parse");
	assert_string_equal(caller_of(p, "far"), "s+sub_40");
	assert_string_equal(caller_of(p, "memcpy"), "rsx::words");
	assert_string_equal(caller_of(p, "core::ptr::copy"), "rsx::words");
	assert_string_equal(caller_of(p, "rsx::words"), "rsx::main");
	assert_string_equal(caller_of(p, "rsx::main"), "");
	assert_string_equal(caller_of(p, "runtime.scanobject"), "runtime.gcBgMarkWorker");
	assert_string_equal(caller_of(p, "runtime.gcBgMarkWorker"), "");
	assert_string_equal(caller_of(p, "long_add"), "");
	assert_string_equal(caller_of(p, "_PyEval_EvalFrameDefault"), "fallback");
	assert_string_equal(caller_of(p, "copy"), "load");
	assert_string_equal(caller_of(p, "read"), "load");
	assert_string_equal(caller_of(p, "load"), "main");
	profile_free(p);
}

/* A caller with little of a row is none, nor one with less than what has no caller. */
TEST(test_callers_of_too_little)
{
	struct profile *p = profile_new();

	assert_int_equal(profile_init_cpu(p, 10), 0);
	add_words(p, "main@/bin/java copy_code@/lib/libjvm.so jit@/bin/java");
	add_words(p, "jit@/bin/java");
	assert_string_equal(caller_of(p, "jit"), "copy_code");
	add_words(p, "jit@/bin/java");
	assert_string_equal(caller_of(p, "jit"), "");
	for (char caller[] = "a@/bin/c put@/bin/c"; *caller < 'e'; ++*caller)
		add_words(p, caller);
	assert_string_equal(caller_of(p, "put"), "a");
	add_words(p, "e@/bin/c put@/bin/c");
	assert_string_equal(caller_of(p, "put"), "");
	profile_free(p);
}

/* --- caps ---------------------------------------------------------------------------------------- */

/* A location with more inlined lines than anybody reads: both ends stay. */
TEST(test_depth_cap)
{
	enum { N = 10000 };
	struct profile_line *lines = calloc(N, sizeof(*lines));
	struct profile *p = profile_new();
	struct table_opts opts = {.value = 0};
	uint32_t location[2], stack, none;
	struct table *t;

	assert_int_equal(profile_init_cpu(p, 10), 0);
	for (int i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		lines[i] = (struct profile_line){add_function(p, name), 1};
	}
	assert_int_equal(profile_location(p, PROFILE_NONE, 1, lines, N, &location[0]), 0);
	lines[0].function = add_function(p, "root");
	assert_int_equal(profile_location(p, PROFILE_NONE, 2, lines, 1, &location[1]), 0);
	assert_int_equal(profile_stack(p, location, 2, &stack), 0);
	assert_int_equal(profile_labelset(p, NULL, 0, &none), 0);
	assert_int_equal(profile_add(p, stack, none, (int64_t[]){7, 70}), 0);
	assert_int_equal(table_build(&t, p, &opts), 0);
	assert_int_equal(t->n_cut, 1);
	assert_int_equal(t->rows.len, 4096);
	assert_string_equal(table_text(t, t->rows.data[0].name), "f0");
	assert_int_equal(t->rows.data[0].self, 7);
	for (size_t i = 0, found = 0; i <= t->rows.len; i++) {
		if (i == t->rows.len)
			assert_int_equal(found, 3);
		else if (!strcmp(table_text(t, t->rows.data[i].name), "root") ||
			 !strcmp(table_text(t, t->rows.data[i].name), "f2047") ||
			 !strcmp(table_text(t, t->rows.data[i].name), "f9999"))
			found++;
		else
			assert_string_not_equal(table_text(t, t->rows.data[i].name), "f2048");
	}
	table_free(t);
	profile_free(p);
	free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_against_definition),
		cmocka_unit_test(test_callers_against_definition),
		cmocka_unit_test(test_callers_to_blame),
		cmocka_unit_test(test_callers_of_too_little),
		cmocka_unit_test(test_depth_cap),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
