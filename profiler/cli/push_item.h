/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile as kiln push sends it: with labels that it lacks, and with an identity. */
#ifndef KILN_CLI_PUSH_ITEM_H
#define KILN_CLI_PUSH_ITEM_H

#include "profiler/base/vec.h"
#include "profiler/base/why.h"
#include "profiler/upload/kind.h"

struct push_item_label {
	char *key;
	const char *value;
};

struct push_item_opts { /* all-zero: none */
	const char *service;
	VEC(struct push_item_label) labels;
	const char *keys[17]; /* of the labels; NULL-terminated */
	char host[65];
};

struct push_item {
	struct profile *profile;
	char *host;
	struct upload_item upload;
};

/* "KEY=VALUE". 0, -EINVAL with a sentence, or -ENOMEM. */
int push_item_label(struct push_item_opts *o, const char *text, struct why *why);
void push_item_opts_release(struct push_item_opts *o);

/*
 * Takes the profile. Its host is that of its label "host", else this machine. Its id comes from all that is sent, so
 * that it is the same each time. 0 or -errno; release it after 0 only.
 */
int push_item_make(struct push_item *out, struct push_item_opts *o, struct profile *p);
void push_item_release(struct push_item *i);

#endif
