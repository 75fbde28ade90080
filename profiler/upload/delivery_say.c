// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the log is told of destinations. It takes few lines a minute. Where it takes one more only, that one waits for
 * a moment and names all that fail, so that nobody is left out.
 */
#include <inttypes.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/upload/delivery_priv.h"

#define SAY_AGAIN_NS (3600 * NS_PER_S)
#define GATHER_NS    (5 * NS_PER_S)

/* --- trouble -------------------------------------------------------------------------------------- */

static size_t count_unsaid(const struct delivery *d, uint64_t *since_ns)
{
	size_t n = 0;

	*since_ns = UINT64_MAX;
	for (size_t i = 0; i < d->destinations.len; i++) {
		const struct destination *t = d->destinations.data[i];

		if (t->unsaid == SAID_NOTHING)
			continue;
		n++;
		if (t->unsaid_ns < *since_ns)
			*since_ns = t->unsaid_ns;
	}
	return n;
}

static void take_unsaid(struct delivery *d, struct buf *line, uint64_t now_ns)
{
	for (size_t i = 0; i < d->destinations.len; i++) {
		struct destination *t = d->destinations.data[i];

		if (t->unsaid == SAID_NOTHING)
			continue;
		buf_printf(line, "%supload \"%s\" (%s): %s", line->len ? "; " : "", t->target->name,
			   t->target->shown, t->unsaid_why.text);
		t->said = t->unsaid;
		t->said_ns = now_ns;
		t->unsaid = SAID_NOTHING;
	}
}

void delivery_say(struct delivery *d, uint64_t now_ns)
{
	unsigned room = log_room();
	struct buf line = {0};
	uint64_t since_ns;

	if (!count_unsaid(d, &since_ns) || !room || (room == 1 && now_ns - since_ns < GATHER_NS))
		return;
	take_unsaid(d, &line, now_ns);
	log_warning("%s; windows wait in the store", buf_cstr(&line));
	buf_release(&line);
}

void destination_say_trouble(struct destination *d, enum delivery_said what, const struct why *why,
			     uint64_t now_ns)
{
	if (d->said == what && now_ns - d->said_ns < SAY_AGAIN_NS)
		return;
	if (d->unsaid == SAID_NOTHING)
		d->unsaid_ns = now_ns;
	d->unsaid = what;
	d->unsaid_why = *why;
	delivery_say(d->owner, now_ns);
}

void destination_say_well(struct destination *d)
{
	if (d->said != SAID_NOTHING)
		log_info("upload \"%s\": it takes windows again", d->target->name);
	d->said = d->unsaid = SAID_NOTHING;
}

/* --- what is dropped ------------------------------------------------------------------------------ */

void destination_say_refused(struct destination *d, const struct why *why, uint64_t now_ns)
{
	if ((d->refused_ns && now_ns - d->refused_ns < SAY_AGAIN_NS) || !log_has_room())
		return;
	d->refused_ns = now_ns;
	log_warning(
		"upload \"%s\" (%s): refused for good: %s; such windows are dropped and counted",
		d->target->name, d->target->shown, why->text);
}

void destination_say_partial(struct destination *d, const struct upload_judgement *j,
			     uint64_t now_ns)
{
	if ((d->partial_ns && now_ns - d->partial_ns < SAY_AGAIN_NS) || !log_has_room())
		return;
	d->partial_ns = now_ns;
	log_warning("upload \"%s\" (%s): %" PRIu64 " of a window refused: %s", d->target->name,
		    d->target->shown, j->rejected, j->why.text);
}
