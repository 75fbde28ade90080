// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/delivery_status.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/upload/delivery_priv.h"

#define VERSION_TEXT "kiln-status 1\n"
#define NOTE_NS	     (30 * NS_PER_S)

/* --- writing -------------------------------------------------------------------------------------- */

static bool is_well(enum upload_verdict v)
{
	return v == UPLOAD_DELIVERED || v == UPLOAD_PARTIAL;
}

static void print(struct buf *out, struct destination *d, const struct upload_judgement *j,
		  uint64_t now_ns)
{
	const struct delivery_world *w = &d->owner->opts.world;
	int64_t unix_now = w->unix_ns(w->ctx), lag_ns;

	if (d->has_item || d->is_behind || !d->counted_ns)
		destination_count_waiting(d, now_ns);
	lag_ns = (int64_t)d->stats.lag_ns;
	buf_printf(out, VERSION_TEXT "answered %" PRId64 "\nwell %d\nwindows %" PRIu64, unix_now,
		   is_well(j->verdict), d->stats.waiting);
	buf_printf(out, "\noldest %" PRId64 "\n", d->stats.waiting ? unix_now - lag_ns : 0);
	text_add_clean(out, j->why.text, strlen(j->why.text));
	buf_char(out, '\n');
}

void destination_note(struct destination *d, const struct upload_judgement *j, uint64_t now_ns)
{
	struct buf text = {0};
	int err;

	if (d->noted_ns && d->noted == j->verdict && now_ns - d->noted_ns < NOTE_NS)
		return;
	d->noted = j->verdict;
	d->noted_ns = now_ns;
	print(&text, d, j, now_ns);
	err = text.err ?: cursor_save_status(&d->owner->cursors, d->target->name, &text);
	if (err) /* the cursor, which counts, is in the same place */
		log_debug("upload \"%s\": its status cannot be written: %s", d->target->name,
			  strerror(-err));
	buf_release(&text);
}

/* --- reading -------------------------------------------------------------------------------------- */

/* "KEY 123" at *text, which moves on. */
static bool take_number(char **text, const char *key, uint64_t *v)
{
	char *line = strsep(text, "\n");
	size_t len = strlen(key);

	return line && *text && !strncmp(line, key, len) && line[len] == ' ' &&
	       !text_parse_u64(line + len + 1, INT64_MAX, v);
}

static int parse(char *text, struct delivery_status *out)
{
	char *rest = text + strlen(VERSION_TEXT), *answer;
	uint64_t answered, well, windows, oldest;

	if (!text_has_prefix(text, VERSION_TEXT) || !take_number(&rest, "answered", &answered) ||
	    !take_number(&rest, "well", &well) || !take_number(&rest, "windows", &windows) ||
	    !take_number(&rest, "oldest", &oldest))
		return -EBADMSG;
	answer = strsep(&rest, "\n");
	if (!rest || !text_is_clean(answer, strlen(answer)))
		return -EBADMSG;
	*out = (struct delivery_status){
		.answered_unix_ns = (int64_t)answered,
		.is_well = well,
		.windows = windows,
		.oldest_unix_ns = (int64_t)oldest,
	};
	why_say(&out->answer, 0, "%s", answer);
	return 0;
}

int delivery_status_load(struct delivery_status *out, const char *dir, const char *name)
{
	_cleanup_free_ char *text = NULL;
	int err = cursor_load_status(&text, dir, name);

	return err ?: parse(text, out);
}
