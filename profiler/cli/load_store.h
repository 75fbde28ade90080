/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a store holds of a range of time, where a command takes a file or a store. */
#ifndef KILN_CLI_LOAD_STORE_H
#define KILN_CLI_LOAD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/cli/command.h"
#include "profiler/cli/target_args.h"

struct profile;
struct why;

struct load_range { /* all-zero: everything */
	const char *since, *until, *where;
	const char *config; /* whose store it is where no other is named; NULL: the default one */
	const char *label;  /* by which the command sorts samples, or NULL */
	const char *from;   /* a URL: another host's agent, or a profile store, instead */
	struct target_args target; /* how it is asked */
	/* Keys of labels that the command does not need, NULL-terminated, or NULL: a day of a busy host has a
	 * label set for each of a hundred thousand processes. */
	const char *const *without;
};

/* Options of every command that takes a store, for its table; their ids are id, id + 1, id + 2. */
#define LOAD_RANGE_OPTIONS(id)                                                                     \
	{"since", 0, "TIME", "of a store: from then on, such as 3h or 'yesterday 03:10'", id},     \
		{"until", 0, "TIME", "of a store: before then (now)", (id) + 1},                   \
	{                                                                                          \
		"where", 0, "LABELS", "of a store: such as 'unit=nginx.service,comm=~work.*'",     \
			(id) + 2                                                                   \
	}
/* ... and the configuration that says which store: one more id. */
#define LOAD_CONFIG_OPTION(id)                                                                     \
	{                                                                                          \
		"config", 'c', "FILE", "whose store to read (/etc/kiln/kiln.yaml)", id             \
	}
/* ... and of every one that asks other hosts: from id + 3 on. */
#define LOAD_FROM_OPTIONS(id)                                                                      \
	{"from", 0, "NAME|URL",                                                                    \
	 "ask another host's agent, kiln+http://HOST:7676, or a profile store", (id) + 3},         \
		TARGET_OPTIONS((id) + 4, "the token for --from (an agent: KILN_TOKEN)")
void load_range_set(struct load_range *r, int which, const char *value); /* which: from 0 */

/* Whether a time or a condition is set. */
bool load_range_is_set(const struct load_range *r);

/* Its times in ns since 1970; STORE_BEGIN and STORE_END where there are none. EXIT_OK, or EXIT_USAGE after an
 * error on stderr. */
int load_range_times(const struct command *cmd, const struct load_range *r, int64_t *since_ns,
		     int64_t *until_ns);

/* Says what went wrong with a store; the exit code. */
int load_store_failed(int err, const struct why *why);

/* Whether there is something in the store: a directory without may be a new one, but is more likely a mistaken
 * path. EXIT_OK, or EXIT_ERROR and it is said. */
struct store;
int load_check_segments(struct store *s, const char *path);

/* Says on stderr which label of the condition no sample has. */
struct store_query;
void load_store_note(struct store *s, const struct store_query *q);

/* The store that a configuration (NULL: the default one) names, for commands without an operand; malloc'd. EXIT_OK or an exit
 * code, and it is said. */
int load_configured_store(const char *config, char **path);

/* Sums up a range of the store at a path, with the quality of all of it as comments. As load_profiles(). */
int load_store(const struct command *cmd, const char *path, const struct load_range *r,
	       struct profile **out);

#endif
