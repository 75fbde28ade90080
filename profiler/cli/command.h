/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file a command; the table in commands.c lists them. */
#ifndef KILN_CLI_COMMAND_H
#define KILN_CLI_COMMAND_H

#include <stddef.h>

#include "profiler/cli/term.h"

#define KILN_VERSION "0.1.0"

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
	const char *arg;  /* placeholder, NULL for a flag; "FILE", "DIR" and "PID" complete, and so
			     do the words of "auto|always|never"; one in brackets, "[URLS]", may be
			     left out, and follows "=" */
	const char *help; /* one line; NULL = accepted but not shown (perf habits such as -g) */
	int id;		  /* what options_next() returns: 0 or above */
};

struct command {
	const char *name;
	const char *summary;  /* one line */
	const char *synopsis; /* after "kiln name" */
	const char *examples; /* lines, shown first in --help */
	const char *operands; /* what the operands are, for completion: "FILE", "COMMAND", words as
				 in option_spec.arg, or NULL */
	const struct option_spec *options; /* NULL: only the common ones */
	int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the name */
};

extern const struct command command_record, command_report, command_export, command_symbolize,
	command_doctor, command_version, command_completion;

/* All commands, NULL-terminated. */
extern const struct command *const commands[];

/* The command of this name, or NULL. */
const struct command *command_find(const char *name);

/* Options every command has: -h -q -v --color. options_next() handles them itself. */
extern const struct option_spec options_common[];

/*
 * Walks options over getopt_long(3) rules ("--" ends them; options after operands are allowed unless
 * stop_at_operand, which `record CMD` without "--" needs). Start with a zeroed struct, cmd, argc and
 * argv set; one walk at a time in a process, as getopt_long has it.
 */
struct options {
	const struct command *cmd;
	int argc;
	char **argv;
	int stop_at_operand;
	const char *arg;       /* of the option just returned; NULL if left out */
	enum color_when color; /* what --color said so far */
	/* private */
	void *state;
};

#define OPTIONS_END   (-1) /* operands are argv[optind...]: options_operands() */
#define OPTIONS_ERROR (-2) /* said so on stderr: return EXIT_USAGE */
#define OPTIONS_HELP  (-3) /* help printed on stdout: return EXIT_OK */

int options_next(struct options *o);
/* After OPTIONS_END: operands, NULL-terminated. */
char **options_operands(struct options *o, int *n);
/* The exit code for a walk that ended with OPTIONS_ERROR or OPTIONS_HELP. */
static inline int options_exit_code(int end)
{
	return end == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
}
void options_release(struct options *o);

/* Parses an option's number / duration, or says what is wrong with it on stderr: 0 or -EINVAL. */
int option_u64(const struct options *o, const char *what, unsigned long long min,
	       unsigned long long max, unsigned long long *out);
int option_duration_ns(const struct options *o, const char *what, unsigned long long *out);
/* Index of the option's value, or the one word it begins, among words ("auto|always|never"); or
 * -EINVAL, said on stderr. */
int option_word(const struct options *o, const char *what, const char *words);

/* Says "kiln: NAME: ..." and where the help is, on stderr; returns EXIT_USAGE. */
int usage_error(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void command_print_help(const struct command *cmd);
/* The help of kiln itself: all commands. */
void commands_print_help(void);

#endif
