// SPDX-License-Identifier: GPL-2.0-or-later
/* The manual has every command, option, exit code and quality key that the tables have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/agent/config_schema.h"
#include "profiler/base/io.h"
#include "profiler/cli/command.h"
#include "profiler/cli/fleet.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static char *manual, *config_manual;

static int load(void **state)
{
	const char *src = getenv("SRC");
	char path[4096];
	size_t len;

	(void)state;
	snprintf(path, sizeof(path), "%s/tools/kiln.1", src ? src : ".");
	if (io_read_file(path, 1 << 20, &manual, &len))
		return -1;
	snprintf(path, sizeof(path), "%s/tools/kiln.yaml.5", src ? src : ".");
	return io_read_file(path, 1 << 20, &config_manual, &len);
}

static int unload(void **state)
{
	(void)state;
	free(manual);
	free(config_manual);
	return 0;
}

/* The text below ".Ss title" up to the next heading; the caller frees it. */
static char *section(const char *title)
{
	char heading[100], *start, *end, *chapter;

	snprintf(heading, sizeof(heading), "\n.Ss %s\n", title);
	start = strstr(manual, heading);
	if (!start)
		fail_msg("the manual has no section \"%s\"", title);
	start += strlen(heading);
	end = strstr(start, "\n.Ss ");
	chapter = strstr(start, "\n.Sh ");
	if (!end || (chapter && chapter < end))
		end = chapter;
	return strndup(start, end ? (size_t)(end - start) : strlen(start));
}

/* Whether a flag ("-by" for --by, "n" for -n) stands in an .It line of the text. */
static bool has_flag(const char *text, const char *flag)
{
	char macro[100];
	size_t len = (size_t)snprintf(macro, sizeof(macro), "Fl %s", flag);

	for (const char *at = text; (at = strstr(at, macro)); at += len) {
		const char *line = at;

		while (line > text && line[-1] != '\n')
			line--;
		if (!strncmp(line, ".It ", 4) && (at[len] == ' ' || at[len] == '\n' || !at[len]))
			return true;
	}
	return false;
}

static void assert_options(const char *title, const struct option_spec *specs)
{
	char *text = section(title), flag[100];

	for (const struct option_spec *s = specs; s && s->name; s++) {
		snprintf(flag, sizeof(flag), "-%s", s->name);
		/* The table wants a long name, also where people know a letter only. */
		if (s->name[1] && !has_flag(text, flag))
			fail_msg("the manual's section \"%s\" lacks --%s", title, s->name);
		snprintf(flag, sizeof(flag), "%c", s->short_name);
		if (s->short_name && !has_flag(text, flag))
			fail_msg("the manual's section \"%s\" lacks -%c", title, s->short_name);
	}
	free(text);
}

TEST(test_options_are_documented)
{
	for (const struct command *const *c = commands; *c; c++)
		assert_options((*c)->name, (*c)->options);
	for (const struct command *const *c = fleet_commands; *c; c++)
		assert_options((*c)->name, (*c)->options);
	assert_options("Common options", options_common);
}

/* And the other way round: no option in the manual that there is not. */
static size_t check_section(const struct command *c)
{
	char *text = section(c->name);
	size_t checked = 0;

	for (char *at = text; (at = strstr(at, "Fl -")); at += 4) {
		size_t len = strcspn(at + 4, " \n");
		const struct option_spec *s = c->options;

		while (s && s->name && (strlen(s->name) != len || memcmp(s->name, at + 4, len)))
			s++;
		if (!s || !s->name)
			fail_msg("kiln %s has no --%.*s", c->name, (int)len, at + 4);
		checked++;
	}
	free(text);
	return checked;
}

TEST(test_documented_options_exist)
{
	size_t checked = 0;

	for (const struct command *const *c = commands; *c; c++)
		checked += check_section(*c);
	for (const struct command *const *c = fleet_commands; *c; c++)
		checked += check_section(*c);
	assert_true(checked > 20);
}

static void assert_keys(const struct config_schema *schema)
{
	char line[200];

	for (size_t i = 0; i < schema->n; i++) {
		snprintf(line, sizeof(line), "\n.It Ic %s\n", schema->keys[i].name);
		if (!strstr(config_manual, line))
			fail_msg("kiln.yaml(5) lacks %s", schema->keys[i].name);
	}
}

TEST(test_configuration_is_documented)
{
	static const char *const labels[] = {
		LABEL_SERVICE, LABEL_COMM,	LABEL_EXECUTABLE,     LABEL_UNIT,
		LABEL_CGROUP,  LABEL_CONTAINER, LABEL_CONTAINER_NAME, LABEL_IMAGE,
		LABEL_POD_UID, LABEL_POD,	LABEL_NAMESPACE};
	char line[200];

	assert_keys(&config_schema);
	assert_keys(&config_relabel_schema);
	assert_keys(&config_upload_schema);
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		snprintf(line, sizeof(line), "\n.It Ql %s\n", labels[i]);
		if (!strstr(config_manual, line))
			fail_msg("kiln.yaml(5) lacks the label %s", labels[i]);
	}
	/* And the other way round. */
	for (char *at = config_manual; (at = strstr(at, "\n.It Ic ")); at += 8) {
		const struct config_schema *schemas[] = {&config_schema, &config_relabel_schema,
							 &config_upload_schema};
		size_t len = strcspn(at + 8, "\n"), found = 0;

		for (int s = 0; s < 3; s++)
			for (size_t i = 0; i < schemas[s]->n; i++)
				found += strlen(schemas[s]->keys[i].name) == len &&
					 !memcmp(schemas[s]->keys[i].name, at + 8, len);
		if (!found)
			fail_msg("there is no key %.*s", (int)len, at + 8);
	}
}

static void assert_word(const char *macro_and_word)
{
	char line[200];

	snprintf(line, sizeof(line), "\n%s\n", macro_and_word);
	if (!strstr(manual, line))
		fail_msg("the manual lacks a line \"%s\"", macro_and_word);
}

TEST(test_tables_are_documented)
{
#define X(key) assert_word(".It Ql " #key);
	QUALITY_COUNTERS(X)
#undef X
#define X(key, text, cure) assert_word(".It Ql lost." #key);
	LOSS_REASONS(X)
#undef X
	assert_word(".It Ql " FRAME_LOST);
	assert_word(".It Ql " FRAME_TRUNCATED);
	assert_word(".It Ql " FRAME_MISSED_USER);
	assert_word(".It Ql " FRAME_MISSED_KERNEL);
	for (int code = EXIT_OK; code <= EXIT_THRESHOLD; code++) {
		char line[16];

		snprintf(line, sizeof(line), ".It %d", code);
		assert_word(line);
	}
	assert_word(".It 125");
	assert_word(".It 126");
	assert_word(".It 127");
}

TEST(test_formats_are_documented)
{
	char *suffixes = strdup(export_suffixes()), *rest = suffixes, *word;
	size_t n = 0;

	while ((word = strsep(&rest, " "))) {
		char item[64];

		snprintf(item, sizeof(item), "\n.It Pa %s", word);
		assert_non_null(strstr(manual, item));
		n++;
	}
	assert_true(n >= 7);
	free(suffixes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_documented),
		cmocka_unit_test(test_documented_options_exist),
		cmocka_unit_test(test_configuration_is_documented),
		cmocka_unit_test(test_tables_are_documented),
		cmocka_unit_test(test_formats_are_documented),
	};

	return cmocka_run_group_tests_name("man", tests, load, unload);
}
