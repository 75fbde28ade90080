/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file a command; the table in main.c lists them. */
#ifndef KILN_CLI_COMMAND_H
#define KILN_CLI_COMMAND_H

#include <stddef.h>

/* Exit codes, the same for all commands (kiln(1)). A launched command's own status otherwise. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_NO_SAMPLES = 3,
	EXIT_NOT_PERMITTED = 4,
	EXIT_NO_TARGET = 5,
	EXIT_THRESHOLD = 6,
	/* record -- CMD, as env(1) and nohup(1) have them */
	EXIT_KILN_FAILED = 125,
	EXIT_CANNOT_EXEC = 126,
	EXIT_CMD_NOT_FOUND = 127,
};

/* One option. help, --help and the shell completions follow from this table (one fact, one place).
 */
struct option_spec {
	const char *name; /* long name without dashes, NULL ends the table */
	char short_name;  /* or 0 */
	const char *arg;  /* placeholder, NULL for a flag; "FILE", "DIR" and "PID" complete */
	const char *help; /* one line; NULL = accepted but not shown (perf habits such as -g) */
	int id;		  /* what options_next() returns */
};

struct command {
	const char *name;
	const char *summary;  /* one line */
	const char *synopsis; /* after "kiln name" */
	const char *examples; /* lines, shown first in --help */
	const struct option_spec *options;
	int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the name */
};

extern const struct command command_record, command_report, command_export, command_doctor,
	command_version, command_completion;

/* All commands, NULL-terminated. */
extern const struct command *const commands[];

/*
 * Walks options over getopt_long(3) rules ("--" ends them; options after operands are allowed unless
 * stop_at_operand, which `record CMD` without "--" needs). Start with a zeroed struct.
 */
struct options {
	const struct command *cmd;
	int argc;
	char **argv;
	int stop_at_operand;
	const char *arg; /* of the option just returned */
	/* private */
	void *state;
};

#define OPTIONS_END   (-1) /* operands are argv[optind...]: options_operands() */
#define OPTIONS_ERROR (-2) /* said so on stderr: return EXIT_USAGE */
#define OPTIONS_HELP  (-3) /* help printed on stdout: return EXIT_OK */

/* Handles -h/--help, -q/--quiet and -v/--verbose itself for every command. */
int options_next(struct options *o);
/* After OPTIONS_END: operands, NULL-terminated. */
char **options_operands(struct options *o, int *n);
void options_release(struct options *o);

/* Parses an option's number / duration, or says what is wrong with it on stderr: 0 or -EINVAL. */
int option_u64(const struct options *o, const char *what, unsigned long long min,
	       unsigned long long max, unsigned long long *out);
int option_duration_ns(const struct options *o, const char *what, unsigned long long *out);

void command_print_help(const struct command *cmd);

#endif
