/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file a command; the table in commands.c lists them. */
#ifndef KILN_CLI_COMMAND_H
#define KILN_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/version.h"
#include "profiler/cli/term.h"

/* Exit codes of all commands (kiln(1)). A launched command's own status is passed on. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_NO_SAMPLES = 3,
	EXIT_NOT_PERMITTED = 4,
	EXIT_NO_TARGET = 5,
	EXIT_THRESHOLD = 6,
	/* For record -- CMD, as in env(1) and nohup(1). */
	EXIT_KILN_FAILED = 125,
	EXIT_CANNOT_EXEC = 126,
	EXIT_CMD_NOT_FOUND = 127,
};

/* One option. Help, --help and shell completions follow from this table. */
struct option_spec {
	const char *name; /* long name without dashes, NULL ends the table */
	char short_name;  /* or 0 */
	/* Placeholder, NULL for a flag; "FILE", "DIR", "PID" and words such as
	 * "auto|always|never" complete; "[URLS]" is optional and follows "=". */
	const char *arg;
	const char *help; /* one line; NULL: accepted but not listed (habits of perf, such as -g) */
	int id;		  /* what options_next() returns: 0 or above */
};

struct command {
	const char *name;
	const char *summary;  /* one line */
	const char *synopsis; /* follows "kiln NAME" */
	const char *examples; /* lines that --help prints first */
	/* Kind of operands, for completion: "FILE", "COMMAND", words as in option_spec.arg, or
	 * NULL. */
	const char *operands;
	const struct option_spec *options; /* NULL: only the common options */
	int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the name */
	/* Needs the capabilities that kiln's file may have, and reads no file by them that who runs it names. Others give
	 * them up first; the agent gets its own from its service. */
	bool samples;
};

extern const struct command command_agent, command_record, command_report, command_export,
	command_list, command_rm, command_push, command_fleet, command_symbolize, command_doctor,
	command_version, command_completion;

/* All commands, NULL-terminated. */
extern const struct command *const commands[];

/* The command of this name, or NULL. */
const struct command *command_find(const char *name);

/* Options of every command: -h -q -v --color. options_next() handles them. */
extern const struct option_spec options_common[];

/*
 * Walks options by the rules of getopt_long(3): "--" ends them, and options may follow operands
 * unless stop_at_operand is set (`record CMD` without "--" needs it). Start with a zeroed struct
 * and set cmd, argc and argv. Only one walk at a time in a process, because of getopt_long().
 */
struct options {
	const struct command *cmd;
	int argc;
	char **argv;
	int stop_at_operand;
	const char *arg;       /* value of the last option; NULL if left out */
	enum color_when color; /* value of --color so far */
	/* private */
	void *state;
};

#define OPTIONS_END   (-1) /* see options_operands() */
#define OPTIONS_ERROR (-2) /* reported on stderr: return EXIT_USAGE */
#define OPTIONS_HELP  (-3) /* help was printed on stdout: return EXIT_OK */

int options_next(struct options *o);
/* After OPTIONS_END: operands, NULL-terminated. */
char **options_operands(struct options *o, int *n);
/* The exit code for a walk that ended with OPTIONS_ERROR or OPTIONS_HELP. */
static inline int options_exit_code(int end)
{
	return end == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
}
void options_release(struct options *o);

/* Parses an option's number or duration. 0, or -EINVAL after an error on stderr. */
int option_u64(const struct options *o, const char *what, unsigned long long min,
	       unsigned long long max, unsigned long long *out);
int option_duration_ns(const struct options *o, const char *what, unsigned long long *out);
/* Index of the option's value among words ("auto|always|never"). The value may be abbreviated if
 * only one word begins so. -EINVAL after an error on stderr. */
/* The same without a message; -ENOENT, or -EEXIST: it is the beginning of several. */
int option_find_word(const struct options *o, const char *words);
int option_word(const struct options *o, const char *what, const char *words);

/* Prints "kiln: NAME: ..." and where the help is on stderr. Returns EXIT_USAGE. */
int usage_error(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void command_print_help(const struct command *cmd);
/* Prints the help of kiln itself, with all commands. */
void commands_print_help(void);

#endif
