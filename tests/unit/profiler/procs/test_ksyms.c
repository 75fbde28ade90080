// SPDX-License-Identifier: GPL-2.0-or-later
/* Code that comes into the kernel and leaves it: who was where when. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/procs/ksyms.h"

#define S 1000000000ull

static const char *at(const struct ksyms *k, uint64_t t_ns, uint64_t addr)
{
	uint32_t id = ksyms_find(k, t_ns, addr);
	const char *module;

	return id == KSYM_NONE ? NULL : ksyms_name(k, id, &module);
}

static void test_loaded_and_unloaded(void **state)
{
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	ksyms_begin(k, 10 * S, 0x1000, 0x100, "bpf_prog_1_a");
	ksyms_end(k, 20 * S, 0x1000, 0x100, "bpf_prog_1_a");
	assert_null(at(k, 9 * S, 0x1000));
	assert_string_equal(at(k, 10 * S, 0x1000), "bpf_prog_1_a");
	assert_string_equal(at(k, 15 * S, 0x10ff), "bpf_prog_1_a");
	assert_null(at(k, 15 * S, 0x1100));
	assert_null(at(k, 15 * S, 0xfff));
	/* A CPU may still be in it when its end is announced. */
	assert_string_equal(at(k, 20 * S + 1, 0x1000), "bpf_prog_1_a");
	assert_null(at(k, 25 * S, 0x1000));
	/* ... but not when somebody else is there by then. */
	ksyms_begin(k, 20 * S + 5, 0x1040, 0x10, "bpf_prog_2_b");
	assert_string_equal(at(k, 20 * S + 6, 0x1040), "bpf_prog_2_b");
	assert_string_equal(at(k, 20 * S + 4, 0x1040), "bpf_prog_1_a");
	assert_string_equal(at(k, 30 * S, 0x1040), "bpf_prog_2_b");
	ksyms_free(k);
}

/* Only their end was seen: they had been there since before, or since the place became free. */
static void test_loaded_before_we_watched(void **state)
{
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	ksyms_end(k, 20 * S, 0x1000, 0x100, "bpf_prog_1_a");
	assert_string_equal(at(k, 1, 0x1050), "bpf_prog_1_a");
	assert_null(at(k, 30 * S, 0x1050));
	ksyms_end(k, 40 * S, 0x1000, 0x100, "bpf_prog_2_b"); /* its load was lost */
	assert_string_equal(at(k, 19 * S, 0x1050), "bpf_prog_1_a");
	assert_string_equal(at(k, 30 * S, 0x1050), "bpf_prog_2_b");
	ksyms_free(k);
}

static void test_modules(void **state)
{
	static const char *const of[][2] = {{"bpf_prog_6deef7357e7b4530", "bpf"},
					    {"bpf_trampoline_6442536467", "bpf"},
					    {"ftrace_trampoline", "__builtin__ftrace"},
					    {"kprobe_insn_page", "__builtin__kprobes"},
					    {"\x1b[31m", ""}};
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		const char *module, *name;

		ksyms_begin(k, 1, 0x1000 * i, 64, of[i][0]);
		name = ksyms_name(k, ksyms_find(k, 1, 0x1000 * i), &module);
		assert_string_equal(module, of[i][1]);
		assert_string_equal(name, i < 4 ? of[i][0] : "\xef\xbf\xbd[31m");
	}
	ksyms_free(k);
}

static void test_nonsense(void **state)
{
	struct ksyms_stats stats;
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	ksyms_begin(k, 1, UINT64_MAX - 5, 100, "wraps");
	ksyms_begin(k, 1, 0x1000, 0, "empty");
	ksyms_end(k, 1, UINT64_MAX - 5, 100, "wraps");
	ksyms_stats(k, &stats);
	assert_int_equal(stats.known, 0);
	assert_null(at(k, 2, UINT64_MAX));
	assert_null(at(k, 2, 0));
	ksyms_begin(k, 1, 0, UINT64_MAX, "everything");
	assert_string_equal(at(k, 2, UINT64_MAX - 1), "everything");
	ksyms_free(k);
}

/* More than there is room for: what has ended makes room, what has not is refused and counted. */
static void test_too_many(void **state)
{
	struct ksyms_stats stats;
	struct ksyms *k;
	char name[32];

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	for (unsigned i = 0; i < 20000; i++) {
		ksyms_begin(k, i, 0x1000 + i * 64, 64, "bpf_prog_same");
		if (i < 1000)
			ksyms_end(k, i, 0x1000 + i * 64, 64, "bpf_prog_same");
	}
	ksyms_stats(k, &stats);
	assert_int_equal(stats.known, 16384);
	assert_int_equal(stats.refused, 20000 - 1000 - 16384);
	assert_string_equal(at(k, 30000, 0x1000 + 1000 * 64), "bpf_prog_same");
	ksyms_expire(k, UINT64_MAX);
	ksyms_stats(k, &stats);
	assert_int_equal(stats.known, 16384); /* they are still there */
	ksyms_free(k);
	assert_int_equal(ksyms_new(&k), 0);
	for (unsigned i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "bpf_prog_%u", i);
		ksyms_begin(k, i, 0x1000, 64, name);
		ksyms_end(k, i, 0x1000, 64, name);
	}
	ksyms_stats(k, &stats);
	/* of names there are 65536, with the empty one; begin and end of the others are refused */
	assert_int_equal(stats.refused, 2 * (70000 - 65535));
	ksyms_free(k);
}

