// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "profiler/cli/command.h"

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	int id = options_next(&o), n = 0;

	if (id == OPTIONS_END)
		options_operands(&o, &n);
	options_release(&o);
	if (id != OPTIONS_END)
		return options_exit_code(id);
	if (n)
		return usage_error(self, "takes no operand");
	puts("kiln " KILN_VERSION);
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "print the version",
	.synopsis = "",
	.run = run,
};
