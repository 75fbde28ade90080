/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What another host's agent has stored, asked by its HTTP API (profiler/remote/remote.h). */
#ifndef KILN_CLI_LOAD_REMOTE_H
#define KILN_CLI_LOAD_REMOTE_H

#include "profiler/base/buf.h"
#include "profiler/cli/load_store.h"
#include "profiler/remote/remote.h"

/* Asks r->from for the range. EXIT_OK, or an exit code after an error on stderr. */
int load_remote(const struct command *cmd, const struct load_range *r, struct profile **out);

/* A range as parameters. Times are numbers: the other host may be of another zone, and its clock another one. */
struct remote_question {
	char since[32], until[32];
	struct remote_param params[8];
	size_t n;
};

/* Each EXIT_OK, or an exit code after an error on stderr. */
int remote_question_make(const struct command *cmd, const struct load_range *r,
			 struct remote_question *q);
void remote_question_add(struct remote_question *q, const char *key, const char *value);
int remote_question_ask(const struct load_range *r, const char *path,
			const struct remote_question *q, struct buf *out);
/* Says that the answer is this, and none of an agent's. EXIT_ERROR. */
int remote_is_no_kiln(const struct load_range *r, const char *what);

#endif
