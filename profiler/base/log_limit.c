// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/log_limit.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>

/* FNV-1a of all but digits; never 0. */
static uint64_t kind_hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *text; text++)
		if (!isdigit((unsigned char)*text))
			h = (h ^ (unsigned char)*text) * 0x100000001b3ull;
	return h ?: 1;
}

static struct log_kind *find(struct log_limit *l, uint64_t hash)
{
	struct log_kind *oldest = &l->kinds[0];

	for (size_t i = 0; i < LOG_KINDS; i++) {
		struct log_kind *k = &l->kinds[i];

		if (k->hash == hash)
			return k;
		if (!k->hash)
			k->shown_ns = 0;
		if (k->shown_ns < oldest->shown_ns)
			oldest = k;
	}
	l->hidden += oldest->repeats;
	*oldest = (struct log_kind){.hash = hash};
	return oldest;
}

unsigned log_limit_room(const struct log_limit *l, uint64_t now_ns)
{
	unsigned room = 0;

	if (!l->lines_a_minute)
		return UINT_MAX;
	for (unsigned i = 0; i < l->lines_a_minute; i++)
		room += i >= l->n_shown || now_ns - l->shown_ns[i] >= LOG_MINUTE_NS;
	return room;
}

bool log_limit_admit(struct log_limit *l, uint64_t now_ns, const char *text, uint64_t *repeats,
		     uint64_t *hidden)
{
	struct log_kind *k;
	uint64_t *slot;

	*repeats = *hidden = 0;
	if (!l->lines_a_minute)
		return true;
	slot = &l->shown_ns[l->n_shown % l->lines_a_minute];
	k = find(l, kind_hash(text));
	if (k->shown_ns && now_ns - k->shown_ns < LOG_REPEAT_NS) {
		k->repeats++;
		return false;
	}
	if (!log_limit_room(l, now_ns)) {
		if (k->shown_ns)
			k->repeats++;
		else
			l->hidden++;
		return false;
	}
	*slot = now_ns;
	l->n_shown++;
	*repeats = k->repeats;
	*hidden = l->hidden;
	k->repeats = l->hidden = 0;
	k->shown_ns = now_ns ?: 1;
	return true;
}
