// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the sampler that need no kernel: globs against fnmatch(3), CPU lists, idle times. */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/sampler/cpu_stat.h"
#include "profiler/base/cpus.h"
#include "profiler/sampler/glob.h"
#include "profiler/sampler/verifier_log.h"

static void check_glob(const char *pattern, const char *text)
{
	struct glob g;
	int ours, theirs = !fnmatch(pattern, text, 0);

	assert_int_equal(glob_compile(&g, pattern), 0);
	ours = glob_match(&g, text);
	if (ours != theirs)
		fail_msg("pattern '%s' text '%s': %d, fnmatch says %d", pattern, text, ours,
			 theirs);
}

static void globs_agree_with_fnmatch(void **state)
{
	static const char *const patterns[] = {
		"",	"*",	  "**",	  "redis-*", "*-server", "a?c",	  "[a-c]x", "[!a-c]x",
		"\\*x", "*a*b*c", "[]x]", "?*",	     "x[0-9]*",	 "*[xy]", "node",   "*o*e",
	};
	static const char *const texts[] = {
		"",	 "a", "abc", "redis-server", "redis-", "x-server", "ax",    "dx", "*x",
		"axbxc", "]", "x",   "x9y",	     "xay",    "node",	   "nodes", "xx", "oe",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		for (size_t j = 0; j < sizeof(texts) / sizeof(*texts); j++)
			check_glob(patterns[i], texts[j]);
}

static void random_globs_agree_with_fnmatch(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < 20000; i++) {
		char pattern[9], text[16];
		int n = rand() % 8, m = rand() % 15;

		for (int k = 0; k < n; k++)
			pattern[k] = "ab*?"[rand() % 4];
		for (int k = 0; k < m; k++)
			text[k] = "ab"[rand() % 2];
		pattern[n] = text[m] = '\0';
		check_glob(pattern, text);
	}
}

static void bad_globs_are_refused(void **state)
{
	char endless[80];
	struct glob g;

	(void)state;
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(glob_compile(&g, "?ive*teen[cs]hars\\*_"), 0);
	assert_true(glob_fits_comm(&g));
	assert_int_equal(glob_compile(&g, "?ive*teen[cs]hars\\*__"), 0);
	assert_false(glob_fits_comm(&g));
	assert_int_equal(glob_compile(&g, "[abc"), -EINVAL);
	assert_int_equal(glob_compile(&g, "["), -EINVAL);
	assert_int_equal(glob_compile(&g, endless), -E2BIG);
}

static void cpu_lists(void **state)
{
	static const char *const bad[] = {"", ",", "1,", "a", "1-", "-1", "3-1", "1 2", "0x1"};
	struct cpu_list l;

	(void)state;
	assert_int_equal(cpu_list_parse(&l, "8,0-3,2"), 0);
	assert_int_equal(l.cpus.len, 5);
	assert_int_equal(l.cpus.data[0], 0);
	assert_int_equal(l.cpus.data[4], 8);
	assert_true(cpu_list_has(&l, 3));
	assert_false(cpu_list_has(&l, 4));
	cpu_list_release(&l);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(cpu_list_parse(&l, bad[i]), -EINVAL);
	assert_int_equal(cpu_list_parse(&l, "99999"), -ERANGE);
	assert_int_equal(cpu_list_online(&l), 0);
	assert_int_equal((long)l.cpus.len, sysconf(_SC_NPROCESSORS_ONLN));
	cpu_list_release(&l);
}

static void cpu_times(void **state)
{
	struct cpu_stat st[3] = {{7, 7}, {7, 7}, {7, 7}};
	uint64_t tick = cpu_stat_resolution_ns();

	(void)state;
	cpu_stat_parse("cpu  1 2 3 4 5 6 7 8 9 0\n"
		       "cpu0 1 1 1 10 2 0 0 3 0 0\n"
		       "cpu2 0 0 0 5 0 0 0 0 0 0\n"
		       "cpu9 1 1 1 1 1 1 1 1 1 1\n"
		       "intr 5\n",
		       st, 3);
	assert_int_equal(st[0].idle_ns, 12 * tick);
	assert_int_equal(st[0].steal_ns, 3 * tick);
	assert_int_equal(st[1].idle_ns, 7); /* offline: kept */
	assert_int_equal(st[2].idle_ns, 5 * tick);
	cpu_stat_parse("", st, 3);
	cpu_stat_parse("cpu0 garbage", st, 3);
	assert_int_equal(st[0].idle_ns, 12 * tick);
	assert_int_equal(cpu_stat_read(st, 1), 0);
	assert_true(st[0].idle_ns > 0);
}

static void assert_reason(const char *log, const char *want)
{
	size_t len = 0;
	const char *reason = verifier_log_reason(log, &len);

	if (!want) {
		assert_null(reason);
		return;
	}
	assert_non_null(reason);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(reason, want, len);
}

/* As kernels write them: with statistics behind the reason, without, cut at the end, and none. */
static void verifier_reasons(void **state)
{
	(void)state;
	assert_reason("0: (79) r3 = *(u64 *)(r2 +8)\n"
		      "same insn cannot be used with different pointers\n"
		      "processed 36792 insns (limit 1000000) max_states_per_insn 7\n",
		      "same insn cannot be used with different pointers");
	assert_reason("BPF program is too large. Processed 1000001 insn\n"
		      "processed 1000001 insns (limit 1000000)\n\n",
		      "BPF program is too large. Processed 1000001 insn");
	assert_reason("unknown func bpf_loop#181", "unknown func bpf_loop#181");
	assert_reason("processed 5 insns (limit 1000000)\n", NULL);
	assert_reason("\n\n", NULL);
	assert_reason("", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_agree_with_fnmatch),
		cmocka_unit_test(random_globs_agree_with_fnmatch),
		cmocka_unit_test(bad_globs_are_refused),
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(cpu_times),
		cmocka_unit_test(verifier_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
