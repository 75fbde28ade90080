// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BPF programs that are gone when their samples are named. This program records itself: as a command
 * (argument "burn") it loads programs, runs them, writes down what /proc/kallsyms calls them, and
 * unloads them before it goes on. Needs root and BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/record/session.h"
#include "symbolizer/symbolizer.h"
#include "tests/kernel/bpf_burn.skel.h"
#include "tests/lib/fixture.h"

#define BURN_MS 300

/* --- the recorded program --------------------------------------------------------------------- */

static uint64_t cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int burn_in(const struct bpf_program *prog)
{
	uint64_t end = cpu_ms() + BURN_MS;
	uint8_t packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 100);

	while (cpu_ms() < end)
		if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
			return 1;
	return 0;
}

static int write_names(const char *when)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "grep -o 'bpf_prog_.*_burn_[a-z]*' /proc/kallsyms >%s", when);
	return system(cmd) ? 1 : 0;
}

/* Loads both, burns in both, unloads both, and then burns on in user space. */
static int burn(void)
{
	struct bpf_burn_bpf *skel = bpf_burn_bpf__open_and_load();
	uint64_t end;
	int err;

	if (!skel)
		return 1;
	err = burn_in(skel->progs.burn_first) ?: burn_in(skel->progs.burn_second) ?:
	      write_names("loaded");
	bpf_burn_bpf__destroy(skel);
	for (int i = 0; i < 1000 && !write_names("left"); i++)
		usleep(10000); /* programs are freed after a grace period */
	end = cpu_ms() + 50;
	while (cpu_ms() < end)
		;
	return err;
}

/* --- the test --------------------------------------------------------------------------------- */

/* Samples whose leaf is this function of the kernel. */
static int64_t leaf_samples(const struct profile *p, const char *name, const char *mapping)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint32_t leaf = p->frames.data[p->stacks.data[s->stack].first];
		const struct profile_location *l = &p->locations.data[leaf];
		const struct profile_function *f =
			&p->functions.data[p->lines.data[l->first_line].function];

		if (strcmp(profile_text(p, f->name), name) != 0)
			continue;
		assert_int_equal(l->address, 0);
		assert_string_equal(profile_text(p, p->mappings.data[l->mapping].file), mapping);
		n += p->values.data[s->first_value];
	}
	return n;
}

static struct profile *record_burning(void)
{
	char *const argv[] = {"/proc/self/exe", "burn", NULL};
	struct session_opts opts = {.sampler = {.freq_hz = 499,
						.window_ns = 1000000000,
						.event = EVENT_CPU_CLOCK,
						.unwind = MODE_FP,
						.user = true,
						.kernel = true},
				    .argv = argv};
	struct session_result result;
	struct quality q = {0};
	const char *why = "";

	if (session_run(&opts, &result, &q, &why))
		fail_msg("%s", why);
	assert_int_equal(result.exit_code, 0);
	symbolizer_free(result.symbolizer);
	return result.profile;
}

static void test_unloaded_before_the_end(void **state)
{
	struct profile *p;
	char name[128];
	int burnt = 0;
	FILE *f;

	(void)state;
	p = record_burning();
	/* burn_first, burn_second and its subprogram: each as /proc/kallsyms had it */
	f = fopen("loaded", "re");
	assert_non_null(f);
	while (fscanf(f, "%127s", name) == 1) {
		int64_t n = leaf_samples(p, name, "[bpf]");

		/* The one that only calls has next to nothing of its own. */
		if (!strstr(name, "burn_second"))
			assert_in_range(n, BURN_MS / 4, BURN_MS); /* of 499 in a second */
		burnt += n > 0;
	}
	assert_true(burnt >= 2);
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
	/* ... and is not there any more, or this would test nothing. */
	f = fopen("left", "re");
	assert_non_null(f);
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
	profile_free(p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unloaded_before_the_end),
	};

	if (argc == 2 && !strcmp(argv[1], "burn"))
		return burn();
	if (geteuid()) {
		printf("skipped: needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("bpf_names", tests, fixture_setup, fixture_teardown);
}
