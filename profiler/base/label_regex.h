/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended regular expressions over whole values of labels, or over any part of a text, of bounded cost: what would
 * take glibc much time or memory is refused. */
#ifndef KILN_BASE_LABEL_REGEX_H
#define KILN_BASE_LABEL_REGEX_H

#include <regex.h>

#define LABEL_REGEX_MAX_COST   5000 /* characters, after repeats were written out */
#define LABEL_REGEX_MAX_GROUPS 9

/* Compiles ^(text)$: group 2 of *out is the first of the text's own. -EINVAL with *why, a
 * sentence without a full stop, or -ENOMEM. */
int label_regex_compile(regex_t *out, const char *text, const char **why);
/* The same for what may be anywhere in a text; no groups are told. */
int label_regex_compile_part(regex_t *out, const char *text, const char **why);
/* Whether it compiles. */
int label_regex_check(const char *text, const char **why);

#endif
