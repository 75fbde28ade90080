/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of labels as people type them, and what they may have meant. */
#ifndef KILN_PROFILE_LABEL_KEYS_H
#define KILN_PROFILE_LABEL_KEYS_H

#include <stdbool.h>

struct buf;
struct profile;
struct suggest;

/* The key of a label: "service" and "tid" are short for service_name and thread_id. */
const char *label_key_of_word(const char *word);

/* Whether every recording writes a label of this key, so that nobody else may. */
bool label_key_is_reserved(const char *key);

/* Whether a label of the profile has the key. */
bool label_key_is_there(const struct profile *p, const char *key);

/* Appends: no sample has a label "key" (did you mean "best"?); there are ... words: "a|b" that may be meant as well,
 * or NULL: then what there is is left out. */
void label_key_missing(struct buf *out, const struct profile *p, const char *key,
		       const char *words);
/* The same where the caller has considered the candidates. */
void label_key_missing_near(struct buf *out, const struct suggest *near);

#endif
