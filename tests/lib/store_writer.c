// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Appends windows to a store for ever, as an agent does, only faster: store_writer DIR [FIRST]. Number n begins at
 * 2026-11-28 00:00:00 UTC and n times 5 s, and holds 100 + n % 50 samples. Prints "ack N" for each that is
 * stored. FIRST is the first one's number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/store/store_internal.h"

#define SECOND	 1000000000ll
#define BEGIN_NS (1795824000 * SECOND)
#define STEP_NS	 (5 * SECOND)
#define FRAMES	 12

static struct moment simulated;

static struct moment simulated_clock(void)
{
	return simulated;
}

/* Some names are old ones, and some are new with each window. */
static int add_stack(struct profile *p, uint64_t n, int which, uint32_t *stack)
{
	uint32_t frames[FRAMES];
	char name[64];
	int err = 0;

	for (int i = 0; i < FRAMES && !err; i++) {
		snprintf(name, sizeof(name), "function_%d_%" PRIu64, i, i ? which : n * 10 + which);
		err = profile_plain_location(p, "/bin/program", name, &frames[i]);
	}
	return err ?: profile_stack(p, frames, FRAMES, stack);
}

static int fill(struct profile *p, uint64_t n)
{
	struct profile_label label = {.str = PROFILE_NONE, .num = (int64_t)n};
	int64_t left = 100 + (int64_t)(n % 50), values[2];
	int err = profile_init_cpu(p, 10000000) ?: profile_string(p, LABEL_PID, &label.key);

	for (int i = 0; i < 10 && !err; i++) {
		uint32_t stack, labelset;

		values[0] = i < 9 ? 10 : left - 90;
		values[1] = values[0] * 10000000;
		err = add_stack(p, n, i, &stack) ?: profile_labelset(p, &label, 1, &labelset);
		err = err ?: profile_add(p, stack, labelset, values);
	}
	return err;
}

static int append(struct store *s, uint64_t n)
{
	struct profile *p = profile_new();
	struct quality q = {.recorded = 100 + n % 50, .expected = 100 + n % 50};
	int64_t begin_ns = BEGIN_NS + (int64_t)n * STEP_NS;
	int err = fill(p, n) ?: store_append(s, p, &q, begin_ns, STEP_NS);

	profile_free(p);
	simulated = (struct moment){begin_ns + STEP_NS, begin_ns + STEP_NS};
	return err;
}

int main(int argc, char **argv)
{
	const struct store_opts opts = {.access = STORE_WRITE, .segment_ns = 60 * SECOND};
	struct why why = {""};
	struct store *s;
	int err = argc < 2 ? -1 : store_open(&s, argv[1], &opts, &why);

	if (err) {
		fprintf(stderr, "store_writer: %s\n", *why.text ? why.text : "DIR [FIRST]");
		return 1;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	s->clock = simulated_clock;
	for (uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0; !err; n++) {
		err = append(s, n);
		if (!err)
			printf("ack %" PRIu64 "\n", n);
		if (!err && n % 4 == 0)
			err = store_maintain(s) < 0;
	}
	fprintf(stderr, "store_writer: %s\n", strerror(-err));
	return 1;
}
