// SPDX-License-Identifier: GPL-2.0-or-later
/* drop_frames and keep_frames, as google/pprof applies them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "profiler/base/sanitizer.h"
#include "profiler/profile/prune.h"
#include "tests/lib/profiles.h"

/* One sample whose stack is "root;middle+inlined;leaf": "+" joins the lines of one location. */
static struct profile *profile_of(const char *drop, const char *keep, const char *stack)
{
	struct profile *p = profile_new();
	char text[256], *frame, *rest = text;
	uint32_t frames[16], n = 16, id, set;

	MUST(profile_init_cpu(p, 10));
	MUST(profile_string(p, drop, &p->drop_frames));
	MUST(profile_string(p, keep, &p->keep_frames));
	snprintf(text, sizeof(text), "%s", stack);
	while ((frame = strsep(&rest, ";"))) {
		struct profile_line lines[8];
		size_t first = 8;
		char *name;

		while ((name = strsep(&frame, "+")))
			lines[--first] = (struct profile_line){function_id(p, name, ""), 0};
		n--;
		MUST(profile_location(p, PROFILE_NONE, n, lines + first, 8 - first, &frames[n]));
	}
	MUST(profile_stack(p, frames + n, 16 - n, &id));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, id, set, (int64_t[]){3, 30}));
	return p;
}

static void print_stack(const struct profile *p, char out[256])
{
	const struct profile_stack *s = &p->stacks.data[p->samples.data[0].stack];
	size_t at = 0;

	for (uint32_t i = s->len; i-- > 0;) {
		const struct profile_location *l = &p->locations.data[p->frames.data[s->first + i]];

		for (uint32_t k = l->n_lines; k-- > 0;) {
			uint32_t f = p->lines.data[l->first_line + k].function;

			at += (size_t)snprintf(out + at, 256 - at, "%s%s",
					       profile_text(p, p->functions.data[f].name),
					       k   ? "+"
					       : i ? ";"
						   : "");
		}
	}
}

static void check(const char *drop, const char *keep, const char *stack, const char *expected)
{
	struct profile *p = profile_of(drop, keep, stack), *pruned;
	const char *why = NULL;
	char text[256] = "";

	assert_int_equal(profile_prune(&pruned, p, &why), 0);
	print_stack(pruned, text);
	assert_string_equal(text, expected);
	assert_int_equal(profile_weight(pruned), 3);
	assert_string_equal(profile_text(pruned, pruned->drop_frames), drop);
	profile_free(pruned);
	profile_free(p);
}

static void callees_of_the_first_match_go(void **state)
{
	(void)state;
	check("malloc|tc_.*", "", "main;work;malloc;tc_alloc;mmap", "main;work");
	check("malloc", "", "main;mymalloc;free", "main;mymalloc;free"); /* the whole name */
	check("alloc.*", "alloc_pool", "main;alloc_pool;allocate;brk", "main;alloc_pool");
	check("main|x", "", "main;a;x;b", "main;a"); /* never the whole stack */
	check("(?:tc|je)_\\d+|operator new(\\[\\])?", "", "main;je_12;brk", "main");
	check("operator new(\\[\\])?", "", "main;operator new[](unsigned long);brk", "main");
	check("ns::f", "", "main;ns::f(int, char);brk", "main");
	check("\\(anonymous namespace\\)::f", "", "main;(anonymous namespace)::f(int);brk", "main");
}

static void inlined_functions_go_up_to_the_match(void **state)
{
	(void)state;
	check("malloc", "", "main;work+malloc+fast;brk", "main;work");
	check("malloc", "", "main;malloc+fast;brk", "main");
}

static void what_cannot_be_applied_is_refused(void **state)
{
	static const char *const wrong[] = {"(", "a{900}{900}", "(?i)x", "(a)\\1", "\\pL"};
	struct profile *p = profile_of("", "never", "main;x"), *pruned;

	(void)state;
	assert_int_equal(profile_prune(&pruned, p, &(const char *){NULL}), 0);
	assert_null(pruned);
	profile_free(p);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *why = NULL;

		p = profile_of(wrong[i], "", "main;x");
		assert_int_equal(profile_prune(&pruned, p, &why), -EINVAL);
		assert_non_null(why);
		assert_null(pruned);
		profile_free(p);
	}
}

static void set_name(char name[2001], uint64_t *seed)
{
	for (int i = 0; i < 2000; i++) {
		*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
		name[i] = "ab"[*seed >> 63];
	}
	name[2000] = '\0';
}

/* Each byte of these names makes a new state of glibc's, of up to 2,000 nodes: 500 MB in all if none were given back. */
static void expressions_take_little_memory(void **state)
{
	struct profile *p, *pruned = NULL;
	const char *why = NULL;
	char drop[4100] = ".*a", name[2001];
	struct rusage before, after;
	uint64_t seed = 1;

	(void)state;
	memset(drop + 3, '.', 4000);
	p = profile_of(drop, "", "main;leaf");
	for (int i = 0; i < 25; i++) {
		set_name(name, &seed);
		function_id(p, name, "");
	}
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(profile_prune(&pruned, p, &why), 0);
	getrusage(RUSAGE_SELF, &after);
	if (!SANITIZED) /* freed memory is kept for a while, and has a shadow */
		assert_true(after.ru_maxrss - before.ru_maxrss < 250 * 1024);
	profile_free(pruned);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callees_of_the_first_match_go),
		cmocka_unit_test(inlined_functions_go_up_to_the_match),
		cmocka_unit_test(what_cannot_be_applied_is_refused),
		cmocka_unit_test(expressions_take_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
