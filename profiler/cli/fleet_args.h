/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the questions of kiln fleet have in common: whom they ask, of which time, and how they print. */
#ifndef KILN_CLI_FLEET_ARGS_H
#define KILN_CLI_FLEET_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/json.h"
#include "profiler/cli/command.h"
#include "profiler/cli/sheet.h"
#include "profiler/cli/target_args.h"
#include "profiler/fleet/asking.h"

struct where;

enum fleet_arg {
	FLEET_ARG_FROM,
	FLEET_ARG_SINCE,
	FLEET_ARG_UNTIL,
	FLEET_ARG_WHERE,
	FLEET_ARG_CONFIG,
	FLEET_ARG_JSON,
	FLEET_ARG_MARKDOWN,
	FLEET_ARG_SQL,
	FLEET_ARG_NO_ROLLUP,
	FLEET_ARG_TARGET, /* and above: enum target_arg */
};

/* For the table of options, the last ones: their ids are id + FLEET_ARG_*. */
#define FLEET_OPTIONS(id)                                                                          \
	{"from", 0, "URL",                                                                         \
	 "a ClickHouse, clickhouse+http://HOST:8123/DATABASE (the configuration's)",               \
	 (id) + FLEET_ARG_FROM},                                                                   \
		{"since", 0, "TIME", "from then on, such as 3h or 'yesterday 03:10'",              \
		 (id) + FLEET_ARG_SINCE},                                                          \
		{"until", 0, "TIME", "before then (now)", (id) + FLEET_ARG_UNTIL},                 \
		{"where", 0, "LABELS", "such as 'service_name=api,host=~web.*'",                   \
		 (id) + FLEET_ARG_WHERE},                                                          \
		{"config", 'c', "FILE", "whose destination to ask (/etc/kiln/kiln.yaml)",          \
		 (id) + FLEET_ARG_CONFIG},                                                         \
		{"json", 0, NULL, "print JSON", (id) + FLEET_ARG_JSON},                            \
		{"markdown", 0, NULL, "print Markdown", (id) + FLEET_ARG_MARKDOWN},                \
		{"sql", 0, NULL, "print the query and ask nobody", (id) + FLEET_ARG_SQL},          \
		{"no-rollup", 0, NULL, "read samples alone, and make no rollup",                   \
		 (id) + FLEET_ARG_NO_ROLLUP},                                                      \
		TARGET_OPTIONS((id) + FLEET_ARG_TARGET, "file with a bearer token")

struct fleet_args { /* all-zero: nothing is set */
	const char *from, *since, *until, *where, *config;
	bool json, markdown, sql, no_rollup;
	struct target_args target;
};
/* which: enum fleet_arg */
void fleet_args_set(struct fleet_args *a, int which, const char *value);

/* A range that is open for questions. */
struct fleet_session {
	const struct command *cmd;
	const struct fleet_args *args;
	struct upload_target *target; /* NULL with --sql */
	struct where *where;
	struct asking asking;
	int64_t since_ns, until_ns;
};

#define FLEET_DAY_NS (24 * 3600 * (int64_t)1000000000)

/* A command, from its options to its exit code. */
struct fleet_question {
	struct fleet_args *args;
	void *request; /* of the command, around args */
	/* An option that is not of FLEET_OPTIONS: 0, or -EINVAL after an error on stderr. */
	int (*handle)(const struct options *o, int id, void *request);
	int first_id;	     /* of FLEET_OPTIONS */
	const char *operand; /* what is wanted, "FUNCTION"; NULL: there is none */
	bool is_of_service;  /* it is a service, and a condition beside --where */
	int64_t usual_ns;    /* how long the range is without --since */
	/* Of a period before it, which is asked for, too; NULL or 0: there is none; below: as long as the range. */
	const int64_t *before_ns;
	/* operand: NULL without one. The exit code, after an error on stderr. */
	int (*ask)(struct fleet_session *s, const struct options *o, void *request,
		   const char *operand);
};
int fleet_run(const struct command *self, int argc, char **argv, const struct fleet_question *q);

/* Says what went wrong; the exit code. */
int fleet_failed(int err, const struct why *why);

/* --- printing ------------------------------------------------------------------------------------- */

/* "12.3": core-hours. */
const char *fleet_core_hours(double ns, char out[32]);
const char *fleet_share(double part, double whole, char out[32]); /* "12.3%" */

/* A text of the command line, cleaned. */
void fleet_json_text(struct json *j, const char *key, const char *text);
void fleet_add_text(struct buf *out, const char *text);
/* A row's times as JSON, in an object: KEY_ns. */
void fleet_json_values(struct json *j, const struct cost_values *v, bool has_before);
/* '{"since_ns": .., "until_ns": .., "where": ..': the beginning of an answer. */
void fleet_json_begin(struct json *j, const struct fleet_session *s);

/* Appends "2026-11-22 03:10 to 2026-11-22 04:10 +0100". */
void fleet_add_range(struct buf *out, const struct fleet_session *s);

/* The text above and the sheet, as text or as Markdown. */
int fleet_print_sheet(const struct fleet_session *s, const struct options *o, const char *above,
		      const struct sheet *sheet);
/* Prints and releases. EXIT_OK or EXIT_ERROR. */
int fleet_print(struct buf *out);
/* A statement with what people print behind one. */
int fleet_print_sql(struct buf *sql);

#endif
