// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/label_keys.h"

#include <stdio.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/suggest.h"
#include "profiler/base/text.h"
#include "profiler/profile/profile.h"

const char *label_key_of_word(const char *word)
{
	if (!strcmp(word, "service"))
		return LABEL_SERVICE;
	return strcmp(word, "tid") ? word : LABEL_TID;
}

bool label_key_is_reserved(const char *key)
{
	static const char *const keys[] = {LABEL_PID,	 LABEL_TID,  LABEL_COMM,
					   LABEL_CGROUP, LABEL_UNIT, LABEL_CONTAINER};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(label_key_of_word(key), keys[i]))
			return true;
	return false;
}

bool label_key_is_there(const struct profile *p, const char *key)
{
	for (size_t i = 0; i < p->labels.len; i++)
		if (!strcmp(profile_text(p, p->labels.data[i].key), key))
			return true;
	return false;
}

void label_key_missing_near(struct buf *out, const struct suggest *near)
{
	buf_str(out, "no sample has a label \"");
	text_add_clean(out, near->typed, strnlen(near->typed, 80));
	buf_char(out, '"');
	if (!near->best)
		return;
	buf_str(out, " (did you mean \"");
	text_add_clean(out, near->best, strlen(near->best));
	buf_str(out, "\"?)");
}

#define LISTED_MAX 16 /* keys of a foreign file may be any number */

static bool is_listed(const uint32_t *keys, size_t n, uint32_t key)
{
	for (size_t i = 0; i < n; i++)
		if (keys[i] == key)
			return true;
	return false;
}

/* Whether a word of "a|b". */
static bool is_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (const char *at = words; *at; at += strcspn(at, "|"), at += *at == '|')
		if (strcspn(at, "|") == len && !memcmp(at, text, len))
			return true;
	return false;
}

/* Appends: ; there are a, b, and labels such as x, y */
static void add_known(struct buf *out, const struct profile *p, const char *words)
{
	uint32_t keys[LISTED_MAX];
	size_t n = 0;

	buf_str(out, "; there are ");
	for (const char *at = words; *at; at++)
		buf_add(out, *at == '|' ? ", " : at, *at == '|' ? 2 : 1);
	for (size_t i = 0; i < p->labels.len && n < LISTED_MAX; i++) {
		uint32_t id = p->labels.data[i].key;
		const char *key = profile_text(p, id);

		if (is_listed(keys, n, id) || is_word(words, key))
			continue;
		buf_str(out, n ? ", " : ", and labels such as ");
		text_add_clean(out, key, strnlen(key, 80));
		keys[n++] = id;
	}
}

void label_key_missing(struct buf *out, const struct profile *p, const char *key, const char *words)
{
	struct suggest near = {.typed = key};
	char known[256];

	snprintf(known, sizeof(known), "%s", words ? words : "");
	for (char *rest = known, *word; (word = strsep(&rest, "|"));)
		suggest_consider(&near, word);
	for (size_t i = 0; i < p->labels.len; i++)
		suggest_consider(&near, profile_text(p, p->labels.data[i].key));
	label_key_missing_near(out, &near);
	if (words)
		add_known(out, p, words);
}
