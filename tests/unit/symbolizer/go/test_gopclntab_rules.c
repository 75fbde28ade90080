// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind rules out of Go's table of stack depths, where functions switch stacks. */
#include <limits.h>

#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/go/gopclntab.h"
#include "tests/lib/fixture.h"
#include "tests/lib/go_toolchains.h"

static char source_dir[PATH_MAX];

struct noted {
	struct gopclntab *t;
	struct unwind_rule mcall_entry;		    /* the first one in it */
	struct unwind_rule mcall, morestack, clone; /* the last ones in these functions */
	bool in_mcall;
};

static int note_rule(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct noted *noted = ctx;
	const struct dwarf_frame *f;
	int n = gopclntab_find(noted->t, va, &f);
	const char *name = n > 0 ? f[n - 1].name : "";

	if (!strcmp(name, "runtime.mcall")) {
		if (!noted->in_mcall)
			noted->mcall_entry = rule;
		noted->in_mcall = true;
		noted->mcall = rule;
	} else if (!strcmp(name, "runtime.morestack"))
		noted->morestack = rule;
	else if (!strcmp(name, "runtime.clone"))
		noted->clone = rule;
	return 0;
}

/* What leaves a stack for good, or without a frame record, has no caller then; what only gives one to a child
 * has. */
static void test_functions_that_switch_stacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(toolchains) / sizeof(*toolchains); i++) {
		const struct toolchain *t = &toolchains[i];
		struct noted noted = {0};
		uint64_t next = 0;
		struct elf_obj *obj;

		if (skip_without(t))
			continue;
		build_go(t, source_dir, "'-ldflags=-s -w'", "switches");
		assert_int_equal(elf_obj_open(&obj, fixture_open("switches"), NULL), 0);
		assert_int_equal(gopclntab_open(&noted.t, obj), 0);
		assert_int_equal(gopclntab_rules(noted.t, &next, UINT64_MAX, note_rule, &noted), 0);
		assert_int_equal(noted.mcall_entry.cfa, UNWIND_CFA_RSP);
		assert_int_equal(noted.mcall_entry.cfa_off, 8);
		assert_int_equal(noted.mcall.cfa, UNWIND_CFA_ROOT);
		assert_int_equal(noted.morestack.cfa,
				 system(t->records) ? UNWIND_CFA_STOP : UNWIND_CFA_FP);
		assert_int_equal(noted.clone.cfa, UNWIND_CFA_RSP);
		assert_int_equal(noted.clone.cfa_off, 8);
		gopclntab_free(noted.t);
		elf_obj_free(obj);
	}
}

static int setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);

	return dir ? (strcat(source_dir, "/tests/fixtures/go"), fixture_setup(state)) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_functions_that_switch_stacks)};

	return cmocka_run_group_tests_name("gopclntab_rules", tests, setup, fixture_teardown);
}
