// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/base/suggest.h"
#include "profiler/cli/command.h"

/*
 * A closed standard descriptor would be given to the next opened file, and messages would end up in
 * it. A replacement fails every read and write, like a closed descriptor.
 */
static void reserve_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
	}
}

/* Unwritten output is a failure, whatever the command returned. */
static int check_stdout(int code)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (code == EXIT_OK) {
		log_error("cannot write to standard output%s%s", errno ? ": " : "",
			  errno ? strerror(errno) : "");
		return EXIT_ERROR;
	}
	return code;
}

static int unknown_command(const char *name)
{
	struct suggest near = {.typed = name};

	for (const struct command *const *c = commands; *c; c++)
		suggest_consider(&near, (*c)->name);
	if (near.best)
		log_error("unknown command \"%s\" (did you mean \"kiln %s\"?)", name, near.best);
	else
		log_error("unknown command \"%s\"; `kiln --help` lists them", name);
	return EXIT_USAGE;
}

static int help(const char *name)
{
	const struct command *cmd;

	if (!name) {
		commands_print_help();
		return EXIT_OK;
	}
	cmd = command_find(name);
	if (!cmd)
		return unknown_command(name);
	command_print_help(cmd);
	return EXIT_OK;
}

/* With privileges of kiln's file, who runs it gets no more of them than sampling takes. */
static int run(const struct command *cmd, int argc, char **argv)
{
	int err = 0;

	if (privileges_are_of_the_file()) {
		privileges_distrust_environment();
		err = cmd->samples ? 0 : privileges_drop();
	}
	if (err) {
		log_error("cannot give up the capabilities of kiln's file: %s", strerror(-err));
		return EXIT_ERROR;
	}
	return cmd->run(cmd, argc, argv);
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct command *cmd;

	if (!name || !strcmp(name, "-h") || !strcmp(name, "--help"))
		return help(NULL);
	if (!strcmp(name, "help"))
		return help(argv[2]);
	if (!strcmp(name, "-V") || !strcmp(name, "--version"))
		name = "version";
	cmd = command_find(name);
	if (cmd)
		return run(cmd, argc - 1, argv + 1);
	if (*name == '-') {
		log_error(
			"unknown option \"%s\": options come after a command; `kiln --help` lists "
			"the commands",
			name);
		return EXIT_USAGE;
	}
	return unknown_command(name);
}

/* Threads have as much. With less the first deep call would be a fault. */
#define STACK_LEAST (128u << 10)

static bool has_stack(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur >= STACK_LEAST)
		return true;
	log_error("the limit of the stack is %llu KB (ulimit -s): kiln wants %u",
		  (unsigned long long)limit.rlim_cur >> 10, STACK_LEAST >> 10);
	return false;
}

int main(int argc, char **argv)
{
	reserve_standard_fds();
	if (!has_stack())
		return EXIT_ERROR;
	setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of names, which are UTF-8 everywhere */
	return check_stdout(dispatch(argc, argv));
}
