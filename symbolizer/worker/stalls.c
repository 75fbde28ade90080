// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/stalls.h"

#include <string.h>

#include "profiler/base/log.h"

void stalls_release(struct stalls *s)
{
	vec_release(&s->bad);
	vec_release(&s->devs);
}

static bool is_old(const struct stalls *s, uint64_t since_ns, uint64_t now_ns)
{
	return s->keep_ns && now_ns - since_ns > s->keep_ns;
}

/* --- files ------------------------------------------------------------------------------------ */

void file_id_of(const struct sym_file *file, struct file_id *id)
{
	id->number = 0;
	sym_file_identity(file, &id->file);
}

bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return a->number == b->number && !memcmp(&a->file, &b->file, sizeof(a->file));
}

static struct bad_file *find_bad(struct stalls *s, const struct file_id *id)
{
	for (size_t i = 0; i < s->bad.len; i++)
		if (file_id_equal(&s->bad.data[i].id, id))
			return &s->bad.data[i];
	return NULL;
}

enum trust stalls_trust(struct stalls *s, const struct file_id *id, uint64_t now_ns)
{
	struct bad_file *bad = find_bad(s, id);

	if (bad && is_old(s, bad->since_ns, now_ns)) {
		*bad = vec_last(&s->bad);
		s->bad.len--;
		bad = NULL;
	}
	return bad ? bad->trust : ALL;
}

int stalls_distrust(struct stalls *s, const struct file_id *id, enum trust left, uint64_t now_ns)
{
	struct bad_file *bad = find_bad(s, id);
	struct bad_file new = {.id = *id, .trust = left, .since_ns = now_ns};

	if (bad) {
		*bad = new;
		return 0;
	}
	s->files_failed++;
	if (s->bad.len >= BAD_FILES_MAX) {
		s->bad.len--;
		memmove(s->bad.data, s->bad.data + 1, s->bad.len * sizeof(*s->bad.data));
	}
	return vec_push(&s->bad, new);
}

/* --- file systems ----------------------------------------------------------------------------- */

uint64_t stalls_dev_of(const struct sym_file *file)
{
	struct sym_file_key key;

	return sym_file_facts(file, &key) ? key.dev : 0;
}

static struct stalled_dev *find_dev(struct stalls *s, uint64_t dev, uint64_t now_ns)
{
	for (size_t i = 0; i < s->devs.len; i++) {
		struct stalled_dev *d = &s->devs.data[i];

		if (d->dev == dev && !is_old(s, d->since_ns, now_ns))
			return d;
		if (d->dev == dev) {
			*d = vec_last(&s->devs);
			s->devs.len--;
			return NULL;
		}
	}
	return NULL;
}

unsigned stalls_on(struct stalls *s, uint64_t dev, uint64_t now_ns)
{
	const struct stalled_dev *d = dev ? find_dev(s, dev, now_ns) : NULL;

	return d ? d->stalls : 0;
}

int stalls_note(struct stalls *s, uint64_t dev, uint64_t now_ns)
{
	struct stalled_dev *d = find_dev(s, dev, now_ns);
	struct stalled_dev new = {dev, now_ns, 1};

	if (d) {
		d->stalls++;
		return 0;
	}
	if (!dev)
		return 0;
	if (s->devs.len == STALLED_DEVS_MAX) {
		s->devs_full++;
		log_debug("a file server hangs that is not remembered: %llu times",
			  (unsigned long long)s->devs_full);
		return 0;
	}
	return vec_push(&s->devs, new);
}

/* --- failures --------------------------------------------------------------------------------- */

unsigned stalls_failures(struct stalls *s, uint64_t now_ns)
{
	if (now_ns - s->window_ns > WINDOW_NS) {
		s->window_ns = now_ns;
		s->failures = 0;
	}
	return s->failures;
}

void stalls_note_failure(struct stalls *s)
{
	s->failures++;
}
