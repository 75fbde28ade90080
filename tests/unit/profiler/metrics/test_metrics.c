// SPDX-License-Identifier: GPL-2.0-or-later
/* Values that processes share, and their text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/metrics/metrics.h"

static char *text_of(const struct metrics *m)
{
	struct buf out = {0};

	metrics_render(m, &out);
	assert_int_equal(out.err, 0);
	return buf_take(&out);
}

static void assert_line(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(text, whole))
		fail_msg("no line %s", line);
}

static void test_a_child_counts(void **state)
{
	struct metrics *m = metrics_new();
	struct quality q = {.recorded = 5, .frames = 100, .frames_named = 90};
	char *text;
	int status;

	(void)state;
	q.lost[LOSS_cpu_gap] = 3;
	metrics_add(m, METRIC_windows_stored, 2);
	if (!fork()) {
		metrics_add(m, METRIC_windows_stored, 40);
		metrics_add_window(m, &q);
		metrics_set(m, METRIC_window_ns, 1500000000);
		_exit(0);
	}
	wait(&status);
	assert_int_equal(metrics_get(m, METRIC_windows_stored), 42);
	text = text_of(m);
	assert_line(text, "kiln_store_windows_total 42");
	assert_line(text, "kiln_samples_total{kind=\"recorded\"} 5");
	assert_line(text, "kiln_samples_lost_total{reason=\"cpu_gap\"} 3");
	assert_line(text, "kiln_frames_total{result=\"unnamed\"} 10");
	assert_line(text, "kiln_window_duration_seconds 1.500000000");
	free(text);
	metrics_free(m);
}

static void overwrite_shared_memory(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], rights[5];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && !strcmp(rights, "rw-s"))
			memset((void *)from, 'A', to - from);
	fclose(maps);
}

static bool knows_none(void *ctx, const char *name)
{
	*(size_t *)ctx += strlen(name) + 1;
	return false;
}

/* A process that was taken over writes what it likes: there are numbers and names, and nothing that leads elsewhere. */
static void test_what_another_process_wrote(void **state)
{
	static const struct metrics_about one[] = {{"gauge", "kiln_of_each", "", "Of each."}};
	static const struct metrics_table table = {.label = "name", .about = one, .n = 1};
	struct metrics *m = metrics_new();
	size_t bytes = 0;
	int status;
	char *text;

	(void)state;
	metrics_describe(m, &table);
	metrics_set_of(m, metrics_find(m, "first"), 0, 1);
	if (!fork()) {
		overwrite_shared_memory();
		_exit(0);
	}
	wait(&status);
	assert_int_equal(status, 0);
	text = text_of(m);
	assert_line(text, "kiln_sampling 4702111234474983745");
	assert_non_null(strstr(text, "kiln_of_each{name=\"AAA"));
	free(text);
	assert_int_equal(metrics_find(m, "second"), -1);
	assert_int_equal(metrics_look(m, "second"), -1);
	metrics_keep(m, knows_none, &bytes);
	assert_int_equal(bytes, METRICS_THINGS * METRICS_NAME_BYTES);
	metrics_free(m);
}

/* A name has its two comments once, before its first line; every line has a name that is documented. */
static void test_the_form(void **state)
{
	struct metrics *m = metrics_new();
	char *text = text_of(m), *line, *rest, documented[64] = "", name[64];

	(void)state;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "# HELP %63s", name) == 1) {
			assert_string_not_equal(name, documented);
			strcpy(documented, name);
			assert_true(strlen(line) > strlen("# HELP  .") + strlen(name));
		} else if (sscanf(line, "# TYPE %63s", name) == 1) {
			assert_string_equal(name, documented);
		} else {
			assert_int_equal(sscanf(line, "%63[a-z_]", name), 1);
			assert_string_equal(name, documented);
		}
	}
	free(text);
	metrics_free(m);
}

static void test_without_memory(void **state)
{
	struct quality q = {.recorded = 5};
	char *text;

	(void)state;
	metrics_add(NULL, METRIC_windows_stored, 1);
	metrics_set(NULL, METRIC_sampling, 1);
	metrics_add_window(NULL, &q);
	assert_int_equal(metrics_get(NULL, METRIC_sampling), 0);
	text = text_of(NULL);
	assert_line(text, "kiln_sampling 0");
	free(text);
	metrics_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_counts),
		cmocka_unit_test(test_what_another_process_wrote),
		cmocka_unit_test(test_the_form),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
