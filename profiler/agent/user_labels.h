/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The labels of the configuration as the collector takes them. */
#ifndef KILN_AGENT_USER_LABELS_H
#define KILN_AGENT_USER_LABELS_H

#include "profiler/base/vec.h"

struct config;

struct user_labels {	  /* all-zero is empty */
	VEC(char *) list; /* "key=value", with a NULL at the end */
};

/* Replaces what is there. 0 or -ENOMEM. */
int user_labels_make(struct user_labels *l, const struct config *c);
void user_labels_free(struct user_labels *l);

#endif
