// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/list.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/cli/line.h"
#include "profiler/cli/table_text.h"
#include "profiler/store/overview.h"

#define LEAST_NAME 20 /* columns */
#define NUMBERS	   35 /* columns before a name */

void list_time(struct buf *out, int64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / (int64_t)NS_PER_S);
	char text[40] = "?";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buf_str(out, text);
}

/* " +0100": rows without it would not go with a report's, which is in UTC. */
static void add_zone(struct buf *out, int64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / (int64_t)NS_PER_S);
	char text[40];
	struct tm tm;

	if (localtime_r(&seconds, &tm) && strftime(text, sizeof(text), " %z", &tm))
		buf_str(out, text);
}

static const char *count(int64_t n, char text[32])
{
	return n < 0 ? "-" : text_format_count((uint64_t)n, text, 32);
}

static const char *seconds(int64_t ns, char text[32])
{
	return text_format_ns(ns < 0 ? 0 : (uint64_t)ns, text, 32);
}

void list_summary(struct buf *out, const struct overview *o)
{
	char samples[32], windows[32], cpu[32];

	if (o->samples >= 0)
		buf_printf(out, "%s sample%s", count(o->samples, samples),
			   o->samples == 1 ? "" : "s");
	else
		buf_str(out, "samples not known");
	if (o->windows >= 0) /* else a profile store does not tell */
		buf_printf(out, " in %s window%s", count(o->windows, windows),
			   o->windows == 1 ? "" : "s");
	buf_printf(out, ", %s of CPU time", seconds(o->cpu_ns, cpu));
	if (!o->windows || !o->until_ns)
		return;
	buf_str(out, ", from ");
	list_time(out, o->since_ns);
	buf_str(out, " to ");
	list_time(out, o->until_ns);
	add_zone(out, o->until_ns);
}

static void end_line(struct buf *out, struct buf *line, const struct term *t)
{
	line_wrap(out, buf_cstr(line), LINE_COLUMNS, t);
	buf_char(out, '\n');
	buf_clear(line);
}

static void add_header(struct buf *out, const char *name, const struct overview *o,
		       const struct term *t)
{
	struct buf line = {0};
	char text[32];

	buf_printf(&line, "%s: ", name);
	list_summary(&line, o);
	if (o->segments)
		buf_printf(&line, "; on disk %.1f MiB in %" PRId64 " segment%s",
			   (double)o->bytes / (1 << 20), o->segments, o->segments == 1 ? "" : "s");
	end_line(out, &line, t);
	if (o->lost) {
		buf_printf(&line, LINE_TITLE "%s sample%s%s; kiln report names the reasons", "Lost",
			   count(o->lost, text), o->lost == 1 ? "" : "s",
			   o->where ? " of everything recorded then, whatever --where says" : "");
		end_line(out, &line, t);
	}
	if (o->unreadable) {
		buf_printf(&line, LINE_TITLE "%s segment%s or window%s could not be read",
			   "Damaged", count(o->unreadable, text), o->unreadable == 1 ? "" : "s",
			   o->unreadable == 1 ? "" : "s");
		end_line(out, &line, t);
	}
	buf_release(&line);
}

static void add_time_row(struct buf *out, const struct overview_row *r)
{
	char windows[32], samples[32], cpu[32], lost[32];

	list_time(out, r->begin_ns);
	buf_printf(out, " %8s %12s %12s %8s\n", count(r->windows, windows),
		   count(r->samples, samples), seconds(r->cpu_ns, cpu), count(r->lost, lost));
}

static void add_label_row(struct buf *out, const struct overview *o, const struct overview_row *r,
			  const struct term *t)
{
	size_t width = t->columns > NUMBERS + LEAST_NAME ? t->columns - NUMBERS : LEAST_NAME;
	char samples[32], cpu[32];
	struct buf name = {0};

	buf_str(&name, *r->name ? r->name : "(none)");
	if (r->pid >= 0)
		buf_printf(&name, " (%" PRId64 ")", r->pid);
	buf_printf(out, "%12s ", seconds(r->cpu_ns, cpu));
	answer_share(out, r->cpu_ns, o->cpu_ns);
	buf_printf(out, " %12s  ", count(r->samples, samples));
	if (t->columns && text_columns(buf_cstr(&name)) > width)
		term_fit(out, buf_cstr(&name), width);
	else
		buf_str(out, buf_cstr(&name));
	buf_char(out, '\n');
	buf_release(&name);
}

/* A label of people's own is in capitals, too. */
static void add_label_head(struct buf *out, const char *head)
{
	buf_printf(out, "%12s %6s %12s  ", "CPU", "SHARE", "SAMPLES");
	for (; *head; head++)
		buf_char(out, (char)toupper((unsigned char)*head));
}

static void add_head(struct buf *out, const struct overview *o, const struct term *t)
{
	static const char *const heads[] = {"",	    "PROCESS",	 "COMMAND", "EXECUTABLE",
					    "UNIT", "CONTAINER", "SERVICE", "POD"};
	const char *head = o->by < OVERVIEW_LABEL ? heads[o->by] : o->label ?: "LABEL";

	term_style(t, out, STYLE_HEAD);
	if (o->by == OVERVIEW_TIME)
		buf_printf(out, "%-19s %8s %12s %12s %8s", "TIME", "WINDOWS", "SAMPLES", "CPU",
			   "LOST");
	else
		add_label_head(out, head);
	term_style(t, out, STYLE_END);
	buf_char(out, '\n');
}

static bool has_nameless(const struct overview *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!*o->rows.data[i].name)
			return true;
	return false;
}

int list_text(struct buf *out, const char *name, const struct overview *o, size_t n_rows,
	      const struct term *t)
{
	size_t n = n_rows && n_rows < o->rows.len ? n_rows : o->rows.len;
	char text[32];

	add_header(out, name, o, t);
	if (o->where && !o->samples)
		return out->err; /* a screen of zeros says nothing */
	if (n)
		add_head(out, o, t);
	for (size_t i = 0; i < n; i++) {
		if (o->by == OVERVIEW_TIME)
			add_time_row(out, &o->rows.data[i]);
		else
			add_label_row(out, o, &o->rows.data[i], t);
	}
	if (o->by != OVERVIEW_TIME && has_nameless(o, n))
		buf_str(out,
			"(none): samples without this label, such as the kernel's or lost ones\n");
	if (n < o->rows.len)
		buf_printf(out, "... and %s more (--top 0 shows all)\n",
			   count((int64_t)(o->rows.len - n), text));
	return out->err;
}

int list_json(struct buf *out, struct overview *o, size_t n_rows)
{
	for (; n_rows && o->rows.len > n_rows; o->rows.len--)
		free(vec_last(&o->rows).name);
	return overview_json(out, o);
}
