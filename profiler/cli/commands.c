// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of commands, and the help made from it. */
#include <stdio.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/cli/command.h"

const struct command *const commands[] = {
	&command_record,
	&command_agent,
	&command_report,
	&command_export,
	&command_list,
	&command_rm,
	&command_push,
	&command_fleet,
	&command_symbolize,
	&command_doctor,
	&command_completion,
	&command_version,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (!strcmp((*c)->name, name))
			return *c;
	}
	return NULL;
}

void commands_print_help(void)
{
	puts("kiln: a continuous CPU profiler for Linux\n\n"
	     "Examples:\n"
	     "  kiln record -- ./prog        profile a program, then say where its time went\n"
	     "  kiln record -a -d 10s        profile the whole machine for ten seconds\n"
	     "  kiln report FILE.pb.gz       look at a profile again\n"
	     "  kiln doctor                  test what works here, and how to mend the rest\n\n"
	     "Usage: kiln COMMAND [options]\n\n"
	     "Commands:");
	for (const struct command *const *c = commands; *c; c++)
		printf("  %-12s %s\n", (*c)->name, (*c)->summary);
	puts("\n`kiln COMMAND --help` shows a command's options. Manual: man kiln");
}

/* Examples and texts about options stay narrower than 100 columns. */
#define HELP_COLUMN 26

static void print_options(const struct option_spec *options)
{
	for (const struct option_spec *s = options; s && s->name; s++) {
		_cleanup_(buf_release) struct buf left = {0};

		if (!s->help)
			continue;
		if (s->short_name)
			buf_printf(&left, "  -%c, --%s", s->short_name, s->name);
		else
			buf_printf(&left, "      --%s", s->name);
		if (s->arg && *s->arg == '[') /* "[URLS]" as "[=URLS]" */
			buf_printf(&left, "[=%s", s->arg + 1);
		else if (s->arg)
			buf_printf(&left, " %s", s->arg);
		if (left.len > HELP_COLUMN - 2)
			printf("%s\n%*s%s\n", buf_cstr(&left), HELP_COLUMN, "", s->help);
		else
			printf("%-*s%s\n", HELP_COLUMN, buf_cstr(&left), s->help);
	}
}

void command_print_help(const struct command *cmd)
{
	printf("kiln %s: %s\n\n", cmd->name, cmd->summary);
	if (cmd->examples)
		printf("Examples:\n%s\n", cmd->examples);
	printf("Usage: kiln %s%s%s\n\nOptions:\n", cmd->name, *cmd->synopsis ? " " : "",
	       cmd->synopsis);
	print_options(cmd->options);
	print_options(options_common);
}
