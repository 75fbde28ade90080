// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/fleet.h"

#include <stdio.h>
#include <string.h>

#include "profiler/base/suggest.h"

const struct command *const fleet_commands[] = {
	&command_fleet_init,	&command_fleet_status,	 &command_fleet_top,
	&command_fleet_grew,	&command_fleet_outliers, &command_fleet_series,
	&command_fleet_callers, &command_fleet_rollup,	 NULL};

/* As kiln's own commands are called: by what follows "fleet ". */
static const char *word_of(const struct command *c)
{
	return c->name + strlen("fleet ");
}

static const struct command *find(const char *word, struct suggest *near)
{
	for (const struct command *const *c = fleet_commands; *c; c++) {
		if (!strcmp(word_of(*c), word))
			return *c;
		suggest_consider(near, word_of(*c));
	}
	return NULL;
}

static void print_commands(void)
{
	puts("\nCommands:");
	for (const struct command *const *c = fleet_commands; *c; c++)
		printf("  %-12s %s\n", word_of(*c), (*c)->summary);
	puts("\n`kiln fleet COMMAND --help` shows a command's options");
}

static int run_none(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv, .stop_at_operand = 1};
	int id = options_next(&o);

	options_release(&o);
	if (id == OPTIONS_HELP)
		print_commands();
	if (id != OPTIONS_END)
		return options_exit_code(id);
	return usage_error(self, "which command? " FLEET_WORDS);
}

static int run(const struct command *self, int argc, char **argv)
{
	const struct command *sub;
	struct suggest near = {0};

	if (argc < 2 || argv[1][0] == '-')
		return run_none(self, argc, argv);
	near.typed = argv[1];
	sub = find(argv[1], &near);
	if (sub)
		return sub->run(sub, argc - 1, argv + 1);
	if (near.best)
		return usage_error(self, "no command \"%.80s\" (did you mean \"%s\"?)", argv[1],
				   near.best);
	return usage_error(self, "no command \"%.80s\": " FLEET_WORDS, argv[1]);
}

const struct command command_fleet = {
	.name = "fleet",
	.summary = "what many hosts have sent to one ClickHouse",
	.synopsis = "COMMAND [options]",
	.examples =
		"  kiln fleet init clickhouse+http://db:8123/kiln     make its tables\n"
		"  kiln fleet status clickhouse+http://db:8123/kiln   who sends, and how well\n",
	.operands = FLEET_WORDS,
	.run = run,
};