/* Programs come and go for months, each with a name of its own. */
static void test_run_without_end(void **state)
{
	struct ksyms_stats stats;
	unsigned n_forgotten = 0;
	char name[512];
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	ksyms_begin(k, 1, 0x9000, 64, "bpf_prog_stays");
	assert_false(ksyms_forget_names(k));
	for (unsigned i = 0; i < 300000; i++) {
		uint64_t t = i * S;

		snprintf(name, sizeof(name), "bpf_prog_%u", i);
		ksyms_begin(k, t, 0x1000, 64, name);
		assert_string_equal(at(k, t + 1, 0x1000), name);
		ksyms_end(k, t + 2, 0x1000, 64, name);
		ksyms_expire(k, t);
		n_forgotten += ksyms_forget_names(k);
	}
	ksyms_stats(k, &stats);
	assert_int_equal(stats.refused, 0);
	assert_in_range(stats.known, 1, 10);
	assert_in_range(stats.names, 1, 32768);
	assert_in_range(n_forgotten, 8, 16);
	assert_true(stats.bytes < 4 << 20);
	assert_string_equal(at(k, 300000 * S, 0x9000), "bpf_prog_stays");
	/* long names fill their room before there are many */
	memset(name, 'x', sizeof(name) - 1);
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "%u", i);
		name[strlen(name)] = 'x';
		name[sizeof(name) - 1] = '\0';
		ksyms_begin(k, 400000 * S + i, 0x1000, 64, name);
	}
	ksyms_stats(k, &stats);
	assert_in_range(stats.refused, 20000, 30000);
	assert_in_range(stats.bytes, 8 << 20, 10 << 20);
	ksyms_expire(k, 400000 * S);
	ksyms_free(k);
}

/* The end of a program was lost: where another one lies it is no more. */
static void test_lost_ends(void **state)
{
	struct ksyms_stats stats;
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	for (unsigned i = 0; i < 20000; i++)
		ksyms_begin(k, (1 + i) * S, 0x1000 + i % 7 * 64, 512, "bpf_prog_same");
	ksyms_begin(k, 30000 * S, 0x1000 + 8 * 64, 16, "bpf_prog_next");
	ksyms_stats(k, &stats);
	assert_int_equal(stats.refused, 0);
	ksyms_expire(k, 29000 * S);
	ksyms_stats(k, &stats);
	assert_int_equal(stats.known, 2);
	assert_string_equal(at(k, 30000 * S, 0x1000 + 8 * 64), "bpf_prog_next");
	ksyms_free(k);
}

/* --- against a model -------------------------------------------------------------------------- */

#define SLOTS 12
#define TURNS 4000

/* Who is in which slot at which time, written down turn by turn; 0: nobody. */
static uint32_t who[TURNS + 1][SLOTS];

static void test_against_a_model(void **state)
{
	struct {
		uint32_t id;
		unsigned first, len;
	} live[SLOTS] = {0};
	uint64_t seed = 7;
	char name[32];
	struct ksyms *k;

	(void)state;
	assert_int_equal(ksyms_new(&k), 0);
	for (unsigned t = 1; t <= TURNS; t++) {
		unsigned first = (unsigned)((seed = hash_u64(seed + t)) % SLOTS);
		unsigned len = 1 + (unsigned)(seed >> 32) % (SLOTS - first);

		memcpy(who[t], who[t - 1], sizeof(who[t]));
		for (unsigned i = 0; i < SLOTS; i++) { /* whoever is in the way leaves */
			if (!live[i].id || live[i].first + live[i].len <= first ||
			    live[i].first >= first + len)
				continue;
			snprintf(name, sizeof(name), "bpf_prog_%u", live[i].id);
			ksyms_end(k, t * 2 * S, live[i].first * 64, live[i].len * 64, name);
			for (unsigned s = 0; s < live[i].len; s++)
				who[t][live[i].first + s] = 0;
			live[i].id = 0;
		}
		if (seed >> 60 < 12) {
			snprintf(name, sizeof(name), "bpf_prog_%u", t);
			ksyms_begin(k, t * 2 * S, first * 64, len * 64, name);
			live[first].id = t;
			live[first].first = first;
			live[first].len = len;
			for (unsigned s = 0; s < len; s++)
				who[t][first + s] = t;
		}
	}
	for (unsigned t = 1; t <= TURNS; t++) {
		for (unsigned s = 0; s < SLOTS; s++) {
			/* later than the grace after an end, earlier than the next turn */
			const char *got = at(k, t * 2 * S + S + S / 2, s * 64 + 63);

			snprintf(name, sizeof(name), "bpf_prog_%u", who[t][s]);
			if (who[t][s])
				assert_string_equal(got, name);
			else
				assert_null(got);
		}
	}
	ksyms_expire(k, TURNS * S);
	for (unsigned s = 0; s < SLOTS; s++) {
		snprintf(name, sizeof(name), "bpf_prog_%u", who[TURNS / 2 + 1][s]);
		if (who[TURNS / 2 + 1][s])
			assert_string_equal(at(k, (TURNS / 2 + 1) * 2 * S, s * 64), name);
		assert_null(at(k, TURNS / 2 * S, s * 64));
	}
	ksyms_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loaded_and_unloaded),
		cmocka_unit_test(test_loaded_before_we_watched),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_run_without_end),
		cmocka_unit_test(test_lost_ends),
		cmocka_unit_test(test_against_a_model),
	};

	return cmocka_run_group_tests_name("ksyms", tests, NULL, NULL);
}
