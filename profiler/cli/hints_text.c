// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/hints_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/line.h"
#include "profiler/profile/blame_shares.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/totals.h"

#define LINES_MAX 5
/* A binary in which fewer of all stacks are cut off is not worth a line. */
#define BROKEN_WORTH 0.005
/* How an archive of packages is told at the end of a hint (packages.c). */
#define ARCHIVE " (deb "

struct row {
	const struct quality_blame *blame;
	struct blame_share share; /* of samples */
	double broken;		  /* of stacks */
};

static double weight(const struct row *r)
{
	return r->share.unnamed + r->share.hidden + r->broken;
}

static int compare_rows(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (weight(a) != weight(b))
		return weight(a) > weight(b) ? -1 : 1;
	return a->blame < b->blame ? -1 : 1;
}

static bool is_worth(const struct row *r)
{
	return r->share.unnamed >= BLAME_WORTH || r->share.hidden >= BLAME_WORTH ||
	       r->broken >= BROKEN_WORTH;
}

static void add_percent(struct buf *out, double share, const char *what)
{
	buf_printf(out, share >= 0.0995 ? "%.0f %% %s" : "%.1f %% %s", 100 * share, what);
}

/* An archive is told once. `told` is the one before, or NULL. */
static void add_hint(struct buf *out, const char *hint, const char **told)
{
	const char *archive = strstr(hint, ARCHIVE), *end = archive ? strchr(archive, ')') : NULL;
	size_t len = end ? (size_t)(end + 1 - archive) : 0;

	if (len && *told && !strncmp(*told, archive, len)) {
		buf_add(out, hint, (size_t)(archive - hint));
		buf_str(out, end + 1);
		return;
	}
	if (len)
		*told = archive;
	buf_str(out, hint);
}

static void add_row(struct buf *out, const struct row *r, const char **told)
{
	const struct {
		double share, worth;
		const char *what;
	} parts[] = {
		{r->share.hidden, BLAME_WORTH, "of samples run code that it interprets"},
		{r->share.unnamed, BLAME_WORTH, "of samples have a frame in it without a name"},
		{r->broken, BROKEN_WORTH, "of all stacks break in it"},
	};
	const char *between = "";

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (parts[i].share < parts[i].worth)
			continue;
		buf_str(out, between);
		add_percent(out, parts[i].share, parts[i].what);
		between = ", ";
	}
	if (r->blame->hint) {
		buf_str(out, ". ");
		add_hint(out, r->blame->hint, told);
	}
}

static size_t make_rows(const struct profile *p, const struct quality *q, struct row *rows)
{
	struct blame_share shares[QUALITY_MAX_BLAME] = {0};
	uint64_t stacks = q->user_complete + q->user_truncated + q->user_missing;
	size_t n = 0;

	if (blame_shares(p, q, shares))
		return 0;
	for (size_t i = 0; i < q->blame.len && i < QUALITY_MAX_BLAME; i++) {
		const struct quality_blame *b = &q->blame.data[i];

		rows[n] =
			(struct row){b, shares[i], stacks ? (double)b->broken / (double)stacks : 0};
		n += is_worth(&rows[n]);
	}
	qsort(rows, n, sizeof(*rows), compare_rows);
	return n;
}

void answer_blame(struct buf *out, const struct profile *p, const struct quality *q,
		  const struct term *t)
{
	struct row rows[QUALITY_MAX_BLAME];
	/* What has no name is a share of samples, and a difference has none. */
	bool has_shares = !profile_is_difference(p, profile_default_type(p));
	size_t n = has_shares && log_level() != LOG_QUIET ? make_rows(p, q, rows) : 0;
	const char *told = NULL;
	struct processes names = {0};
	struct buf line = {0};

	if (n && processes_load(&names, p))
		names.names = NULL;
	for (size_t i = 0; i < n && i < LINES_MAX; i++) {
		buf_printf(&line, "note: %s", rows[i].blame->module);
		processes_add_alias(&line, &names, p, rows[i].blame->module);
		buf_str(&line, ": ");
		add_row(&line, &rows[i], &told);
		line_wrap(out, buf_cstr(&line), LINE_COLUMNS, t);
		buf_char(out, '\n');
		buf_clear(&line);
	}
	processes_release(&names);
	buf_release(&line);
}
